"""Old runs and ticks are deleted from Dagster's storage, but for what the UI shows as the present.

A run goes with its events. So a run stays for as long as an asset, or a partition of one, was last materialized or
observed by it, or a check was last evaluated by it: no day turns "missing" because time passes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import dagster as dg

_AT_ONCE: Final = 500
_ENDED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Forgotten:
    """The number of old runs that were deleted, and of those that stay."""

    deleted: int
    kept: int


def forget_runs(instance: dg.DagsterInstance, before: datetime, is_ours: Callable[[dg.DagsterRun], bool]) -> Forgotten:
    """Delete the runs that ended and began before that time, one by one: whatever ends this leaves whole runs."""
    shown, deleted, kept = set(_shown_by_assets(instance)), 0, 0
    for run in _ended(instance, before):
        if not is_ours(run):
            continue
        if run.run_id in shown or _is_shown_by_a_check(instance, run.run_id):
            kept += 1
        else:
            instance.delete_run(run.run_id)
            deleted += 1
    return Forgotten(deleted, kept)


def forget_ticks(instance: dg.DagsterInstance, before: datetime, location: str | None) -> None:
    """Delete the ticks of a code location's sensors and schedules that began before that time. None: of all."""
    for state in instance.all_instigator_state() if instance.schedule_storage else ():  # one in memory has none
        if location in (None, state.repository_selector.location_name):
            instance.purge_ticks(state.instigator_origin_id, state.selector_id, before.timestamp())


def _ended(instance: dg.DagsterInstance, before: datetime) -> Iterator[dg.DagsterRun]:
    wanted = dg.RunsFilter(statuses=_ENDED, created_before=before)
    page = instance.get_runs(wanted, limit=_AT_ONCE)
    while page:
        # Before the runs of this page are deleted: the last of them says where the next page begins.
        following = instance.get_runs(wanted, cursor=page[-1].run_id, limit=_AT_ONCE)
        yield from page
        page = following


def _shown_by_assets(instance: dg.DagsterInstance) -> Iterator[str]:
    """The runs that last materialized or observed an asset or one of its partitions."""
    log = instance.event_log_storage
    for asset in instance.all_asset_keys():
        for fetch, kind in (
            (log.fetch_materializations, dg.DagsterEventType.ASSET_MATERIALIZATION),
            (log.fetch_observations, dg.DagsterEventType.ASSET_OBSERVATION),
        ):
            yield from (record.run_id for record in fetch(asset, limit=1).records)
            latest = sorted(log.get_latest_storage_id_by_partition(asset, kind).values())
            for start in range(0, len(latest), _AT_ONCE):
                these = dg.AssetRecordsFilter(asset, storage_ids=latest[start : start + _AT_ONCE])
                yield from (record.run_id for record in fetch(these, limit=_AT_ONCE).records)


def _is_shown_by_a_check(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a check was last evaluated by this run."""
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    records = instance.get_records_for_run(run_id, of_type=kind).records
    found = [record.event_log_entry.get_dagster_event().asset_check_evaluation_data for record in records]
    keys = list({check.asset_check_key for check in found})
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys) if keys else {}
    return any(execution.run_id == run_id for execution in latest.values())
