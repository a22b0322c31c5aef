"""`orders-pipeline recover`: a ledger from an older backup, completed from the lake to the cent."""

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline, put_in_parts
from orders_pipeline_tests.support.places import client_of
from orders_pipeline_tests.support.restoration import DAY, Restoration, after_the_backup, before_the_backup, keys


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


def rank_of(pipeline: Pipeline, key: str) -> datetime:
    ((ranked_at,),) = pipeline.query("SELECT ranked_at FROM ledger.landed_files WHERE active AND key = :key", key=key)
    assert isinstance(ranked_at, datetime)
    return ranked_at


def rank_earlier(pipeline: Pipeline, key: str) -> datetime:
    """As if the bytes of a file had first landed a day before."""
    change = "UPDATE ledger.landed_files SET ranked_at = ranked_at - interval '1 day' WHERE key = :key AND active"
    pipeline.execute(change, key=key)
    return rank_of(pipeline, key)


@pytest.mark.parametrize("expires", [True, False], ids=["only the lake has it", "S3 has it too"])
def test_a_recovered_file_has_the_rank_of_its_object(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, expires: bool
) -> None:
    pipeline = restoration.pipeline
    backup = stack.enter_context(restoration.backup())
    key = restoration.land("z.csv", f"1,ann,1.00,{DAY}")
    restoration.land("a.csv", f"1,ann,2.00,{DAY}")
    pipeline.sync()
    rank = rank_earlier(pipeline, key)
    monkeypatch.setenv("ORDERS_TIMEZONE", "Asia/Kolkata")  # the objects are made anew
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("2.00", 1)}
    if expires:
        restoration.expire("z.csv")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)

    assert keys(call("recover").output) == [key]
    assert pipeline.sync().is_complete
    assert rank_of(pipeline, key) == rank
    assert pipeline.revenue() == {DAY: ("2.00", 1)}


def test_bytes_that_came_back_after_the_backup_rank_as_they_did_then(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup has these bytes as those that count, and nothing else is left of the version between."""
    pipeline = restoration.pipeline
    key = restoration.land("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    rank_earlier(pipeline, key)
    backup = stack.enter_context(restoration.backup())
    restoration.land("a.csv", f"1,ann,2.00,{DAY}")
    pipeline.sync()
    put_in_parts(key, f"{HEADER}\n1,ann,1.00,{DAY}\n".encode())
    pipeline.sync()
    rank = rank_of(pipeline, key)
    restoration.lose_what_counts_no_more()

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)

    assert keys(call("recover").output) == [key]
    assert pipeline.sync().is_complete
    assert rank_of(pipeline, key) == rank


def test_another_object_with_the_same_bytes_changes_no_rank(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = restoration.pipeline
    key = restoration.land("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    with monkeypatch.context() as newer:
        newer.setitem(CODE_VERSIONS, "raw_orders", CODE_VERSIONS["raw_orders"] + 1)
        pipeline.sync()
    restoration.lose_what_counts_no_more()
    restoration.expire("a.csv")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    rank = rank_earlier(pipeline, key)

    assert keys(call("recover").output) == [key]
    assert rank_of(pipeline, key) == rank


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


def test_a_file_that_its_source_ignores_by_now_counts_as_before(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 still has it, but the next sync does not read it."""
    pipeline = restoration.pipeline
    backup = stack.enter_context(restoration.backup())
    key = restoration.land("skip/a.csv", f"1,ann,1.10,{DAY}")
    pipeline.sync()
    pipeline.declare("[defaults]\nignore = ['*/skip/*']\n")
    assert pipeline.sync().is_complete
    restoration.assert_exact()

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)

    assert keys(call("recover").output) == [key]
    assert pipeline.sync().is_complete
    restoration.assert_exact()


@pytest.mark.parametrize("is_known", [True, False], ids=["the backup has it", "it landed since"])
def test_a_file_that_was_read_again_as_declared_still_counts_so_when_it_is_gone(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """The lake has an object of each reading, and only the later one has the ids of the tables."""
    pipeline, backups = restoration.pipeline, []
    for has_landed in (False, True):
        if has_landed:
            key = restoration.land("a.csv", f"1,ann,1.10,{DAY}")
            pipeline.sync()
        if has_landed is is_known:
            backups.append(stack.enter_context(restoration.backup()))
    for prefix in "zyxp":  # whatever the names of the objects are
        pipeline.declare(f"[defaults]\norder_id_prefix = '{prefix}-'\n")
        assert pipeline.sync().is_complete
    restoration.expire("a.csv")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backups[0])

    assert keys(call("recover").output) == [key]
    assert pipeline.sync().is_complete
    assert [*pipeline.orders()] == ["p-1"]
    assert pipeline.status().quarantined == []
    assert "adopted" not in call("recover").output
