"""Two sensors compute the backlog and request runs for it. They store no work: a lost event, a failed run or a restart
loses nothing. Work that a run did not finish is requested again after a backoff.

Two request nothing: `lost_runs_sensor` fails orphaned runs, `run_failure_sensor` posts alerts."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline import run_tags, survey
from orders_pipeline.alerts import findings
from orders_pipeline.alerts import ticks as ticking
from orders_pipeline.alerts.causes import Event
from orders_pipeline.alerts.delivery import deliver
from orders_pipeline.alerts.webhook import beat
from orders_pipeline.assets.ingestion import RawOrdersConfig, raw_orders
from orders_pipeline.backlog import PARTITIONED_DAYS, UNPARTITIONED_DAYS, Backlog, backlog
from orders_pipeline.checks import overdue
from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.jobs import UNPARTITIONED, s3_arrival_job, stale_days_job
from orders_pipeline.landing.discover import table_trouble
from orders_pipeline.landing.notices import nothing_landed, starts_later
from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.findings import open_findings
from orders_pipeline.ledger.locks import Lock, is_held
from orders_pipeline.ledger.versions import TABLE, FileVersion
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.runs.backoff import backoff_of, fingerprint
from orders_pipeline.runs.in_flight import is_of_here, is_on_its_way, without_process
from orders_pipeline.settings import read_settings
from orders_pipeline.sources.declaration import Sources
from orders_pipeline.text import counted

MAX_KEYS_PER_RUN: Final = 1_000

_TICK_SECONDS: Final = 30  # of the 60 that Dagster allows; a page that is begun then may take most of the rest
_LOOK_SECONDS: Final = 300  # between looks at what only time makes wrong
_LONGEST_PAUSE: Final = timedelta(hours=1)
_LONGEST_PAUSE_OF_FILES: Final = timedelta(minutes=5)  # they wait no longer than that after an outage
_AFTER: Final = "after:"  # and the key to go on after; never empty, since Dagster keeps the old cursor then
_OBSERVED: Final = "observed:"  # and the runs that had no process at the last tick; never empty either


@dataclass(frozen=True)
class Listing:
    """What a tick saw of the landing zone. `cursor`: the key to go on after, None when the listing is complete."""

    versions: list[FileVersion]
    cursor: str | None

    @property
    def keys(self) -> list[str]:
        return [version.key for version in self.versions]


@dg.sensor(
    job=s3_arrival_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Lists the landing zone, and requests a run when files are pending or days of the unpartitioned chain"
    " are stale. Turned off, new files wait.",
)
def s3_arrival_sensor(
    context: dg.SensorEvaluationContext, postgres: PostgresResource, s3: S3Resource
) -> dg.SensorResult | dg.SkipReason:
    """Request a run when files are pending or days of the unpartitioned chain are stale."""
    deadline = time.monotonic() + _TICK_SECONDS
    settings = read_settings()
    with postgres.ledger().connect() as connection:
        if _is_busy(context, connection, Lock.UNPARTITIONED_RUN, s3_arrival_job.name):
            return dg.SkipReason("A run of the unpartitioned chain is in progress.")
        left = backlog(survey.of_ledger(connection, settings, UNPARTITIONED_DAYS, TABLE))
        declared, sources = declarations.number(connection), declarations.current(connection)
        everything = _ask_for_everything(context, left, declared, sources)
        if everything and everything.run_requests:
            return everything
        pages = s3.list_pages(start_after=_listed_up_to(context.cursor), hurried=True)
        found = read_listing(pages, lambda page: backlog(survey.of_page(connection, page)).load, deadline)
        cursor = f"{_AFTER}{found.cursor or ''}"
        config = dg.RunConfig({"raw_orders": RawOrdersConfig.of(found.versions)})
        take = dg.RunRequest(run_config=config, tags=tags_of_files(found.versions, sources))
        what = _files(found.versions)
        loaded = _ask(context, take, found.versions, what, cursor, declared, _LONGEST_PAUSE_OF_FILES)
        if loaded and loaded.run_requests:
            return loaded
        nothing = starts_later(settings)
        if not (nothing or found.cursor or found.versions):
            nothing = nothing_landed(connection, s3, settings)
        trouble = table_trouble(connection)
    build = dg.RunRequest(
        asset_selection=[asset.key for asset in UNPARTITIONED if asset is not raw_orders],
        tags=run_tags.of_days(left.due(UNPARTITIONED_DAYS)),
    )
    if answer := _ask(context, build, left.build, "Stale days", cursor, declared) or loaded:
        return answer
    if everything and everything.skip_reason:
        settled = everything.skip_reason.skip_message
    elif found.cursor is None:
        settled = nothing or "Every file is settled and no day is stale."
    else:
        settled = f"Nothing is pending up to {found.cursor}; the next tick continues the listing from there."
    return dg.SensorResult(skip_reason="\n".join(filter(None, [settled, trouble])), cursor=cursor)


@dg.sensor(
    job=stale_days_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests runs for the stale days of the partitioned chain. Turned off, daily_orders and"
    " daily_revenue_partitioned are built each morning only, for the day before.",
)
def stale_days_sensor(
    context: dg.SensorEvaluationContext, postgres: PostgresResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """Request runs for the stale days of the partitioned chain."""
    with postgres.ledger().connect() as connection:
        if _is_busy(context, connection, Lock.PARTITIONED_RUN, stale_days_job.name):
            return dg.SkipReason("A run of the partitioned chain is in progress.")
        left = backlog(survey.of_ledger(connection, read_settings(), PARTITIONED_DAYS, TABLE))
    requests, waiting = [], []
    if left.reprocess:
        waiting.append(
            f"{_files(left.reprocess)} to reprocess first, which s3_arrival_sensor requests. Their days wait."
        )
    for first, last in left.ranges():
        due = {day: items for day, items in left.build_partitioned.items() if first <= day <= last}
        work = _fingerprint(context, [item for items in due.values() for item in items])
        pause = backoff_of(context.instance, stale_days_job.name, work, _LONGEST_PAUSE)
        if pause is None:
            tags = {**run_tags.of_range(first, last), **run_tags.of_days(due), run_tags.WORK_TAG: work}
            requests.append(dg.RunRequest(tags=tags))
        else:
            waiting.append(f"{first} to {last}: {pause}.")
    return requests or dg.SkipReason("\n".join(waiting) or "No day is stale.")


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process is gone, so that they are retried. Requests nothing.",
)
def lost_runs_sensor(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult:
    """Fail orphaned runs, so that they free their places in the queue and are retried.

    A run is failed when two ticks in a row find it without a process."""
    with postgres.engine().connect() as connection:
        found = without_process(context, connection)
    observed = (context.cursor or "").split()
    lost = [run for run in found if run.run_id in observed]
    for run in lost:
        context.instance.report_run_failed(
            run,
            "The process of this run is gone: it no longer holds the run's lock in Postgres. No action needed: Dagster"
            " retries the run, and the sensors request what it left unfinished.",
        )
    said = [f"Marked run {run.run_id} as failed: its process is gone." for run in lost]
    said += [
        f"Run {run.run_id} seems to have no process; the next tick checks again." for run in found if run not in lost
    ]
    return dg.SensorResult(
        skip_reason="\n".join(said) or "No run is orphaned.",
        cursor=" ".join([_OBSERVED, *(run.run_id for run in found)]),
    )


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts what is wrong to ORDERS_ALERT_WEBHOOK_URL, once for each cause, and that it is resolved. Does"
    " nothing while that is not set. Requests nothing.",
)
def run_failure_sensor(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SkipReason:
    """Post what is wrong to ORDERS_ALERT_WEBHOOK_URL, once for each cause, and that it is resolved: failed runs, failed
    checks of severity ERROR, findings, and sensors or schedules that fail or do not tick. Where these tick as they
    should, call ORDERS_HEARTBEAT_URL."""
    here, ours, settings = context.code_location_origin, context.repository_def, read_settings()
    location = here.location_name if here else None
    unread: list[str] = []
    found = ticking.read(context.instance, ours, location)
    ticks = list(ticking.judge(found, run_failure_sensor.name, time.time(), settings.dagster_url))

    def is_ours(run: dg.DagsterRun) -> bool:
        return is_of_here(context, run) and (ours is None or ours.has_job(run.job_name))

    def observe(told: Mapping[str, str]) -> Iterator[Event]:
        yield from ticks
        try:
            ledger, now = postgres.ledger(), datetime.now(UTC)
            if _is_time_to_look(context, now):
                overdue.late_senders(ledger, settings, now)
                overdue.missing_yesterday(ledger, settings, now)
            with ledger.connect() as connection:
                opened = open_findings(connection)
        except (sa.exc.SQLAlchemyError, OrdersPipelineError) as error:
            unread.append(f"Findings were not read: the ledger did not answer ({type(error).__name__}).")
        else:
            yield from findings.judge(opened, told, lambda kind: _page_of_check(ours, kind, settings.dagster_url))

    key = f"orders_pipeline/alerts/{location or ''}"
    report = [*deliver(context.instance, key, is_ours, observe, settings), *unread]
    if settings.heartbeat_url and not any(event.alert for event in ticks):
        problem = beat(settings.heartbeat_url.get_secret_value())
        report += [f"Heartbeat: {problem}."] if problem else []
    return dg.SkipReason("\n".join(report))


def read_listing(
    pages: Iterable[list[FileVersion]],
    pending: Callable[[Sequence[FileVersion]], Iterable[FileVersion]],
    deadline: float,
) -> Listing:
    """Go through a listing, page by page, until a run's worth of pending files is found or the time is up."""
    found: list[FileVersion] = []
    for page in pages:
        found += pending(page)
        if len(found) >= MAX_KEYS_PER_RUN:
            found = sorted(found)[:MAX_KEYS_PER_RUN]
            return Listing(found, cursor=found[-1].key)
        if page and time.monotonic() > deadline:
            return Listing(found, cursor=page[-1].key)
    return Listing(found, cursor=None)


def _is_time_to_look(context: dg.SensorEvaluationContext, now: datetime) -> bool:
    """Every few minutes, and at the first tick."""
    last = context.last_tick_completion_time
    return last is None or now.timestamp() // _LOOK_SECONDS != last // _LOOK_SECONDS


def _page_of_check(ours: dg.RepositoryDefinition | None, name: str, dagster_url: str) -> str:
    page = f"{dagster_url.rstrip('/')}/assets"
    keys = ours.asset_graph.asset_check_keys if ours else ()
    assets = sorted(key.asset_key.to_user_string() for key in keys if key.name == name)
    return f"{page}/{assets[0]}?view=checks&checkDetail={name}" if assets else page


def tags_of_files(versions: Iterable[FileVersion], sources: Sources) -> dict[str, str]:
    """What people read of a run that loads these versions."""
    return run_tags.of_files([(version.bucket, version.key) for version in versions], sources)


def _ask_for_everything(
    context: dg.SensorEvaluationContext, left: Backlog, declared: int, sources: Sources
) -> dg.SensorResult | None:
    """Request a run without a list of files, for the work that only such a run does."""
    what = "Files to reprocess" if left.reprocess else "The source table"
    longest = _LONGEST_PAUSE if left.reprocess else _LONGEST_PAUSE_OF_FILES
    request = dg.RunRequest(tags=tags_of_files([*left.reprocess, *left.retry_table], sources))
    return _ask(context, request, left.everything, what, _AFTER, declared, longest)


def _ask(
    context: dg.SensorEvaluationContext,
    request: dg.RunRequest,
    work: Sequence[object],
    what: str,
    cursor: str,
    declared: int,
    longest: timedelta = _LONGEST_PAUSE,
) -> dg.SensorResult | None:
    """Request a run for this work, unless the work is in backoff. None: there is no work. `declared`: the number of the
    declaration that applies; the same files by another one are other work."""
    if not work:
        return None
    name = _fingerprint(context, [*work, ("declared", declared)])
    if pause := backoff_of(context.instance, s3_arrival_job.name, name, longest):
        return dg.SensorResult(skip_reason=f"{what}: {pause}.", cursor=cursor)
    return dg.SensorResult([request.with_replaced_attrs(tags={**request.tags, run_tags.WORK_TAG: name})], cursor=cursor)


def _files(found: Sequence[object]) -> str:
    return counted(len(found), "file")


def _fingerprint(context: dg.SensorEvaluationContext, work: Sequence[object]) -> str:
    """Includes the code location: another one may have days and files of the same names."""
    here = context.code_location_origin and context.code_location_origin.location_name
    return fingerprint([*work, ("of", here)])


def _listed_up_to(cursor: str | None) -> str:
    """The key after which the listing goes on."""
    return cursor.removeprefix(_AFTER) if cursor and cursor.startswith(_AFTER) else ""


def _is_busy(context: dg.SensorEvaluationContext, connection: Connection, lock: Lock, job: str) -> bool:
    """Whether a run of this chain is in progress, or on its way."""
    return is_held(connection, lock) or is_on_its_way(context, job)
