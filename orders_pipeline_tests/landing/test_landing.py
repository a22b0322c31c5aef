"""What becomes of objects that land: loaded, replaced, set aside, tried again; each once."""

import errno
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Connection

from orders_pipeline import run_tags
from orders_pipeline.cli.main import main
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.errors import ObjectChangedError, QuarantineError, ServiceUnavailableError
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.ingest import ingesting
from orders_pipeline.ledger import active, entries, files, staleness
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.resources import S3Resource
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline_tests.support.driver import HEADER, Pipeline, gzipped
from orders_pipeline_tests.support.places import new_bucket

DAY = "2026-03-04"
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def statuses(pipeline: Pipeline) -> dict[str, tuple[str, str | None]]:
    rows = pipeline.query("SELECT key, status, reason FROM ledger.landed_files ORDER BY id")
    return {key: (status, reason) for key, status, reason in rows}


def test_an_overwrite_replaces_all_that_the_old_version_brought(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-05", "3,,1,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv", "1,ann,5.00,2026-03-06")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-06": ("5.00", 1)}
    assert pipeline.spend() == {("2026-03-06", "ann"): "5.00"}
    assert pipeline.rejected() == []


def test_a_header_alone_takes_a_file_back(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {}
    assert pipeline.orders() == {}


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", "ignored"), (gzipped(HEADER.encode())[:-5], "quarantined"), (b"nonsense\n", "quarantined")],
)
def test_a_version_that_cannot_be_read_leaves_the_last_readable_one_in_place(
    pipeline: Pipeline, content: bytes, status: str
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04")
    pipeline.sync()
    key = pipeline.land("a.csv", content)

    assert pipeline.sync().is_complete
    assert statuses(pipeline)[key][0] == status
    assert pipeline.revenue() == {DAY: ("3.00", 2)}
    assert pipeline.sync().runs == 0


def test_a_key_in_another_bucket_is_another_file(
    pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute("UPDATE ledger.landed_files SET last_modified = last_modified - interval '1 minute'")
    monkeypatch.setenv("ORDERS_S3_BUCKET", new_bucket(services))
    pipeline.land_rows("a.csv", "1,ann,3.00,2026-03-05", "2,,5.00,2026-03-05")
    pipeline.sync()

    assert pipeline.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"}).success
    assert pipeline.revenue() == {"2026-03-05": ("3.00", 1)}
    assert len(pipeline.query("SELECT DISTINCT bucket FROM analytics.rejected_orders")) == 2
    assert len(pipeline.rejected()) == 2


def test_a_bad_file_blocks_no_other(pipeline: Pipeline) -> None:
    bad = pipeline.land("a-bad.csv", b"order_id,amount\n1,2\n")
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-04")

    synced = pipeline.sync()

    assert synced.is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    (aside,) = pipeline.status().quarantined
    assert (aside.key, aside.reason) == (bad, "column_missing")
    assert "customer_id, order_date" in aside.message
    assert bad in synced.failed_checks["landed_files_are_readable"]


def test_the_same_bytes_under_another_key_count_once(pipeline: Pipeline) -> None:
    for key in ("a.csv", "b.csv"):
        pipeline.land_rows(key, "1,ann,1.00,2026-03-04")
        pipeline.sync()

    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_the_same_bytes_again_under_the_same_key_rebuild_nothing(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    before = {asset: pipeline.built(asset) for asset in ("cleaned_orders", "daily_orders", "daily_revenue")}
    # As if S3 had taken the new upload a day later.
    pipeline.execute("UPDATE ledger.landed_files SET last_modified = last_modified - interval '1 day'")
    assert pipeline.status().pending == [key]

    assert pipeline.sync().is_complete
    assert {asset: pipeline.built(asset) for asset in before} == before


def test_renewed_bytes_win_again_where_another_file_had_won(pipeline: Pipeline) -> None:
    # z.csv is the later one, whether or not both landed within one second: then the key decides.
    pipeline.land_rows("a.csv", "1,ann,9.00,2026-03-05")
    pipeline.land_rows("z.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-08")
    pipeline.sync()
    pipeline.execute(
        "UPDATE ledger.landed_files SET last_modified = last_modified - interval '2 day' WHERE key LIKE '%z.csv'"
    )
    pipeline.execute(
        "UPDATE ledger.landed_files SET last_modified = last_modified - interval '1 day' WHERE key LIKE '%a.csv'"
    )
    pipeline.execute("UPDATE ledger.order_days SET version = version + 1")
    # Both are pending now; only a.csv is taken, so that it is the later one.
    config = {"ops": {"raw_orders": {"config": {"s3_keys": ["landing/a.csv"]}}}}
    assert pipeline.run("s3_arrival", config=config).success
    assert pipeline.revenue() == {"2026-03-05": ("9.00", 1), "2026-03-08": ("1.00", 1)}

    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1), "2026-03-08": ("1.00", 1)}


def test_an_order_that_moves_to_another_day_leaves_the_old_one(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,2.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("c.csv", "9,bob,2.00,2026-03-10")
    pipeline.sync()
    tables = ("cleaned_orders", "daily_revenue", "daily_orders", "daily_revenue_partitioned")
    untouched = {table: pipeline.built(table)["2026-03-10"] for table in tables}
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-06,2027-01-01", header=f"{HEADER},updated_at")

    synced = pipeline.sync()

    assert pipeline.revenue() == {DAY: ("2.00", 1), "2026-03-06": ("1.00", 1), "2026-03-10": ("2.00", 1)}
    assert [str(day) for day in synced.rebuilt["cleaned_orders"]] == [DAY, "2026-03-06"]
    assert {table: pipeline.built(table)["2026-03-10"] for table in tables} == untouched


@pytest.mark.parametrize("shared", ["7", "9", "10", "55", "a"])
def test_files_that_share_an_order_know_of_each_other_by_its_id(pipeline: Pipeline, shared: str) -> None:
    """Whichever end of the ids of a file it lies at, bytewise or by length."""
    rows = [f"{id_},ann,1.00,2026-03-04" for id_ in ("9", "10", "55", "7", "a")]
    pipeline.land_rows("a.csv", *rows)
    pipeline.sync()
    pipeline.land_rows("b.csv", f"{shared},ann,2.00,2026-03-05")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("4.00", 4), "2026-03-05": ("2.00", 1)}


def test_which_files_share_an_order_is_known_exactly_whatever_other_columns_they_have(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-04,web", "3,ann,1.00,2026-03-04,web", header=f"{HEADER},channel")
    pipeline.land_rows(
        "c.csv", "0,bob,1.00,2026-03-04,2027-01-01", "4,bob,1.00,2026-03-04,", header=f"{HEADER},updated_at"
    )
    pipeline.sync()

    shared = pipeline.query(
        "SELECT one.key, other.key FROM ledger.shared_orders pair JOIN ledger.landed_files one ON one.path = pair.path"
        " JOIN ledger.landed_files other ON other.path = pair.other WHERE one.key < other.key"
    )
    assert [tuple(pair) for pair in shared] == [("landing/a.csv", "landing/b.csv")]


def test_an_order_falls_back_to_its_earlier_row_when_its_correction_is_taken_back(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,7.00,2026-03-06,2027-01-01", header=f"{HEADER},updated_at")
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-06": ("7.00", 1)}
    pipeline.land_rows("b.csv", header=f"{HEADER},updated_at")
    pipeline.sync()

    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_an_object_that_disappears_retracts_nothing(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.remove("a.csv")

    assert pipeline.sync().runs == 0
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_orders_of_tomorrow_wait_and_are_counted(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2199-01-01", "3,ann,1.00,2025-12-31")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    assert [str(day) for day in pipeline.status().out_of_range_days] == ["2025-12-31", "2199-01-01"]


def test_a_file_that_is_mostly_unreadable_is_quarantined_whole(pipeline: Pipeline) -> None:
    good = [f"{n},ann,1.00,2026-03-04" for n in range(10)]
    pipeline.land_rows("a.csv", *good, *(f"x{n},ann,one,2026-03-04" for n in range(11)))
    pipeline.land_rows("b.csv", *(f"y{n},,1.00,2026-03-04" for n in range(40)), "99,ann,1.00,2026-03-04")
    pipeline.sync()

    assert statuses(pipeline)["landing/a.csv"] == ("quarantined", "mostly_unreadable")
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    assert len(pipeline.rejected()) == 40


@pytest.mark.parametrize(
    "key", ["with space.csv", "plus+and%41.csv", "ünï©ode/日本.csv", "'; drop table orders; --.csv"]
)
def test_odd_keys_are_kept_exactly(pipeline: Pipeline, key: str) -> None:
    whole = pipeline.land_rows(key, "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    pipeline.sync()

    assert statuses(pipeline) == {whole: ("loaded", None)}
    assert pipeline.rejected()[0][0] == whole
    assert pipeline.sync().runs == 0


def test_only_the_keys_that_a_run_names_are_taken(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    key = pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04")
    config = {"ops": {"raw_orders": {"config": {"s3_keys": [key, "landing/never-was.csv"]}}}}

    assert pipeline.run("s3_arrival", config=config).success
    assert statuses(pipeline) == {key: ("loaded", None)}


def test_a_key_outside_the_landing_zone_is_refused_by_name(pipeline: Pipeline) -> None:
    result = pipeline.run("s3_arrival", config={"ops": {"raw_orders": {"config": {"s3_keys": ["secret/x.csv"]}}}})

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "secret/x.csv" in str(failure.step_failure_data.error)


def test_retract_takes_a_file_out_until_a_new_version_lands(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,bob,2.00,2026-03-04")
    pipeline.sync()

    retracted = CliRunner().invoke(main, ["retract", key])
    assert retracted.exit_code == 0
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("2.00", 1)}

    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("3.50", 2)}


def test_retry_takes_a_quarantined_file_once_its_cause_is_mended(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise QuarantineError("bug", "the code was wrong")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(raw_objects, "write_object", refuse)
        pipeline.sync()
    assert pipeline.sync().runs == 0

    assert CliRunner().invoke(main, ["retry", key]).exit_code == 0
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    again = CliRunner().invoke(main, ["retry", key])
    assert again.exit_code == 2
    assert key in again.output


def test_an_unknown_error_is_tried_again_a_bounded_number_of_times(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(_lake: object, _file: Path, version: FileVersion, _zone: str) -> None:
        tried.append(version.key)
        raise RuntimeError("boom")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    monkeypatch.setattr(raw_objects, "write_object", fail)
    for _ in range(files.MAX_ATTEMPTS + 2):
        synced = pipeline.sync()
        pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now() WHERE next_attempt IS NOT NULL")

    assert len(tried) == files.MAX_ATTEMPTS
    assert statuses(pipeline) == {key: ("quarantined", "gave_up")}
    assert synced.is_complete


def test_a_failing_file_waits_its_turn_and_is_no_success(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    monkeypatch.setattr(raw_objects, "write_object", fail)

    synced = pipeline.sync()

    assert not synced.is_complete
    assert [file.version.key for file in synced.failing] == [key]
    (shown,) = pipeline.status().failing
    assert "boom" in shown.message
    assert shown.attempts == 1
    assert pipeline.status().pending == []


def test_an_outage_of_s3_is_held_against_no_file(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise ServiceUnavailableError("S3 answered SlowDown")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "download", down)
        for _ in range(files.MAX_ATTEMPTS + 1):
            assert not pipeline.sync().is_complete

    (waiting,) = pipeline.status().failing
    assert (waiting.key, waiting.reason) == (key, "outage")
    assert pipeline.query("SELECT attempts FROM ledger.landed_files") == [(0,)]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def terminated(connection: Connection, *_: object) -> None:
    with connection.engine.connect() as other:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    connection.exec_driver_sql("SELECT 1")


def deadlocked(connection: Connection, *_: object) -> None:
    connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")


def unreadable(*_: object) -> None:
    raise OSError("object-store error: 503")


@pytest.mark.parametrize(
    ("where", "name", "fails"),
    [(files, "activate", terminated), (files, "activate", deadlocked), (raw_objects, "days_elsewhere", unreadable)],
)
def test_an_outage_at_the_commit_is_held_against_no_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, where: object, name: str, fails: object
) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(where, name, fails)
        for _ in range(files.MAX_ATTEMPTS + 1):
            assert not pipeline.sync().is_complete

    (waiting,) = pipeline.status().failing
    assert (waiting.key, waiting.reason) == (key, "outage")
    assert pipeline.query("SELECT attempts FROM ledger.landed_files") == [(0,)]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_an_object_that_s3_will_not_hand_out_blocks_no_other(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another file nor the source table."""
    frozen = pipeline.land_rows("frozen.csv", "1,ann,1.00,2026-03-04")
    download = S3Resource.download

    def refuse(resource: S3Resource, version: FileVersion, target: Path) -> None:
        if version.key == frozen:
            raise ServiceUnavailableError("S3 answered InvalidObjectState")
        download(resource, version, target)

    monkeypatch.setattr(S3Resource, "download", refuse)

    pipeline.execute(
        "CREATE TABLE orders AS SELECT '3' order_id, 'ann' customer_id, 3.00 amount, date '2026-03-04' order_date"
    )
    assert pipeline.run("s3_arrival").success
    assert pipeline.revenue() == {DAY: ("3.00", 1)}

    pipeline.land_rows("a.csv", "2,ann,2.00,2026-03-04")
    assert pipeline.run("s3_arrival").success
    assert pipeline.revenue() == {DAY: ("5.00", 2)}
    assert pipeline.status().failing[0].key == frozen


def test_a_file_whose_readers_all_died_is_given_up_without_another_try(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    version = s3.current(key)
    assert version is not None
    for _ in range(files.MAX_ATTEMPTS):
        with postgres.ledger().begin() as transaction:
            files.claim(transaction, [version], "a run that died")
    pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now()")

    assert pipeline.sync().is_complete
    assert statuses(pipeline) == {key: ("quarantined", "gave_up")}


def test_a_failing_file_that_is_deleted_is_forgotten(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    version = s3.current(key)
    assert version is not None
    with postgres.ledger().begin() as transaction:
        files.claim(transaction, [version], "a run that died")
    pipeline.remove("a.csv")

    assert pipeline.sync().is_complete
    assert statuses(pipeline) == {}


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04\x00\x00 a spreadsheet", HEADER.encode("utf-16-le") + b"\n\x00", HEADER.encode() + b",Gr\xf6\xdfe\n"],
    ids=["zip", "utf-16", "cp1252"],
)
def test_a_header_of_any_bytes_is_quarantined_and_its_neighbours_load(pipeline: Pipeline, content: bytes) -> None:
    bad = pipeline.land("bad.csv", content)
    pipeline.land_rows("good.csv", "1,ann,1.00,2026-03-04")

    assert pipeline.sync().is_complete
    assert statuses(pipeline)[bad][0] == "quarantined"
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_a_quarantined_file_can_be_dismissed(pipeline: Pipeline) -> None:
    key = pipeline.land("bad.csv", b"nonsense\n")
    pipeline.sync()

    assert CliRunner().invoke(main, ["retract", key]).exit_code == 0
    assert pipeline.status().quarantined == []
    assert pipeline.sync().runs == 0


def test_a_lost_object_is_named_and_its_file_can_be_read_again(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files")
    s3.lake().delete(path)
    pipeline.execute("UPDATE ledger.order_days SET version = version + 1")

    synced = pipeline.sync()
    assert not synced.is_complete
    assert key in " ".join(synced.errors.values())

    assert CliRunner().invoke(main, ["retry", key]).exit_code == 0
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_a_lost_file_that_s3_has_no_more_can_be_retracted(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,2.00,2026-03-04")
    pipeline.sync()
    s3.lake().delete(str(pipeline.query("SELECT path FROM ledger.landed_files WHERE key = :k", k=key)[0][0]))
    pipeline.remove("a.csv")
    pipeline.execute("UPDATE ledger.order_days SET version = version + 1")
    assert not pipeline.sync().is_complete

    assert CliRunner().invoke(main, ["retract", key]).exit_code == 0
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("2.00", 1)}


@pytest.mark.parametrize("damage", [None, b"PAR1 no more"])
def test_an_object_that_the_lake_has_lost_blocks_no_arrival(pipeline: Pipeline, damage: bytes | None) -> None:
    """Not even of a file that shares an order with it: then more days than needed are touched."""
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-05")
    pipeline.sync()
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files")
    lost = Path(s3.lake().uri) / str(path)
    lost.unlink()
    if damage:
        lost.write_bytes(damage)
    pipeline.land_rows("b.csv", "1,ann,3.00,2026-03-06")
    pipeline.land_rows("c.csv", "9,ann,9.00,2026-03-07")
    pipeline.sync()

    assert statuses(pipeline) == dict.fromkeys((key, "landing/b.csv", "landing/c.csv"), ("loaded", None))
    assert [str(day) for day in pipeline.stale("cleaned_orders")] == [DAY, "2026-03-05", "2026-03-06", "2026-03-07"]

    with postgres.ledger().begin() as transaction:
        files.reread(transaction, s3.bucket, key)
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("2.00", 1), "2026-03-06": ("3.00", 1), "2026-03-07": ("9.00", 1)}


def test_a_lost_object_blocks_no_revalidation(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04T23:30:00Z")
    pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04T23:30:00Z")
    pipeline.sync()
    s3.lake().delete(str(pipeline.query("SELECT path FROM ledger.landed_files WHERE key = 'landing/a.csv'")[0][0]))
    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("3.00", 2)}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.ENOENT])
def test_a_disk_that_fails_is_held_against_no_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(raw_objects, "write_object", fail)
        for _ in range(files.MAX_ATTEMPTS + 1):
            assert not pipeline.sync().is_complete

    assert [(file.reason, file.attempts) for file in pipeline.status().failing] == [("outage", 0)]
    assert pipeline.sync().is_complete


def test_a_commit_that_fails_for_one_file_is_reported_for_that_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that takes too long each time is no outage: tried alone, it is found, and the others load."""

    def slow(connection: Connection, loaded: Sequence[ActiveFile], *others: str) -> None:
        if any(file.version.key == guilty for file in loaded):
            connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'too slow' USING ERRCODE = '57014'; END $$")
        activate(connection, loaded, *others)

    activate = files.activate
    guilty = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04")
    monkeypatch.setattr(files, "activate", slow)
    for _ in range(files.MAX_ATTEMPTS + 1):
        pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now() WHERE status = 'failing'")
        pipeline.sync()

    assert pipeline.revenue() == {DAY: ("2.00", 1)}
    (set_aside,) = pipeline.status().quarantined
    assert (set_aside.key, set_aside.reason) == (guilty, "gave_up")
    assert "too slow" in set_aside.message


def test_a_built_day_whose_object_is_lost_is_rebuilt(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    for path in pipeline.query("SELECT path FROM ledger.built_days WHERE path IS NOT NULL"):
        s3.lake().delete(str(path[0]))
    pipeline.execute("DELETE FROM ledger.built_days WHERE path IS NULL")

    assert pipeline.sync().is_complete
    assert pipeline.orders() == pipeline.orders("daily_orders") == {"1": ("ann", "1.00", "2026-03-04 00:00:00")}


def test_ten_thousand_files_are_not_too_many_for_one_statement(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute(
        "INSERT INTO ledger.landed_files"
        " (bucket, key, etag, size, last_modified, status, active, rows, clean_rows, days, path, rules, zone)"
        " SELECT bucket, key || n, etag, size, last_modified, status, active, 0, 0, '{}', path, rules, zone"
        " FROM ledger.landed_files, generate_series(1, 10000) n"
    )

    assert pipeline.run("s3_arrival", assets=["rejected_orders"]).success
    assert pipeline.query("SELECT count(*) FROM ledger.built_files") == [(10_001,)]


def test_an_object_that_changes_between_list_and_get_is_loaded_as_it_is_then(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    download = S3Resource.download
    changed = []

    def change_first(resource: S3Resource, version: FileVersion, target: Path) -> None:
        if not changed:
            pipeline.land_rows("a.csv", "1,ann,8.00,2026-03-05")
            changed.append(version)
        download(resource, version, target)

    monkeypatch.setattr(S3Resource, "download", change_first)

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("8.00", 1)}
    assert pipeline.query("SELECT count(*) FROM ledger.landed_files") == [(1,)]


def test_a_short_body_is_an_outage(pipeline: Pipeline, tmp_path: Path) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    listed = s3.current(key)
    assert listed is not None
    longer = FileVersion(listed.bucket, listed.key, listed.etag, listed.size + 1, listed.last_modified)

    with pytest.raises(ServiceUnavailableError, match="bytes"):
        s3.download(longer, tmp_path / "spool")


def test_the_download_is_of_the_listed_version_or_none(pipeline: Pipeline, tmp_path: Path) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    listed = s3.current(key)
    assert listed is not None
    pipeline.land_rows("a.csv", "1,ann,2.00,2026-03-04")

    with pytest.raises(ObjectChangedError):
        s3.download(listed, tmp_path / "spool")


def test_a_process_that_dies_with_a_file_in_hand_leaves_it_to_be_tried_again(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    version = s3.current(key)
    assert version is not None
    with postgres.ledger().begin() as transaction:
        files.claim(transaction, [version], "a run that died")

    assert pipeline.status().pending == []  # for a while
    assert [file.reason for file in pipeline.status().failing] == ["interrupted"]
    pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now()")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_files_in_the_hands_of_another_are_not_waited_for_by_who_would_try_them_at_once(pipeline: Pipeline) -> None:
    """Two that wait for each other's rows would be a deadlock."""
    versions = [s3.current(pipeline.land_rows(name, "1,ann,1.00,2026-03-04")) for name in ("a.csv", "b.csv")]
    held, free = (version for version in versions if version is not None)
    with postgres.ledger().begin() as transaction:
        files.claim(transaction, [held, free], "a run that died")

    with postgres.ledger().begin() as holder, postgres.ledger().begin() as asking:
        files.claim(holder, [held], "a run at work")
        asking.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        files.end_backoff(asking)
        assert [entry.version for entry in entries.failing(asking, held.bucket) if entry.due] == [free]


def test_several_files_are_locked_in_order_by_who_keeps_a_table_of_them(pipeline: Pipeline) -> None:
    """Two that take them in different orders would each wait for the other."""
    for name in ("b.csv", "a.csv"):  # as they lie in the table
        pipeline.land_rows(name, f"{name},ann,1.00,2026-03-04")
        pipeline.sync()
    with postgres.ledger().begin() as transaction:
        first, second = sorted(active.all_files(transaction), key=lambda file: file.version)
    failed: list[Exception] = []

    def mark_both() -> None:
        try:
            with postgres.ledger().begin() as transaction:
                active.commit_files(transaction, "rejected_orders", [second, first], [], "a run")
        except Exception as error:  # a deadlock may end either side
            failed.append(error)

    other = Thread(target=mark_both)
    with postgres.ledger().begin() as transaction:
        files.activate(transaction, [first], "UTC", "another run")
        other.start()
        while not pipeline.query(WAITS):
            assert other.is_alive()
        files.activate(transaction, [second], "UTC", "another run")
    other.join(30)
    assert failed == []


def test_a_file_and_the_days_that_it_touches_are_committed_together(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(staleness, "bump_versions", fail)
        assert not pipeline.sync().is_complete

    assert pipeline.query("SELECT count(*) FROM ledger.landed_files WHERE active") == [(0,)]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_one_process_at_a_time_changes_which_files_count(pipeline: Pipeline) -> None:
    waits = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    entered = Event()

    def ingest() -> None:
        with ingesting(postgres.ledger(), s3.lake(), "UTC", "another run", logging.getLogger(__name__)):
            entered.set()

    with ingesting(postgres.ledger(), s3.lake(), "UTC", "one run", logging.getLogger(__name__)):
        other = Thread(target=ingest)
        other.start()
        while pipeline.query(waits) != [(1,)]:
            assert not entered.wait(0.05)
    other.join(30)
    assert entered.is_set()


def test_files_validated_by_older_rules_are_revalidated(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04T23:30:00Z", "2,ann,x,2026-03-04")
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("1.00", 1)}

    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")

    assert not pipeline.status().is_current
    assert not pipeline.run("s3_arrival", assets=["cleaned_orders"]).success  # nothing is built from a mixture

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("1.00", 1)}
    assert pipeline.spend() == {("2026-03-05", "ann"): "1.00"}
    assert len(pipeline.rejected()) == 1
    assert pipeline.sync().runs == 0


def test_an_older_release_takes_nothing_back_that_a_newer_one_has_read(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside it, or after it: what it may not change is not its to do, or it would be asked for at every tick."""
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,x,2026-03-04")
    with monkeypatch.context() as newer:
        for table in list(CODE_VERSIONS):
            newer.setitem(CODE_VERSIONS, table, CODE_VERSIONS[table] + 1)
        pipeline.sync()
    assert CliRunner().invoke(main, ["retract", key]).exit_code == 0

    assert pipeline.sync().runs == 0
    assert len(pipeline.rejected()) == 1

    with monkeypatch.context() as newer:
        for table in list(CODE_VERSIONS):
            newer.setitem(CODE_VERSIONS, table, CODE_VERSIONS[table] + 1)
        assert pipeline.sync().is_complete
    assert pipeline.rejected() == []
    assert pipeline.revenue() == {}
