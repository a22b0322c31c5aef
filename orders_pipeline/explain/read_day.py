"""Reads what is known of a day: the ledger and the marts, the objects of the day in the lake, and the listing of S3."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection, Engine

from orders_pipeline.explain.day import Day, Sender, Usual, When
from orders_pipeline.explain.names import days_named, shown
from orders_pipeline.explain.read_lacking import lacking, waiting
from orders_pipeline.explain.shares import Replaced, Share, outcomes, shares
from orders_pipeline.explain.snapshot import snapshot
from orders_pipeline.explain.tables import tables_of_day
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.discover import table_trouble
from orders_pipeline.ledger import (
    active,
    builds,
    declarations,
    findings,
    history,
    overlaps,
    published,
    reports,
    staleness,
)
from orders_pipeline.ledger.builds import Record
from orders_pipeline.ledger.findings import Recorded as Finding
from orders_pipeline.ledger.findings import of_file
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.quality import anomalies, late_sources
from orders_pipeline.resources import S3Resource
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import Sources
from orders_pipeline.sources.senders import THE_TABLE, sender_of
from orders_pipeline.storage.lake import Lake
from orders_pipeline.tables import rejects, revenue
from orders_pipeline.tables.rejects import Rejects

_WEEKS: Final = 4  # a sender with orders for the same weekday of each is expected
_TOO_FEW_WEEKS: Final = f"fewer than {anomalies.LEAST_WEEKS} of the {anomalies.WEEKS} weeks before had revenue"


def read_day(engine: Engine, s3: S3Resource, settings: Settings, day: date) -> Day:
    """What is known of a day. Reads the raw objects that have its orders, and verifies the objects of its tables.

    Raises:
        ServiceUnavailableError: the lake did not answer.
    """
    pending, s3_error = waiting(engine, s3, settings)
    with snapshot(engine) as connection:
        holding = active.holding(connection, [day])
        sharing = overlaps.partners(connection, holding)
        built = builds.records(connection, day)
        found = replace(_recorded(connection, settings, day, holding, built, pending), s3_error=s3_error)
    names = {
        file.raw.path: shown(file.version.bucket, file.version.key, settings.landing_bucket)
        for file in (*holding, *sharing)
    } | {one.path: f"{day} of {table}" for table, one in built.items() if one.path}
    lake = s3.lake()
    damaged = set(lake.damaged(names))
    intact = ([file for file in some if file.raw.path not in damaged] for some in (holding, sharing))
    has, replaced = _rows(lake, day, {file.version.key: names[file.raw.path] for file in (*holding, *sharing)}, *intact)
    return replace(found, files=has, replaced=replaced, damaged=sorted(names[path] for path in damaged))


def when_is(day: date, calendar: Calendar) -> When:
    """Where a day is in the calendar."""
    if day < calendar.start:
        return When.BEFORE_START
    if day == calendar.today:
        return When.TODAY
    return When.OVER if day < calendar.today else When.FUTURE


def _recorded(
    connection: Connection,
    settings: Settings,
    day: date,
    holding: Sequence[ActiveFile],
    built: Mapping[str, Record],
    pending: Sequence[FileVersion],
) -> Day:
    """What Postgres knows of a day: all but what became of its rows, and what is damaged."""
    calendar, sources = Calendar.of(settings), declarations.current(connection)
    due = {table: staleness.due_days(connection, table, calendar) for table in UPSTREAM}
    left = lacking(connection, settings, sources, day, holding, pending)
    rejected, other_rejects = _rejects(connection, day, holding, settings.landing_bucket)
    when = when_is(day, calendar)
    usual, comparison = _usual(connection, day, when)
    is_there = bool(holding)
    subjects = {*(of_file(file.version.bucket, file.version.key) for file in holding), *left.subjects}
    return Day(
        day=day,
        when=when,
        timezone=calendar.zone,
        start_date=calendar.start,
        shown=revenue.shown(connection, day),
        usual=usual,
        comparison=comparison,
        version=next(map(int, staleness.current_inputs(connection, "cleaned_orders", [day]).values()), None),
        tables=tables_of_day(day, built, due),
        files=(),
        replaced=(),
        rejects=rejected,
        other_rejects=other_rejects,
        lacking=left.files,
        damaged=(),
        s3_error=None,
        table_error=table_trouble(connection),
        senders=_senders(connection, sources, day, is_there=is_there) if when is When.OVER else [],
        newest_day=next((one.day for one in revenue.latest(connection, 1)), None),
        figures=published.histories(connection, [day]).get(day, []),
        findings=_findings(connection, day, subjects, settings.timezone),
    )


def _rows(
    lake: Lake, day: date, names: Mapping[str, str], holding: Sequence[ActiveFile], sharing: Sequence[ActiveFile]
) -> tuple[list[Share], list[Replaced]]:
    if not holding:
        return [], []
    candidates = raw_objects.candidates(lake, [day], holding, sharing)
    return shares(outcomes(candidates, day).collect(engine="streaming").iter_rows(named=True), names)


def _usual(connection: Connection, day: date, when: When) -> tuple[Usual, str | None]:
    if when is not When.OVER:
        return Usual.UNKNOWN, "only a finished day is compared"
    known = revenue.of_days(connection, anomalies.days_needed([day]))
    if day not in known:
        return Usual.UNKNOWN, "it has orders and is not built yet"
    compared, odd = anomalies.compare(known, [day])
    if odd:
        return Usual.NO, str(odd[0])
    if compared:
        return Usual.YES, None
    if not any(known.values()) and _is_open(connection, day):
        return Usual.YES, f"no {day:%A} of the {anomalies.WEEKS} weeks before had revenue"
    return Usual.UNKNOWN, _TOO_FEW_WEEKS


def _is_open(connection: Connection, day: date) -> bool:
    """Whether there was revenue in the first and in the last of the weeks with which a day is compared."""
    weeks = ([day - timedelta(days=7 * week + ago) for ago in range(1, 8)] for week in (0, anomalies.WEEKS - 1))
    return all(any(revenue.of_days(connection, days).values()) for days in weeks)


def _rejects(
    connection: Connection, day: date, holding: Sequence[ActiveFile], landing_bucket: str
) -> tuple[list[Rejects], int]:
    """The rejects that are of this day, and the number of those in its files that may be of another one."""
    days = {(file.version.bucket, file.version.key): file.raw.days for file in holding}
    of_day, others = [], 0
    for one in rejects.about_day(connection, day, days):
        its_days = days.get((one.bucket, one.key), () if days_named(one.key) == (day, day) else None)
        if one.names_day or its_days == (day,) or its_days == ():
            of_day.append(replace(one, key=shown(one.bucket, one.key, landing_bucket)))
        elif its_days is not None:
            others += one.rows
    return of_day, others


def _senders(connection: Connection, sources: Sources, day: date, *, is_there: bool) -> list[Sender]:
    """The senders that are expected for the day and have no orders of it; if it has none at all, every sender."""
    weeks = [day - timedelta(weeks=week) for week in range(_WEEKS + 1)]
    days: dict[str, set[date]] = {}
    for file in active.holding(connection, weeks):
        sender = sender_of(sources, file.version.bucket, file.version.key)
        days.setdefault(sender, set()).update(set(file.raw.days).intersection(weeks))
    every = reports.by_sender(connection, sources)
    newest = history.newest_day_of_table(connection)
    absent = {sender for sender, its_days in days.items() if its_days == set(weeks[1:])}
    return [
        Sender(name, one.last_landed, newest if name == THE_TABLE else None, name in absent)
        for name, one in every.items()
        if name in absent or not is_there
    ]


def _findings(connection: Connection, day: date, subjects: Collection[str], zone: str) -> list[Finding]:
    """The findings that are not settled about a day, in whichever table, about one of its files, or about a sender that
    was found late on the day or the day after."""
    names = {*subjects, *(f"rejects of {subject}" for subject in subjects), *(f"{table} {day}" for table in UPSTREAM)}

    def is_late(one: Finding) -> bool:
        since = one.since.astimezone(ZoneInfo(zone)).date()
        return one.kind == late_sources.KIND and day <= since <= day + timedelta(days=1)

    every = findings.unsettled(connection)
    return [one for one in every if one.subject in {str(day), *names} or is_late(one)]
