"""Which runs are on their way, which locks they hold, and which only look alive."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.locks import Lock, is_held
from orders_pipeline.partitions import DAILY_PIPELINE, JOBS, days_of
from orders_pipeline.schema import TABLES

_LAUNCH_TIME: Final = timedelta(minutes=5)  # a run that got no further in that time is not counted on
_BEGINNING: Final = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_SECOND_LOOK: Final = 5.0  # seconds: from the end of a run's lock to the word that it has ended


def locks_of(run: dg.DagsterRun) -> list[Lock]:
    """What a run holds for as long as its process lives: the locks of the chains that it takes part in."""
    if run.asset_selection is not None and not _of_the_six(run.asset_selection):
        return []
    partitioned = bool(days_of(dict(run.tags)))
    everything = run.job_name == DAILY_PIPELINE
    chains = {Lock.PARTITIONED_RUN: partitioned, Lock.UNPARTITIONED_RUN: everything or not partitioned}
    return [lock for lock, takes_part in chains.items() if takes_part]


def is_on_its_way(context: dg.SensorEvaluationContext, job: str) -> bool:
    """Whether a run was asked for that has yet to take its lock: in the queue, for however long, or lately out of it.
    One that died on the way does not count for long."""
    queued = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED])
    beginning = dg.RunsFilter(job_name=job, statuses=_BEGINNING, updated_after=datetime.now(UTC) - _LAUNCH_TIME)
    return any(_runs(context, runs) for runs in (queued, beginning))


def fail_lost_runs(context: dg.SensorEvaluationContext, connection: Connection) -> None:
    """Mark runs as failed that Dagster takes for running, though none of their locks is held and they have long been
    silent.

    A code server tells of the runs whose processes die; where it died with them, as when a machine is switched off,
    they would keep their places in the queue until their longest time is over."""
    lost = _lost(context, connection)
    if not lost:
        return
    time.sleep(_SECOND_LOOK)
    still = _lost(context, connection)
    for run_id in lost.keys() & still.keys():
        context.instance.report_run_failed(
            still[run_id], "Nobody holds the lock in Postgres that this run would hold: its process is gone."
        )


def _lost(context: dg.SensorEvaluationContext, connection: Connection) -> dict[str, dg.DagsterRun]:
    long_ago = datetime.now(UTC) - _LAUNCH_TIME
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], updated_before=long_ago)
    return {
        run.run_id: run
        for run in _runs(context, started)
        if _takes_locks(run)
        and not any(is_held(connection, lock) for lock in locks_of(run))
        and _last_said(context.instance, run) < long_ago
    }


def _takes_locks(run: dg.DagsterRun) -> bool:
    """Whether it is a run of the six assets: one of checks alone, or of assets of your own, takes no lock."""
    return run.job_name in JOBS if run.asset_selection is None else _of_the_six(run.asset_selection)


def _of_the_six(assets: Iterable[dg.AssetKey]) -> bool:
    return any(asset.to_user_string() in TABLES for asset in assets)


def _last_said(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime:
    said = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    return datetime.fromtimestamp(said[0].timestamp, UTC) if said else datetime.min.replace(tzinfo=UTC)


def is_of_here(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    """Whether a run is of the sensor's own code location: another one may have jobs of the same names."""
    here = context.code_location_origin and context.code_location_origin.location_name
    return run.remote_job_origin is None or here in (None, run.remote_job_origin.location_name)


def _runs(context: dg.SensorEvaluationContext, wanted: dg.RunsFilter) -> list[dg.DagsterRun]:
    """Runs of this code location alone: another one's hold other locks."""
    return [run for run in context.instance.get_runs(wanted) if is_of_here(context, run)]
