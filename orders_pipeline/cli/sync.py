"""Bring every table up to date now: what the sensors and the schedule would do, as Dagster runs in this process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import dagster as dg

from orders_pipeline import run_tags
from orders_pipeline.assets.ingestion import RawOrdersConfig, raw_orders
from orders_pipeline.backlog import PARTITIONED_DAYS, UNPARTITIONED_DAYS, Backlog, Known, backlog
from orders_pipeline.definitions import defs, postgres, s3
from orders_pipeline.jobs import s3_arrival_job, stale_days_job
from orders_pipeline.landing import source_table
from orders_pipeline.landing.discover import table_is_pending
from orders_pipeline.ledger import builds, declarations, files, reports, staleness
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.reports import UnloadedFile
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.ledger.versions import FileVersion, Status
from orders_pipeline.quality import reject_rate
from orders_pipeline.quality.reject_rate import Rejected
from orders_pipeline.runs.in_process import execute
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.sensors import MAX_KEYS_PER_RUN, tags_of_files
from orders_pipeline.settings import read_settings
from orders_pipeline.survey import LandingZone, Survey, survey
from orders_pipeline.tables.out_of_range import Waiting, waiting_orders
from orders_pipeline.text import counted

_QUIET: Final = {"console": {"config": {"log_level": "CRITICAL"}}}  # loggers
_DAYS_PER_RUN: Final = 366  # no one waits for a worker here, and each run has a fixed cost
_PATIENCE: Final = (
    2  # rounds that change nothing before what is left is given up: an object may have changed in between
)


@dataclass
class Synced:
    """What a sync did and what it could not do."""

    runs: int = 0
    rebuilt: dict[str, list[date]] = field(default_factory=dict)  # by table
    failed_checks: dict[str, str] = field(default_factory=dict)  # latest message of each failed check
    errors: dict[str, str] = field(default_factory=dict)  # latest error of each step that failed last
    left: Backlog = field(default_factory=lambda: backlog(Known()))
    failing: list[UnloadedFile] = field(default_factory=list)
    unloaded: list[UnloadedFile] = field(default_factory=list)  # quarantined, or empty in the place of one that counts
    high_reject_rate: list[Rejected] = field(default_factory=list)  # worst first
    notices: list[str] = field(default_factory=list)  # for your information: no work
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing stays pending, failing or stale."""
        return not (self.left or self.errors)


def sync(instance: dg.DagsterInstance, say: Callable[[str], None]) -> Synced:
    """Process the backlog until nothing is left, or nothing changes any more. The source table is queried once,
    whatever the result: if it does not answer, files load all the same.

    A listing takes as long as there are files, so a few new files cost one listing, like no new file. What lands
    meanwhile is for the next sync.

    Raises:
        ServiceUnavailableError: S3 or Postgres did not answer.
    """
    result = Synced()
    with postgres.ledger().begin() as transaction:
        files.end_backoff(transaction)
    with postgres.ledger().connect() as connection:
        table = table_is_pending(connection, read_settings())
    found, unchanged = _survey(), 0
    left = found.backlog
    while (table or left.has_unpartitioned_work or left.build_partitioned) and unchanged < _PATIENCE:
        before, needs_listing = left, False
        if table or left.has_unpartitioned_work:
            say(_announce(left, table))
            needs_listing = table or not _is_named(left)
            _run(instance, s3_arrival_job.name, _tags(left, table), result, () if needs_listing else left.load)
            table = False
        # New files make days stale in the other chain too.
        for first, last, days in _stale_ranges():
            say(f"Building {first if first == last else f'{first} to {last}'} of the partitioned chain")
            tags = {**run_tags.of_range(first, last), **run_tags.of_days(days)}
            _run(instance, stale_days_job.name, tags, result)
        found = _survey(None if needs_listing else found.listed)
        if found.backlog and not needs_listing:
            found = _survey()  # a file may have changed since it was listed
        left = found.backlog
        unchanged = unchanged + 1 if _outline(left) == _outline(before) else 0
    result.left, result.notices = left, found.notices
    settings = read_settings()
    with postgres.ledger().connect() as connection:
        _, unloaded = reports.unloaded(connection)
        _, result.high_reject_rate = reject_rate.above(connection, settings.max_reject_share)
        result.waiting = waiting_orders(connection, s3.lake(), Calendar.of(settings))
    result.failing = [file for file in unloaded if file.status is Status.FAILING]
    result.unloaded = [file for file in unloaded if file.status is not Status.FAILING]
    return result


def _survey(listed: LandingZone | None = None) -> Survey:
    with postgres.ledger().connect() as connection:
        return survey(connection, s3, read_settings(), listed)


def _stale_ranges() -> list[tuple[date, date, list[date]]]:
    """The ranges of the partitioned chain to run, each with the days that are stale in it."""
    calendar = Calendar.of(read_settings())
    with postgres.ledger().connect() as connection:
        stale = {table: staleness.due_days(connection, table, calendar) for table in PARTITIONED_DAYS}
    left = backlog(Known(days=stale))
    ranges, days = left.ranges(_DAYS_PER_RUN), left.build_partitioned
    return [(first, last, [day for day in days if first <= day <= last]) for first, last in ranges]


def _tags(left: Backlog, table: bool) -> dict[str, str]:
    """What people read of a run of the unpartitioned chain."""
    files = [*left.load, *left.reprocess, *left.retry_table, *([source_table.WHOLE] if table else [])]
    with postgres.ledger().connect() as connection:
        sources = declarations.current(connection)
    return tags_of_files(files, sources) or run_tags.of_days(left.due(UNPARTITIONED_DAYS))


def _is_named(left: Backlog) -> bool:
    """Whether a run that names the files to load, as the sensor requests it, does everything that is due."""
    is_more = left.everything or left.forget or left.unrecoverable
    return 0 < len(left.load) <= MAX_KEYS_PER_RUN and not is_more


def _outline(left: Backlog) -> tuple[object, ...]:
    """What is left, whatever it would be built from: a day that is stale after each rebuild is no progress."""
    rejects = [file.version if isinstance(file, ActiveFile) else file for file in left.rejects]
    return left.load, left.reprocess, left.forget, rejects, left.stale


def _announce(left: Backlog, table: bool) -> str:
    work = [counted(len(left.load), "file")] if left.load else []
    work += ["the source table"] if table else []
    stale = len({day for table in UNPARTITIONED_DAYS for day in left.stale[table]})
    if not work and not stale:
        return "Updating the list of files and rejects"
    return f"Loading {' and '.join(work)}" if work else f"Building {counted(stale, 'stale day')}"


def _run(
    instance: dg.DagsterInstance, job: str, tags: dict[str, str], result: Synced, named: Sequence[FileVersion] = ()
) -> None:
    """`named`: the files to load. None of them: whatever the run finds due."""
    ops: dict[str, Any] = {raw_orders.key.to_user_string(): RawOrdersConfig.of(named)} if named else {}
    run_id, events = execute(instance, defs.resolve_job_def(job), dg.RunConfig(ops, loggers=_QUIET), tags)
    result.runs += 1
    with postgres.ledger().connect() as connection:
        for asset in UPSTREAM:
            built = builds.days_of_run(connection, asset, run_id)
            result.rebuilt[asset] = sorted({*result.rebuilt.get(asset, []), *built})
    for event in events:
        if event.is_step_success and event.step_key is not None:
            result.errors.pop(event.step_key, None)
        evaluation: Any = event.event_specific_data
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            if evaluation.passed:
                result.failed_checks.pop(evaluation.check_name, None)
            else:
                result.failed_checks[evaluation.check_name] = f"{evaluation.severity.value}: {evaluation.description}"
        elif event.is_step_failure and evaluation.error is not None:
            error = evaluation.error.cause or evaluation.error
            if "DagsterAssetCheckFailedError" not in (error.cls_name or ""):
                result.errors[str(event.step_key)] = error.message.strip()
