"""What Dagster's log records of this code location's runs and checks. The ledger is not needed for them: an outage of
its Postgres is one of the failures to report."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import dagster as dg
from dagster._core.events import JobFailureData
from dagster._core.execution.plan.objects import StepFailureData

from orders_pipeline.alert_selection import RUNS
from orders_pipeline.alerts.causes import Event, check_evaluated, run_failed, run_succeeded
from orders_pipeline.alerts.memory import Memory

_READ: Final = (
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
)
_LATE: Final = 1_000  # an event gets its number when it is written, and is visible when that is committed: a bit later
_AT_ONCE: Final = 2 * _LATE


def begin(instance: dg.DagsterInstance) -> Memory:
    """A memory that holds all of the past as read."""
    return _read(instance, Memory(after=instance.event_log_storage.get_maximum_record_id() or 0))[0]


def catch_up(
    instance: dg.DagsterInstance, memory: Memory, is_ours: Callable[[dg.DagsterRun], bool], dagster_url: str
) -> tuple[Memory, list[Event]]:
    """The events that were logged since, in their order, and the memory that holds them as read."""
    # If events were deleted, their numbers are given again.
    newest = instance.event_log_storage.get_maximum_record_id() or 0
    memory, entries = _read(instance, replace(memory, after=min(memory.after, newest)))
    ids = sorted({entry.run_id for entry in entries.values()})
    found = instance.get_runs(dg.RunsFilter(run_ids=ids)) if ids else []
    runs = {run.run_id: run for run in found if is_ours(run)}
    fresh = [entry for _, entry in sorted(entries.items()) if entry.run_id in runs]
    return memory, [_event(instance, entry, runs[entry.run_id], dagster_url) for entry in fresh]


def _read(instance: dg.DagsterInstance, memory: Memory) -> tuple[Memory, Mapping[int, dg.EventLogEntry]]:
    """The events that were not seen before."""
    log, start = instance.event_log_storage, max(memory.after - _LATE, -1)
    batches = [log.get_logs_for_all_runs_by_log_id(start, kind, _AT_ONCE) for kind in _READ]
    all_read_up_to = min((max(batch) for batch in batches if len(batch) == _AT_ONCE), default=None)
    entries = {
        number: entry
        for batch in batches
        for number, entry in batch.items()
        if all_read_up_to is None or number <= all_read_up_to
    }
    after = max([memory.after, *entries])
    named = {number: f"{number} {entry.run_id[:8]}" for number, entry in entries.items()}
    seen = frozenset(name for number, name in named.items() if number > after - _LATE)
    fresh = {number: entry for number, entry in entries.items() if named[number] not in memory.seen}
    return replace(memory, after=after, seen=seen), fresh


def _event(instance: dg.DagsterInstance, entry: dg.EventLogEntry, run: dg.DagsterRun, dagster_url: str) -> Event:
    event = entry.get_dagster_event()
    if event.event_type is dg.DagsterEventType.RUN_SUCCESS:
        return run_succeeded(run, dagster_url)
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return check_evaluated(run, event.asset_check_evaluation_data, dagster_url)
    failures = _step_failures(instance, run.run_id)
    own = [failure for failure in failures if not _is_failed_check(failure)]
    if failures and not own:
        return Event(RUNS)  # its checks are reported already
    # Without a step that failed: it was not launched, could not set up its resources, was lost, took too long.
    failure = own[0] if own else event
    return run_failed(run, failure.step_key, _error(failure) or "No further details.", dagster_url)


def _step_failures(instance: dg.DagsterInstance, run_id: str) -> list[dg.DagsterEvent]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    return [record.event_log_entry.get_dagster_event() for record in records]


def _is_failed_check(failure: dg.DagsterEvent) -> bool:
    error = failure.step_failure_data.error
    return error is not None and error.cls_name == "DagsterAssetCheckFailedError"


def _error(failure: dg.DagsterEvent) -> str | None:
    """What our own code raised, without what Dagster put around it."""
    data = failure.event_specific_data
    error = data.error if isinstance(data, StepFailureData | JobFailureData) else None
    while error and error.cause and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    return error.message if error else failure.message
