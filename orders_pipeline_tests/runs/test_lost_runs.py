"""A run that lost its process is failed at the second look; a run whose process lives never is."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.remote_origin import RegisteredCodeLocationOrigin

from orders_pipeline.definitions import defs, postgres
from orders_pipeline.ledger import locks
from orders_pipeline.ledger.locks import Lock, hold_run_lock, hold_shared, is_run_alive
from orders_pipeline.resources import S3Resource
from orders_pipeline.runs import in_flight
from orders_pipeline.sensors import lost_runs_sensor
from orders_pipeline.storage import embedded
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.support.begun import begin_run
from orders_pipeline_tests.support.driver import Pipeline

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
DROP = "SELECT pg_terminate_backend(pid, 20000) FROM pg_locks WHERE locktype = 'advisory' AND classid = 3558"


@dg.asset
def partners() -> None:
    """An asset of your own, in the same code location."""


YOURS = [
    dg.define_asset_job("partners", [partners]),
    dg.define_asset_job("all_of_it", dg.AssetSelection.all()),
    dg.define_asset_job("step_by_step", dg.AssetSelection.all(), executor_def=dg.multiprocess_executor),
]
WITH_YOURS = dg.Definitions.merge(defs, dg.Definitions([partners], jobs=YOURS))


def tick(pipeline: Pipeline, cursor: str | None = None, location: str = "orders") -> Any:
    context = dg.SensorEvaluationContext(
        None,
        cursor=cursor,
        instance=pipeline.instance,
        definitions=WITH_YOURS,
        resources={"postgres": postgres},  # type: ignore[dict-item]  # a resource is taken as it is
        code_location_origin=RegisteredCodeLocationOrigin(location),
    )
    return lost_runs_sensor.evaluate_tick(context)


def tick_twice(pipeline: Pipeline) -> None:
    tick(pipeline, tick(pipeline).cursor)


def status_of(pipeline: Pipeline, run_id: str) -> dg.DagsterRunStatus:
    run = pipeline.instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def begin(pipeline: Pipeline, job: str = "s3_arrival", minutes: int = 10, **how: Any) -> str:
    return begin_run(pipeline, job, STARTED, minutes, WITH_YOURS, **how)


@pytest.mark.parametrize(
    ("job", "how"),
    [
        ("s3_arrival", {}),
        ("stale_days", {"tags": {"dagster/partition": "2026-03-04"}}),
        ("daily_pipeline", {}),
        ("all_of_it", {}),  # a job of your own over the six assets
        ("__ASSET_JOB", {"asset_selection": frozenset({dg.AssetKey("daily_orders")})}),  # one of a backfill's runs
        ("s3_arrival", {"steps": ["rejected_orders"]}),  # a retry from the failed step
    ],
    ids=["arrival", "stale", "daily", "yours", "backfill", "retry"],
)
def test_a_run_that_lost_its_process_is_failed_at_the_second_tick(
    pipeline: Pipeline, job: str, how: dict[str, Any]
) -> None:
    lost, living = begin(pipeline, job, **how), begin(pipeline, job, **how)
    ledger = postgres.ledger()
    with hold_run_lock(ledger, living), hold_shared(ledger, [Lock.UNPARTITIONED_RUN, Lock.PARTITIONED_RUN]):
        first = tick(pipeline)
        assert status_of(pipeline, lost) is STARTED
        assert f"Run {lost} seems to have no process; the next tick checks again." in first.skip_message

        second = tick(pipeline, first.cursor)
        assert (status_of(pipeline, lost), status_of(pipeline, living)) == (FAILURE, STARTED)
        assert second.skip_message == f"Marked run {lost} as failed: its process is gone."

        third = tick(pipeline, second.cursor)
    assert (third.skip_message, lost in third.cursor) == ("No run is orphaned.", False)
    (told,) = pipeline.instance.all_logs(lost, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert "The process of this run is gone" in told.message


def test_a_run_that_has_its_process_again_at_the_second_tick_is_observed_from_the_start(pipeline: Pipeline) -> None:
    run = begin(pipeline)
    cursor = tick(pipeline).cursor
    with hold_run_lock(postgres.ledger(), run):
        cursor = tick(pipeline, cursor).cursor
    cursor = tick(pipeline, cursor).cursor
    assert status_of(pipeline, run) is STARTED

    tick(pipeline, cursor)
    assert status_of(pipeline, run) is FAILURE


def test_a_cursor_that_is_not_the_sensor_s_own_is_an_empty_one(pipeline: Pipeline) -> None:
    run = begin(pipeline)
    for cursor in (None, "", "{}", f"[{run}]"):
        tick(pipeline, cursor)
        assert status_of(pipeline, run) is STARTED


@pytest.mark.parametrize("end", ["report_run_canceling", "report_run_canceled", "report_run_failed"])
def test_a_run_that_ends_between_two_ticks_keeps_its_status(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(in_flight, "_LAUNCH_TIME", timedelta(seconds=-1))  # an end is news too
    run_id = begin(pipeline)
    cursor = tick(pipeline).cursor
    run = pipeline.instance.get_run_by_id(run_id)
    getattr(pipeline.instance, end)(run)
    before = status_of(pipeline, run_id)
    tick(pipeline, cursor)
    assert status_of(pipeline, run_id) is before
    assert len(pipeline.instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)) == (before is FAILURE)


@pytest.mark.parametrize(
    ("job", "how"),
    [
        ("s3_arrival", {"minutes": 1}),  # it may yet take its lock
        ("s3_arrival", {"location": "elsewhere"}),
        ("s3_arrival", {"asset_selection": frozenset()}),  # checks alone
        ("s3_arrival", {"steps": ["daily_revenue_revenue_reconciles"]}),  # a check's retry
        ("partners", {}),
        ("all_of_it", {"asset_selection": frozenset({partners.key})}),
        ("step_by_step", {}),  # its lock is free between steps
    ],
    ids=["young", "elsewhere", "checks", "retried check", "your job", "your asset", "a process for each step"],
)
def test_a_run_that_may_live_without_its_lock_is_never_failed(
    pipeline: Pipeline, job: str, how: dict[str, Any]
) -> None:
    run = begin(pipeline, job, **how)
    tick_twice(pipeline)
    assert status_of(pipeline, run) is STARTED


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something in the middle of a run, to which five minutes are as nothing."""
    monkeypatch.setattr(in_flight, "_LAUNCH_TIME", timedelta(seconds=-1))
    monkeypatch.setattr(locks, "_SECONDS", 0.05)
    original = S3Resource.download

    def meanwhile(act: Callable[[], None]) -> None:
        def act_and_download(*arguments: Any) -> None:
            act()
            original(*arguments)

        monkeypatch.setattr(S3Resource, "download", act_and_download)

    return meanwhile


def test_a_run_that_lives_is_not_failed_however_long_it_is_silent(
    pipeline: Pipeline, download: Callable[[Callable[[], None]], None]
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    download(lambda: tick_twice(pipeline))
    assert_not_failed(pipeline, pipeline.run("s3_arrival", assets=["raw_orders"]))


def test_a_run_that_lives_is_not_failed_when_postgres_drops_its_sessions(
    pipeline: Pipeline, download: Callable[[Callable[[], None]], None]
) -> None:
    """As a restart does, and a firewall that forgets idle connections."""
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    seen = []

    def drop() -> None:
        run_id = pipeline.instance.get_runs()[0].run_id
        for _ in range(3):
            cursor = tick(pipeline).cursor
            seen.append(len(pipeline.query(DROP)))
            wait_for_lock(pipeline, run_id)
            tick(pipeline, cursor)

    download(drop)
    assert_not_failed(pipeline, pipeline.run("s3_arrival", assets=["raw_orders"]))
    assert seen == [1, 1, 1]


def assert_not_failed(pipeline: Pipeline, result: dg.ExecuteInProcessResult) -> None:
    assert result.success  # to its own knowledge: whoever fails it does not tell it
    assert not pipeline.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)


def wait_for_lock(pipeline: Pipeline, run_id: str) -> None:
    with pipeline.connect() as connection:
        deadline = time.monotonic() + 20
        while not is_run_alive(connection, run_id):
            assert time.monotonic() < deadline, "the lock was not taken again"
            time.sleep(0.01)


def test_a_run_that_begins_while_postgres_is_away_takes_its_lock_later(
    pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_SECONDS", 0.05)
    ledger, server = postgres.ledger(), engine_for(embedded.postgres_url(services))

    def let_in(answer: str) -> None:
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{ledger.url.database}" ALLOW_CONNECTIONS {answer}')

    ledger.dispose()
    let_in("false")
    with hold_run_lock(ledger, "a run"):
        with pytest.raises(sa.exc.OperationalError):
            ledger.connect()
        let_in("true")
        wait_for_lock(pipeline, "a run")
    with pipeline.connect() as connection:
        assert not is_run_alive(connection, "a run")
