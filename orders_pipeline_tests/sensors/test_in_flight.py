"""While a run of a chain is in progress, its sensor requests no other."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger.locks import Lock, hold_shared
from orders_pipeline.resources import S3Resource
from orders_pipeline.runs.in_flight import is_on_its_way, locks_of
from orders_pipeline.sensors import s3_arrival_sensor, stale_days_sensor
from orders_pipeline_tests.support.begun import begin_run
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import run_all, tick


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
