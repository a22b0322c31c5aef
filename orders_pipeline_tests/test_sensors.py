"""Sensors ask for what is missing, once, and for nothing when all is well."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin

from orders_pipeline import run_tags, sensors
from orders_pipeline.definitions import postgres
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.ledger.locks import Lock, hold_shared
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.resources import S3Resource
from orders_pipeline.runs.in_flight import is_on_its_way, locks_of
from orders_pipeline.sensors import read_listing, s3_arrival_sensor, stale_days_sensor
from orders_pipeline_tests.support.begun import begin_run
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import run_all, tick

NEVER = float("inf")
DAY = date(2026, 3, 4)


def pages(*sizes: int) -> list[list[FileVersion]]:
    numbers = iter(range(sum(sizes)))
    return [
        [FileVersion("b", f"landing/{next(numbers):05}", "e", 1, datetime(2026, 3, 4, tzinfo=UTC)) for _ in range(size)]
        for size in sizes
    ]


def all_pending(versions: Sequence[FileVersion]) -> list[FileVersion]:
    return list(versions)


def none_pending(_: Sequence[FileVersion]) -> list[FileVersion]:
    return []


def test_a_listing_read_to_its_end_starts_over_at_the_next_tick() -> None:
    found = read_listing(pages(3, 2), all_pending, NEVER)

    assert (len(found.keys), found.cursor) == (5, None)


def test_a_run_gets_at_most_a_thousand_keys_and_the_listing_goes_on_after_the_last_of_them() -> None:
    found = read_listing(pages(700, 700, 700), all_pending, NEVER)

    assert len(found.keys) == sensors.MAX_KEYS_PER_RUN
    assert found.cursor == found.keys[-1] == "landing/00999"


def test_a_listing_that_takes_too_long_goes_on_at_the_next_tick() -> None:
    found = read_listing(pages(2, 2, 2), none_pending, deadline=-NEVER)

    assert (found.keys, found.cursor) == ([], "landing/00001")


def test_a_file_that_landed_is_asked_for_and_then_no_more(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")

    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    assert request.run_config["ops"]["raw_orders"]["config"]["s3_keys"] == [key]
    assert request.run_key is None

    assert run_all(pipeline, s3_arrival_sensor) == 1
    assert run_all(pipeline, s3_arrival_sensor) == 0
    assert "settled" in tick(pipeline, s3_arrival_sensor).skip_message
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}


def test_the_sensors_alone_bring_both_chains_up_to_date(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-06")

    assert run_all(pipeline, s3_arrival_sensor) == 1
    assert run_all(pipeline, stale_days_sensor) == 1
    assert run_all(pipeline, stale_days_sensor) == 0
    assert sorted(pipeline.spend()) == [("2026-03-04", "ann"), ("2026-03-06", "ann")]


def test_a_listing_that_took_several_ticks_starts_over_when_it_is_through(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "MAX_KEYS_PER_RUN", 2)
    for name in ("b", "c", "d"):
        pipeline.land_rows(f"{name}.csv", f"{name},ann,1.00,2026-03-04")

    cursor = None  # carried from tick to tick as the daemon does, which an empty one would not change
    for _ in range(3):
        evaluated = tick(pipeline, s3_arrival_sensor, cursor)
        for request in evaluated.run_requests:
            assert pipeline.run("s3_arrival", config=request.run_config).success
        cursor = evaluated.cursor
    assert pipeline.revenue() == {"2026-03-04": ("3.00", 3)}

    key = pipeline.land_rows("a.csv", "a,ann,1.00,2026-03-04")
    (request,) = tick(pipeline, s3_arrival_sensor, cursor).run_requests
    assert request.run_config["ops"]["raw_orders"]["config"]["s3_keys"] == [key]


def test_what_waits_for_a_run_of_everything_does_not_start_a_listing_over(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else, where a listing takes several ticks, its end would not be seen while the source table is away."""
    monkeypatch.setattr(sensors, "backoff_of", lambda *_: "later")
    monkeypatch.setattr(sensors, "read_listing", lambda *_: sensors.Listing([], "landing/half of it"))
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04T23:30:00-05:00")
    pipeline.sync()
    monkeypatch.setenv("ORDERS_TIMEZONE", "America/New_York")

    evaluated = tick(pipeline, s3_arrival_sensor)

    assert "Files to reprocess" in evaluated.skip_message
    assert evaluated.cursor.endswith("landing/half of it")


def test_a_run_takes_what_the_sensor_listed_and_does_not_look_it_up_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land("empty.csv", b"")
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    monkeypatch.setattr(S3Resource, "current", lambda _, key: pytest.fail(f"{key} was looked up"))

    assert pipeline.run("s3_arrival", config=request.run_config).success

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert pipeline.query("SELECT key, status FROM ledger.landed_files ORDER BY key") == [
        ("landing/a.csv", "loaded"),
        ("landing/empty.csv", "ignored"),
    ]
    assert run_all(pipeline, s3_arrival_sensor) == 0


@pytest.mark.parametrize("listed", ["1,ann,1.00,2026-03-04", None], ids=["orders", "an empty file"])
@pytest.mark.parametrize("now", ["2,ann,8.00,2026-03-04", None], ids=["other orders", "nothing"])
def test_what_changed_since_it_was_listed_is_looked_up(pipeline: Pipeline, listed: str | None, now: str | None) -> None:
    if listed:
        pipeline.land_rows("a.csv", listed)
    else:
        pipeline.land("a.csv", b"")
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    if now:
        pipeline.land_rows("a.csv", now)
    else:
        pipeline.remove("a.csv")

    assert pipeline.run("s3_arrival", config=request.run_config).success

    assert pipeline.revenue() == ({"2026-03-04": ("8.00", 1)} if now else {})
    assert pipeline.query("SELECT count(*) FROM ledger.landed_files") == [(1 if now else 0,)]
    assert run_all(pipeline, s3_arrival_sensor) == 0


def test_bytes_that_are_known_count_only_if_s3_still_holds_them(pipeline: Pipeline) -> None:
    """The sensor lists the first version again, and by the time of its run another one has taken its place."""
    first, other = "1,ann,1.00,2026-03-04", "1,ann,8.00,2026-03-04"
    pipeline.land_rows("a.csv", first)
    pipeline.sync()
    pipeline.land_rows("a.csv", other)
    pipeline.sync()
    time.sleep(1.1)  # S3 dates objects to the second
    pipeline.land_rows("a.csv", first)
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    pipeline.land_rows("a.csv", other)

    assert pipeline.run("s3_arrival", config=request.run_config).success

    assert pipeline.revenue() == {"2026-03-04": ("8.00", 1)}


def test_the_partitioned_chain_waits_until_files_are_reprocessed(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    assert run_all(pipeline, s3_arrival_sensor) == 1
    pipeline.execute("UPDATE ledger.landed_files SET rules = 0")

    evaluated = tick(pipeline, stale_days_sensor)

    assert evaluated.run_requests == []
    assert "1 file to reprocess first" in evaluated.skip_message
    assert run_all(pipeline, s3_arrival_sensor) == 1
    assert run_all(pipeline, stale_days_sensor) == 1


def test_a_stale_day_without_a_pending_file_is_asked_for_without_config(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival", assets=["raw_orders"])

    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    assert {key.to_user_string() for key in request.asset_selection} == {
        "cleaned_orders", "rejected_orders", "daily_revenue",
    }  # fmt: skip
    assert run_all(pipeline, s3_arrival_sensor) == 1
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}


def test_another_time_zone_is_a_reason_to_run_raw_orders_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04T23:30:00-05:00")
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-05": ("1.00", 1)}
    monkeypatch.setenv("ORDERS_TIMEZONE", "America/New_York")

    while run_all(pipeline, s3_arrival_sensor) or run_all(pipeline, stale_days_sensor):
        pass

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert pipeline.spend() == {("2026-03-04", "ann"): "1.00"}
    assert pipeline.status().is_current


@pytest.mark.parametrize(
    ("sensor", "lock"),
    [(s3_arrival_sensor, Lock.UNPARTITIONED_RUN), (stale_days_sensor, Lock.PARTITIONED_RUN)],
    ids=["arrival", "stale"],
)
def test_while_a_run_of_its_chain_lives_a_sensor_waits(
    pipeline: Pipeline, sensor: dg.SensorDefinition, lock: Lock
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival", assets=["raw_orders"])
    with hold_shared(postgres.ledger(), [lock]):
        assert tick(pipeline, sensor).run_requests == []

    assert len(tick(pipeline, sensor).run_requests) == 1


def test_a_run_holds_the_lock_of_its_chain_for_as_long_as_it_runs(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    download = S3Resource.download

    def look(resource: S3Resource, *arguments: Any) -> None:
        seen.append((tick(pipeline, s3_arrival_sensor).run_requests, tick(pipeline, stale_days_sensor).skip_message))
        download(resource, *arguments)

    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    monkeypatch.setattr(S3Resource, "download", look)
    pipeline.run("s3_arrival")

    assert seen == [([], "No day is stale.")]


@pytest.mark.parametrize(
    ("assets", "locks"),
    [
        (["of_mine"], []),
        ([], []),  # checks alone
        (["of_mine", "cleaned_orders"], [Lock.UNPARTITIONED_RUN]),
        (None, [Lock.UNPARTITIONED_RUN]),  # of a job, which may have any
    ],
)
def test_a_run_of_assets_of_your_own_holds_no_lock_of_a_chain(assets: list[str] | None, locks: list[Lock]) -> None:
    selection = None if assets is None else frozenset(dg.AssetKey(asset) for asset in assets)
    tags = {"dagster/partition": "europe"} if assets == ["of_mine"] else {}

    assert locks_of(dg.DagsterRun("a_job", asset_selection=selection, tags=tags)) == locks


@pytest.mark.parametrize(
    ("status", "minutes", "asked"),
    [
        (dg.DagsterRunStatus.QUEUED, 0, 0),
        (dg.DagsterRunStatus.QUEUED, 600, 0),  # behind long runs: a second one would only lengthen the queue
        (dg.DagsterRunStatus.NOT_STARTED, 1, 0),
        (dg.DagsterRunStatus.NOT_STARTED, 10, 1),  # the daemon died before it could be queued
        (dg.DagsterRunStatus.STARTING, 1, 0),
        (dg.DagsterRunStatus.STARTING, 10, 1),  # its process died before it could begin
        (dg.DagsterRunStatus.STARTED, 1, 0),  # begun, its lock yet to be taken
        (dg.DagsterRunStatus.STARTED, 10, 1),  # its machine was switched off: the lock is gone
        (dg.DagsterRunStatus.FAILURE, 0, 1),  # its launch failed
    ],
)
def test_a_run_on_its_way_is_not_asked_for_again_unless_it_died(
    pipeline: Pipeline, status: dg.DagsterRunStatus, minutes: int, asked: int
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    begin_run(pipeline, "s3_arrival", status, minutes)
    begin_run(pipeline, "stale_days", dg.DagsterRunStatus.QUEUED, 1)  # the other chain is no hindrance

    assert run_all(pipeline, s3_arrival_sensor) == asked
    assert pipeline.revenue() == ({"2026-03-04": ("1.00", 1)} if asked else {})


def test_the_runs_of_another_code_location_are_not_waited_for(pipeline: Pipeline) -> None:
    context = dg.SensorEvaluationContext(
        None, instance=pipeline.instance, code_location_origin=RegisteredCodeLocationOrigin("here")
    )
    begin_run(pipeline, "s3_arrival", dg.DagsterRunStatus.QUEUED, 0, location="elsewhere")
    assert not is_on_its_way(context, "s3_arrival")

    begin_run(pipeline, "s3_arrival", dg.DagsterRunStatus.QUEUED, 0, location="here")
    assert is_on_its_way(context, "s3_arrival")


def test_a_run_over_stale_days_is_not_asked_for_again_while_one_waits(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    assert run_all(pipeline, s3_arrival_sensor) == 1
    begin_run(pipeline, "stale_days", dg.DagsterRunStatus.QUEUED, 600)

    assert run_all(pipeline, stale_days_sensor) == 0


def test_files_that_two_daemons_ask_for_at_once_are_loaded_once(pipeline: Pipeline) -> None:
    for number in range(20):
        pipeline.land_rows(f"{number}.csv", f"{number},ann,1.00,2026-03-04")

    def ask_and_run(instance: dg.DagsterInstance) -> None:
        other = Pipeline(pipeline.folder, instance)
        (request,) = tick(other, s3_arrival_sensor).run_requests
        asked.wait(30)  # until both have asked
        assert other.run("s3_arrival", tags=request.tags, config=request.run_config).success

    asked = threading.Barrier(2)
    with dg.DagsterInstance.ephemeral() as one, dg.DagsterInstance.ephemeral() as two, ThreadPoolExecutor(2) as threads:
        list(threads.map(ask_and_run, [one, two]))

    assert pipeline.revenue() == {"2026-03-04": ("20.00", 20)}
    assert pipeline.query("SELECT count(*), sum(rows) FROM ledger.landed_files WHERE active") == [(20, 20)]
    assert pipeline.query("SELECT DISTINCT attempts, version FROM ledger.landed_files, ledger.order_days") == [(0, 1)]


def test_a_run_that_failed_is_asked_for_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")

    def down(*_: object, **__: object) -> None:
        raise ServiceUnavailableError("S3 is away")

    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "list_pages", down)
        assert not pipeline.run("s3_arrival").success
    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "download", down)
        assert pipeline.run("s3_arrival").success  # what it could not fetch waits, and holds up nothing else

    assert run_all(pipeline, s3_arrival_sensor) == 0  # for a moment
    pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now()")
    assert run_all(pipeline, s3_arrival_sensor) == 1


def test_a_listing_that_fails_is_not_an_empty_one(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise ServiceUnavailableError("S3 is away")

    monkeypatch.setattr(S3Resource, "list_pages", down)

    with pytest.raises(Exception, match="S3 is away"):
        tick(pipeline, s3_arrival_sensor)


def test_a_day_whose_blocking_check_failed_is_not_asked_for_again_until_it_changes(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival", assets=["raw_orders", "cleaned_orders", "rejected_orders"])
    pipeline.execute("UPDATE ledger.built_days SET blocked_by = 'order_ids_are_unique'")
    assert run_all(pipeline, s3_arrival_sensor) == 0

    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04")
    assert run_all(pipeline, s3_arrival_sensor) == 1
    assert pipeline.revenue() == {"2026-03-04": ("2.00", 2)}


def test_range_tags_are_dagsters_own() -> None:
    from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

    assert set(run_tags.of_range(DAY, DAY)) == {ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG}
