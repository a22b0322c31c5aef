"""Which runs are on their way, which locks they hold, and which have lost their process."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.locks import Lock, is_run_alive
from orders_pipeline.partitions import DAILY_PIPELINE, days_of
from orders_pipeline.schema import TABLES

_LAUNCH_TIME: Final = timedelta(minutes=5)  # a run that got no further in that time is not counted on
_BEGINNING: Final = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def locks_of(run: dg.DagsterRun) -> list[Lock]:
    """What a run holds for as long as its process lives: the locks of the chains that it takes part in."""
    if run.asset_selection is not None and not _of_the_six(run.asset_selection):
        return []
    partitioned = bool(days_of(dict(run.tags)))
    everything = run.job_name == DAILY_PIPELINE
    chains = {Lock.PARTITIONED_RUN: partitioned, Lock.UNPARTITIONED_RUN: everything or not partitioned}
    return [lock for lock, takes_part in chains.items() if takes_part]


def is_on_its_way(context: dg.SensorEvaluationContext, job: str) -> bool:
    """Whether a requested run has yet to take its lock: it is queued, for however long, or left the queue recently.
    A run that died on the way counts for five minutes only."""
    queued = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED])
    beginning = dg.RunsFilter(job_name=job, statuses=_BEGINNING, updated_after=datetime.now(UTC) - _LAUNCH_TIME)
    return any(_runs(context, runs) for runs in (queued, beginning))


def without_process(context: dg.SensorEvaluationContext, connection: Connection) -> list[dg.DagsterRun]:
    """Runs that Dagster shows as started and whose own lock is free, though they began long enough ago to hold it.

    One observation proves nothing: a run that just ends is among them, and one whose session with Postgres was lost
    until it takes the lock again. A run that is still among them half a minute later has no process any more."""
    long_ago = datetime.now(UTC) - _LAUNCH_TIME
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], updated_before=long_ago)
    jobs = context.repository_def
    return [
        run
        for run in _runs(context, started)
        if jobs is not None
        and jobs.has_job(run.job_name)
        and _takes_its_lock(run, jobs.get_job(run.job_name))
        and not is_run_alive(connection, run.run_id)
    ]


def _takes_its_lock(run: dg.DagsterRun, job: dg.JobDefinition) -> bool:
    """Whether a run holds its own lock from its first step to its last. The IO manager `lake` takes it: for a run that
    has a step of the six assets, not for one of checks alone or of assets of your own. Where each step has a process of
    its own, the lock is free between steps."""
    if job.executor_def.name != dg.in_process_executor.name:
        return False
    assets = job.asset_layer.selected_asset_keys if run.asset_selection is None else run.asset_selection
    retried = run.step_keys_to_execute
    return _of_the_six(assets) and (retried is None or any(step in TABLES for step in retried))


def _of_the_six(assets: Iterable[dg.AssetKey]) -> bool:
    return any(asset.to_user_string() in TABLES for asset in assets)


def is_of_here(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    """Whether a run is of the sensor's own code location: another one may have jobs of the same names."""
    here = context.code_location_origin and context.code_location_origin.location_name
    return run.remote_job_origin is None or here in (None, run.remote_job_origin.location_name)


def _runs(context: dg.SensorEvaluationContext, wanted: dg.RunsFilter) -> list[dg.DagsterRun]:
    """Runs of this code location alone: another one's hold other locks."""
    return [run for run in context.instance.get_runs(wanted) if is_of_here(context, run)]
