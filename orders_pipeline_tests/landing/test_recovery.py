"""`orders-pipeline recover`: a ledger from an older backup, completed from the lake to the cent."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import s3
from orders_pipeline.landing.provenance import Origin, origin_of
from orders_pipeline.landing.recovery import Copy, to_adopt
from orders_pipeline.ledger.versions import TABLE, Entry, FileVersion, Status
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.places import client_of
from orders_pipeline_tests.support.restoration import DAY, Restoration, after_the_backup, before_the_backup, beginning

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def restoration(pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Restoration]:
    with beginning(pipeline, services, monkeypatch) as found:
        yield found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def keys(adopted: str) -> list[str]:
    """The keys that a recovery says it adopted."""
    start = "  adopted from the lake: "
    return [line.removeprefix(start).split(" (")[0] for line in adopted.splitlines() if line.startswith(start)]


@pytest.mark.parametrize("is_vacuumed", [False, True], ids=["old objects are there", "old objects are gone"])
@pytest.mark.parametrize("lake", ["folder", "s3"])
def test_a_ledger_from_a_backup_is_completed_to_the_cent(
    restoration: Restoration,
    stack: ExitStack,
    services: Path,
    monkeypatch: pytest.MonkeyPatch,
    lake: str,
    is_vacuumed: bool,
) -> None:
    if lake == "s3":
        monkeypatch.setenv("ORDERS_LAKE_URI", f"s3://{s3.bucket}/lake")
    pipeline = restoration.pipeline
    before_the_backup(restoration)
    pipeline.sync()
    restoration.assert_exact()
    backup = stack.enter_context(restoration.backup())
    after_the_backup(restoration)
    restoration.assert_exact()
    if is_vacuumed:
        restoration.lose_what_counts_no_more()

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    assert call("vacuum").exit_code == 0  # marks what the restored ledger does not name
    recovered = call("recover")

    assert recovered.exit_code == 0, recovered.output
    expected = ["landing/a.csv", "landing/c.csv", "landing/new.csv", "landing/worse.csv"]
    assert sorted(keys(recovered.output)) == expected
    synced = pipeline.sync()
    assert synced.is_complete, synced
    restoration.assert_exact()
    assert not [check for check, said in synced.failed_checks.items() if said.startswith("ERROR")]

    counting = pipeline.query("SELECT * FROM ledger.landed_files ORDER BY id")
    again = call("recover")
    assert again.exit_code == 0
    assert "Nothing to recover" in again.output
    assert pipeline.query("SELECT * FROM ledger.landed_files ORDER BY id") == counting
    assert pipeline.sync().runs == 0

    monkeypatch.setenv("ORDERS_VACUUM_AGE", "0s")
    assert call("vacuum").exit_code == 0
    assert pipeline.run("s3_arrival", tags={"orders/full_refresh": "true"}).success
    assert pipeline.sync().is_complete
    restoration.assert_exact()


def test_without_recovery_what_expired_since_the_backup_is_missing(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the tests here would notice a recovery that does nothing."""
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    backup = stack.enter_context(restoration.backup())
    assert restoration.pipeline.sync().is_complete
    restoration.expire("a.csv")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)

    assert restoration.pipeline.sync().is_complete
    assert restoration.pipeline.revenue() == {}
    assert keys(call("recover").output) == ["landing/a.csv"]
    assert restoration.pipeline.sync().is_complete
    assert restoration.pipeline.revenue() == {DAY: ("1.10", 1)}


def test_what_was_retracted_before_the_backup_stays_so_and_what_was_retracted_after_it_is_spoken_of(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = restoration.land("before.csv", f"1,ann,1.00,{DAY}"), "landing/after.csv"
    restoration.pipeline.sync()
    assert call("retract", before).exit_code == 0
    backup = stack.enter_context(restoration.backup())
    restoration.land("after.csv", f"2,ann,2.00,{DAY}")
    restoration.pipeline.sync()
    assert call("retract", after).exit_code == 0
    restoration.expire("before.csv", "after.csv")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    recovered = call("recover")

    assert keys(recovered.output) == [after]
    assert "Repeat any retraction that you made after the backup" in recovered.output
    restoration.pipeline.sync()
    assert restoration.pipeline.revenue() == {DAY: ("2.00", 1)}
    assert call("retract", after).exit_code == 0
    restoration.pipeline.sync()
    assert restoration.pipeline.revenue() == {}


def test_files_validated_for_another_time_zone_are_revalidated(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = stack.enter_context(restoration.backup())
    restoration.land("a.csv", f"1,ann,1.10,{DAY}T23:30:00Z")
    restoration.pipeline.sync()
    restoration.expire("a.csv")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")

    assert call("recover").exit_code == 0
    assert restoration.pipeline.sync().is_complete
    assert restoration.pipeline.revenue() == {"2026-03-05": ("1.10", 1)}


@pytest.mark.parametrize("damage", ["footer", "rows"])
def test_a_damaged_object_is_named_and_the_version_before_it_counts(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    restoration.land("a.csv", f"1,ann,9.99,{DAY}")
    restoration.pipeline.sync()
    restoration.expire("a.csv")
    ((path,),) = restoration.pipeline.query("SELECT path FROM ledger.landed_files WHERE active")
    lying = Path(s3.lake().uri) / str(path)
    content = lying.read_bytes()
    lying.write_bytes(content[:-9] if damage == "footer" else content[:4] + bytes(300) + content[304:])

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    recovered = call("recover")

    assert recovered.exit_code == 1
    assert f"damaged {path}" in recovered.output
    assert restoration.pipeline.sync().is_complete
    assert restoration.pipeline.revenue() == {DAY: ("1.10", 1)}


def test_a_file_whose_object_is_gone_is_found_in_another_object_or_on_s3_or_said_to_be_lost(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the backup the rules were raised: files were judged again, into objects that it does not know."""
    for number, name in enumerate(["lake.csv", "landed.csv", "lost.csv"]):
        restoration.land(name, f"{number},ann,1.0{number},{DAY}")
    restoration.change_table("INSERT INTO orders VALUES ('t', 'eve', 5, '2026-03-06')")
    restoration.pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    with monkeypatch.context() as newer:
        newer.setitem(CODE_VERSIONS, "raw_orders", CODE_VERSIONS["raw_orders"] + 1)
        restoration.pipeline.sync()
    restoration.lose_what_counts_no_more()
    restoration.expire("lake.csv", "lost.csv")
    for (path,) in restoration.pipeline.query("SELECT path FROM ledger.landed_files WHERE key <> 'landing/lake.csv'"):
        s3.lake().delete(path)

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    recovered = call("recover")

    assert recovered.exit_code == 1
    assert keys(recovered.output) == ["landing/lake.csv"]
    assert "object missing, will be read again: landing/landed.csv" in recovered.output
    assert "object missing, will be read again: table:orders/2026-03-06" in recovered.output
    assert "lost landing/lost.csv" in recovered.output
    assert call("retract", "landing/lost.csv").exit_code == 0
    assert restoration.pipeline.sync().is_complete
    assert restoration.pipeline.revenue() == {DAY: ("2.01", 2), "2026-03-06": ("5.00", 1)}


def test_a_file_whose_object_is_gone_and_whose_newer_version_cannot_be_read_is_said_to_be_lost(
    restoration: Restoration,
) -> None:
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    restoration.land_bytes("a.csv", b"nonsense\n")
    restoration.pipeline.sync()
    ((path,),) = restoration.pipeline.query("SELECT path FROM ledger.landed_files WHERE active")
    s3.lake().delete(path)

    recovered = call("recover")

    assert recovered.exit_code == 1
    assert "lost landing/a.csv" in recovered.output


def test_an_old_version_is_not_taken_up_again_by_an_object_that_is_gone(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    restoration.land("a.csv", f"1,ann,2.20,{DAY}")
    restoration.pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    restoration.lose_what_counts_no_more()
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)

    assert call("recover").exit_code == 0
    assert restoration.pipeline.sync().is_complete
    restoration.assert_exact()


def test_days_of_a_source_table_that_is_gone_are_named_and_not_adopted(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of its versions was the last, or whether the day was gone before, only the table could say."""
    restoration.change_table(f"INSERT INTO orders VALUES ('t1', 'eve', 20, '{DAY}')")
    restoration.pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    restoration.change_table("INSERT INTO orders VALUES ('t2', 'eve', 30, '2026-03-05')")
    restoration.pipeline.sync()

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    assert call("recover").exit_code == 0  # the table is there, and is asked by sync
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", "no_such_table")
    recovered = call("recover")

    assert recovered.exit_code == 1
    assert "not adopted table:orders/2026-03-05" in recovered.output
    assert DAY not in recovered.output
    restoration.pipeline.sync()
    assert restoration.pipeline.revenue() == {DAY: ("20.00", 1)}


def test_an_s3_that_does_not_answer_changes_nothing(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    before = restoration.pipeline.query("SELECT * FROM ledger.landed_files")
    for name in list(s3.lake().objects()):
        s3.lake().delete(name)
    monkeypatch.setenv("ORDERS_S3_BUCKET", "no-such-bucket")

    assert call("recover").exit_code == 2
    assert restoration.pipeline.query("SELECT * FROM ledger.landed_files") == before


def version(etag: str, seconds: int, key: str = "landing/a.csv") -> FileVersion:
    return FileVersion("bucket", key, etag, 1, NOON + timedelta(seconds=seconds))


def copy(of: FileVersion, path: str = "", rules: int = CODE_VERSIONS["raw_orders"]) -> Copy:
    return Copy(path or of.etag, Origin(of, rules, "UTC"))


def entry(of: FileVersion, status: Status = Status.LOADED) -> Entry:
    return Entry(of, status, 0, due=True)


OLD, NEW, NEWER = version("old", 0), version("new", 5), version("newer", 9)


@pytest.mark.parametrize(
    ("copies", "history", "listed", "adopted"),
    [
        ([OLD, NEWER, NEW], [], None, [NEWER, NEW, OLD]),
        ([OLD, NEWER], [NEW], None, [NEWER]),
        ([OLD], [NEW], None, []),
        ([NEW], [NEW], None, []),
        ([version("other", 5)], [NEW], None, [version("other", 5)]),  # in the same second, and not seen before
        ([NEWER], [NEWER, OLD], None, []),  # seen before an older one came back
        ([NEW, NEWER], [OLD], NEWER, []),  # sync takes it
        ([NEW], [OLD], NEWER, [NEW]),  # unless what S3 has cannot be read, this one counts
        ([NEWER], [OLD], NEW, [NEWER]),
    ],
)
def test_the_newest_version_that_the_ledger_has_not_seen_is_adopted(
    copies: list[FileVersion], history: list[FileVersion], listed: FileVersion | None, adopted: list[FileVersion]
) -> None:
    found = to_adopt([copy(of) for of in copies], [entry(of) for of in history], listed, "UTC")

    assert [one.version for one in found] == adopted


@pytest.mark.parametrize(
    ("status", "listed", "is_adopted"),
    [
        (Status.FAILING, None, True),  # it was in hand when the backup was made
        (Status.FAILING, NEW, False),  # sync takes it
        (Status.QUARANTINED, None, True),  # it was read after a retry
        (Status.QUARANTINED, NEW, True),  # sync would leave it there
        (Status.IGNORED, None, False),  # retracted, or dismissed by hand
        (Status.LOADED, None, False),
    ],
)
def test_of_the_version_that_the_ledger_saw_last_its_status_decides(
    status: Status, listed: FileVersion | None, is_adopted: bool
) -> None:
    assert bool(to_adopt([copy(NEW)], [entry(OLD), entry(NEW, status)], listed, "UTC")) is is_adopted


def test_of_several_copies_of_a_version_one_validated_by_todays_rules_is_preferred() -> None:
    copies = [copy(NEW, "z", rules=0), copy(NEW, "b"), copy(NEW, "a")]

    assert [one.path for one in to_adopt(copies, [], None, "UTC")] == ["b", "a", "z"]


def test_an_object_says_what_it_was_made_of_and_others_say_nothing() -> None:
    table_day = FileVersion(TABLE, "table:orders/none", "3:4", 3, datetime(1, 1, 1, tzinfo=UTC))
    for origin in (Origin(NEW, 1, "UTC"), Origin(table_day, 2, "Europe/Berlin")):
        assert origin_of(origin.as_metadata()) == origin
    for said in ({}, {"orders": "{"}, {"orders": "[]"}, {"orders": "{}"}, {"orders": '{"last_modified": "soon"}'}):
        assert origin_of(said) is None


def test_a_recovered_file_is_safe_from_a_vacuum_that_had_marked_it(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = stack.enter_context(restoration.backup())
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    restoration.expire("a.csv")
    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)

    assert "3 of them newly marked" in call("vacuum").output
    assert call("recover").exit_code == 0
    monkeypatch.setenv("ORDERS_VACUUM_AGE", "0s")  # as if the marks were old by now
    assert call("vacuum").output.startswith("2 objects deleted; 1 are in use")

    assert restoration.pipeline.sync().is_complete
    restoration.assert_exact()


def test_recovering_a_pipeline_that_lacks_nothing_changes_nothing(pipeline: Pipeline, services: Path) -> None:
    assert client_of(services).list_objects_v2(Bucket=s3.bucket)["KeyCount"] == 0
    pipeline.land_rows("a.csv", f"1,ann,1.10,{DAY}")
    pipeline.sync()
    before = pipeline.query("SELECT * FROM ledger.landed_files"), pipeline.built("cleaned_orders")

    recovered = call("recover")

    assert recovered.exit_code == 0
    assert "Nothing to recover" in recovered.output
    assert (pipeline.query("SELECT * FROM ledger.landed_files"), pipeline.built("cleaned_orders")) == before
