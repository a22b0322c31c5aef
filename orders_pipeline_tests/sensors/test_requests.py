"""Sensors request what is due, once, and nothing when all is current."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import dagster as dg
import pytest

from orders_pipeline import run_tags
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.resources import S3Resource
from orders_pipeline.sensors import s3_arrival_sensor, stale_days_sensor
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import run_all, tick

DAY = date(2026, 3, 4)


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


def test_days_of_files_that_are_to_be_reprocessed_wait(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-06")
    assert run_all(pipeline, s3_arrival_sensor) == 1
    pipeline.execute("UPDATE ledger.landed_files SET rules = 0 WHERE key LIKE '%a.csv'")

    assert run_all(pipeline, stale_days_sensor) == 1
    assert sorted(pipeline.spend()) == [("2026-03-06", "ann")]
    evaluated = tick(pipeline, stale_days_sensor)
    assert evaluated.run_requests == []
    assert "1 file to reprocess" in evaluated.skip_message
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
    assert pipeline.query("SELECT DISTINCT attempts FROM ledger.landed_files") == [(0,)]


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
