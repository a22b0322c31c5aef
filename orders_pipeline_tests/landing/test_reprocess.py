"""Files that are active and due to be read again, and unrecoverable files."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import s3
from orders_pipeline.errors import ObjectChangedError, ServiceUnavailableError
from orders_pipeline.resources import S3Resource
from orders_pipeline.sensors import s3_arrival_sensor, stale_days_sensor
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import tick

DAY, OTHER = "2026-03-04", "2026-03-05"


def call(*arguments: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output


def object_of(pipeline: Pipeline, key: str) -> str:
    """The name of the object that counts for a key."""
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files WHERE key = :key AND active", key=key)
    return str(path)


def damage(pipeline: Pipeline, key: str, content: bytes | None) -> None:
    """Put other bytes in the place of a key's object; without any, remove it."""
    path = Path(s3.lake().uri) / object_of(pipeline, key)
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def let_it_have_landed(pipeline: Pipeline, key: str, earlier: timedelta = timedelta(0)) -> None:
    """Have the ledger believe that a file landed when S3 says it did, or so much earlier."""
    here = s3.current(key)
    assert here is not None
    pipeline.execute(f"UPDATE ledger.landed_files SET last_modified = '{here.last_modified - earlier}'")


def gone(*_: object) -> None:
    raise ObjectChangedError("It is gone.")


def test_a_file_that_landed_before_with_the_same_bytes_is_read_again(pipeline: Pipeline) -> None:
    for amount in ("1.00", "2.00", "1.00"):
        key = pipeline.land_rows("a.csv", f"1,ann,{amount},{DAY}")
        pipeline.sync()
        pipeline.execute("UPDATE ledger.landed_files SET last_modified = last_modified - interval '1 minute'")
    pipeline.execute("UPDATE ledger.landed_files SET last_modified = last_modified + interval '1 minute' WHERE active")
    before = object_of(pipeline, key)

    call("retry", "--loaded", key)

    assert pipeline.sync().is_complete
    assert object_of(pipeline, key) != before
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_a_day_of_the_source_table_is_read_again(pipeline: Pipeline) -> None:
    pipeline.execute(f"CREATE TABLE orders AS SELECT '1' order_id, 'ann' customer_id, 1.00 amount, '{DAY}' order_date")
    pipeline.sync()
    before = object_of(pipeline, f"table:orders/{DAY}")

    call("retry", "--loaded", f"table:orders/{DAY}")

    assert pipeline.sync().is_complete
    assert object_of(pipeline, f"table:orders/{DAY}") != before


def test_an_outage_does_not_end_the_wish_to_read_a_file_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    before = object_of(pipeline, key)
    call("retry", "--loaded", key)

    def fail(*_: object) -> None:
        raise ServiceUnavailableError("S3 is away")

    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "download", fail)
        assert not pipeline.sync().is_complete

    assert pipeline.sync().is_complete
    assert object_of(pipeline, key) != before


def test_a_file_that_leaves_s3_before_it_is_read_again_counts_as_it_was_read(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    call("retry", "--loaded", key)
    pipeline.remove("a.csv")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    assert pipeline.status().failing == []


def test_a_retry_of_a_file_that_is_empty_by_now_says_that_it_reads_nothing(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    pipeline.land("a.csv", b"")  # ignored: the version before it counts
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("1.00", 1)}

    done = CliRunner().invoke(main, ["retry", "--loaded", key])

    assert done.exit_code != 0
    assert "pending again" not in done.output


@pytest.mark.parametrize("content", [None, b"PAR1 no more"])
def test_an_unrecoverable_file_is_quarantined_and_other_days_still_build(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    lost = pipeline.land_rows("a.csv", f"1,ann,1.00,{OTHER}T12:00:00")
    pipeline.land_rows("b.csv", f"2,ann,2.00,{DAY}T12:00:00")
    pipeline.sync()
    damage(pipeline, lost, content)
    pipeline.remove("a.csv")
    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")  # so that all files are judged again
    pipeline.land_rows("c.csv", "3,ann,3.00,2026-03-06T12:00:00")

    synced = pipeline.sync()

    assert synced.left.reprocess == []
    ((key, reason, message),) = [(file.key, file.reason, file.message) for file in pipeline.status().quarantined]
    assert (key, reason) == (lost, "lost")
    assert lost in message
    assert "`orders-pipeline retract KEY`" in message
    assert synced.errors == {}
    assert lost in synced.failed_checks["no_order_is_lost"]
    assert lost in str(synced.left.unrecoverable)

    built = {DAY: ("2.00", 1), "2026-03-06": ("3.00", 1)}
    assert pipeline.revenue() == {OTHER: ("1.00", 1), **built}  # no other day waits
    assert {day for day, _ in pipeline.spend()} == {OTHER, *built}
    for asset in ("cleaned_orders", "daily_orders"):
        assert [str(day) for day in pipeline.stale(asset)] == [OTHER]
    assert not pipeline.run("stale_days", partition=OTHER).success
    assert "settled" in str(tick(pipeline, s3_arrival_sensor).skip_message)
    assert tick(pipeline, stale_days_sensor).skip_message == "No day is stale."

    call("retract", lost)
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == built


@pytest.mark.parametrize("is_as_it_was", [False, True], ids=["uploaded again", "undeleted"])
def test_what_was_lost_for_good_counts_again_when_it_lands_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, is_as_it_was: bool
) -> None:
    lost = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T12:00:00")
    pipeline.sync()
    damage(pipeline, lost, None)
    pipeline.remove("a.csv")
    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")
    pipeline.sync()
    assert [file.reason for file in pipeline.status().quarantined] == ["lost"]

    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T12:00:00")
    let_it_have_landed(pipeline, lost, timedelta(0) if is_as_it_was else timedelta(days=1))

    assert pipeline.sync().is_complete
    assert pipeline.status().quarantined == []
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_an_attempt_that_was_cut_short_does_not_count_against_a_lost_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T12:00:00")
    pipeline.sync()
    damage(pipeline, lost, None)
    call("retry", "--loaded", lost)
    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "download", gone)
        pipeline.sync()
    pipeline.remove("a.csv")
    pipeline.sync()
    assert [file.reason for file in pipeline.status().quarantined] == ["lost"]

    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T12:00:00")
    let_it_have_landed(pipeline, lost)

    assert pipeline.sync().is_complete
    assert pipeline.status().quarantined == []
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_what_is_lost_and_cannot_be_read_again_is_not_tried_for_ever(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T12:00:00", f"2,ann,1.00,{DAY}T12:00:00")
    pipeline.sync()
    damage(pipeline, lost, None)
    call("retry", "--loaded", lost)
    monkeypatch.setenv("ORDERS_MAX_ROWS", "1")

    for _ in range(2):
        pipeline.sync()
        (aside,) = pipeline.status().quarantined
        assert (aside.reason, aside.message.count("restore "), aside.message.count("ORDERS_MAX_ROWS")) == ("lost", 1, 1)
        assert pipeline.status().pending == []


def test_what_is_lost_once_more_is_said_once(pipeline: Pipeline) -> None:
    lost = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T12:00:00")
    pipeline.sync()
    damage(pipeline, lost, None)

    for options in (["--loaded"], []):
        pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T12:00:00")
        let_it_have_landed(pipeline, lost)
        call("retry", *options, lost)
        pipeline.remove("a.csv")
        pipeline.sync()
        (aside,) = pipeline.status().quarantined
        assert (aside.reason, aside.message.count("is missing from the lake")) == ("lost", 1)


def test_what_was_lost_and_is_restored_is_revalidated_before_anything_is_built_of_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T23:30:00Z")
    pipeline.sync()
    path = Path(s3.lake().uri) / object_of(pipeline, lost)
    content = path.read_bytes()
    damage(pipeline, lost, None)
    pipeline.remove("a.csv")
    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")
    pipeline.sync()
    path.write_bytes(content)

    built = pipeline.built("cleaned_orders")
    pipeline.run("s3_arrival", assets=["cleaned_orders"])
    assert pipeline.built("cleaned_orders") == built
    assert pipeline.run("s3_arrival").success
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {OTHER: ("1.00", 1)}
    assert pipeline.status().quarantined == []


@pytest.mark.parametrize("newer", ["order_id,customer_id,order_date\n1,ann,2026-03-04\n", "\x00"])
def test_a_file_to_be_read_again_counts_on_if_a_newer_version_cannot_be_read(pipeline: Pipeline, newer: str) -> None:
    """No one can read it again: S3 has the newer one. Its raw object answers."""
    key = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    assert CliRunner().invoke(main, ["retry", "--loaded", key]).exit_code == 0
    pipeline.land("a.csv", newer)
    pipeline.land_rows("b.csv", f"2,ann,2.00,{DAY}")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("3.00", 2)}
    assert [file.key for file in pipeline.status().quarantined] == [key]
