"""Which days of which table are stale, and why.

A day is stale when its recorded input differs from the current one, or when an older code version or another time zone
built it. The input of a table that reads raw orders is `order_days.version`. The input of a derived table is the path
of the upstream day.
"""

import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import active, declarations, overlaps
from orders_pipeline.ledger.models import built_days, order_days
from orders_pipeline.schema import CODE_VERSIONS, UPSTREAM
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import Sources

_RANDOM_BITS: Final = 20  # of a day version; the others are milliseconds, and fit until 2248


@dataclass(frozen=True)
class Calendar:
    """The days that are built, [start, today], in the business day's time zone."""

    start: date
    today: date
    zone: str

    @classmethod
    def of(cls, settings: Settings) -> "Calendar":
        """The calendar that the settings define, as of today."""
        return cls(settings.start_date, settings.today(), settings.timezone)


class Why(StrEnum):
    """Why a day is stale, as people read it. If several reasons apply, the first counts."""

    NOT_BUILT = "never built, or object missing"
    CODE_VERSION = "code version raised"
    ZONE = "time zone changed"
    ORDERS = "new or changed orders"
    UPSTREAM = "upstream day rebuilt"
    REFRESH = "full refresh"


@dataclass(frozen=True)
class Due:
    """A stale day: the input to build it from, and why it is stale."""

    input: str
    why: Why


class Blocker(StrEnum):
    """What keeps a stale day from being built. The next run without config reprocesses outdated files, and the next run
    of the chain rebuilds damaged days; for the others, someone has to act."""

    MISSING_OBJECT = "the object of a landed file is missing"
    OUTDATED_FILE = "a landed file is to be reprocessed"
    FAILED_CHECK = "a blocking check failed upstream"
    DAMAGED_DAY = "the object of its upstream day is missing or damaged"


@dataclass(frozen=True)
class Blocked:
    """A stale day that cannot be built. `names`: the keys of the files, the name of the check, or the object."""

    by: Blocker
    names: tuple[str, ...]


@dataclass(frozen=True)
class DueDays:
    """The stale days of a table, in order: those to build, and those that are blocked."""

    due: Mapping[date, Due]
    blocked: Mapping[date, Blocked]

    def among(self, days: Iterable[date]) -> "DueDays":
        """The stale days among these days."""
        wanted = set(days)
        return DueDays(
            {day: due for day, due in self.due.items() if day in wanted},
            {day: blocked for day, blocked in self.blocked.items() if day in wanted},
        )

    @property
    def unrecoverable(self) -> Mapping[date, Blocked]:
        """The days that stay stale until files are uploaded again or retracted. A day that a check blocks is not among
        them: it keeps its last published values, and the check reports it."""
        return {day: found for day, found in self.blocked.items() if found.by is Blocker.MISSING_OBJECT}

    @property
    def stale(self) -> list[date]:
        """The days to build, and those that files block."""
        by_files = {day for day, found in self.blocked.items() if found.by is not Blocker.FAILED_CHECK}
        return sorted({*self.due, *by_files})


def reads_raw(asset: str) -> bool:
    """Whether a table is built from raw orders."""
    return UPSTREAM[asset] == "raw_orders"


def due_days(connection: Connection, asset: str, calendar: Calendar, *, everything: bool = False) -> DueDays:
    """The stale days of a table: the input to build each from and why it is stale, or what blocks it.

    `everything`: treat all days as stale (a full refresh)."""
    toml = declarations.text(connection) if reads_raw(asset) else ""
    query, blockers = _due_query(asset, tuple(CODE_VERSIONS.items()), calendar, toml, everything)
    due: dict[date, Due] = {}
    blocked: dict[date, Blocked] = {}
    for stale, input_, reason, *names in connection.execute(query):
        found = [Blocked(by, tuple(named)) for by, named in zip(blockers, names, strict=True) if named is not None]
        if found:
            blocked[stale] = found[0]
        else:
            due[stale] = Due(input_, Why(reason))
    return DueDays(due, blocked)


@lru_cache(maxsize=32)  # a run asks several times, and the query takes ten times as long to put together as to run
def _due_query(
    asset: str, versions: tuple[tuple[str, int], ...], calendar: Calendar, toml: str, everything: bool
) -> tuple[sa.Select[Any], tuple[Blocker, ...]]:
    """The query of `due_days`: day, input, reason, and for each of the blockers the names that it has for the day.
    The arguments are all that it depends on. `versions`: CODE_VERSIONS. `toml`: the declaration that holds."""
    current, input_column, day = _inputs(asset)
    built = built_days.alias("built")
    rules = dict(versions)[asset]
    reasons: list[tuple[sa.ColumnElement[bool], Why | None]] = [
        (built.c.day.is_(None), Why.NOT_BUILT),
        (built.c.rules < rules, Why.CODE_VERSION),
        (built.c.rules > rules, None),  # newer code built it
        (built.c.zone != calendar.zone, Why.ZONE),
        (built.c.input != input_column, Why.ORDERS if reads_raw(asset) else Why.UPSTREAM),
        (sa.literal(everything), Why.REFRESH),
    ]
    why = sa.case(*((holds, sa.literal(reason and reason.value, sa.Text)) for holds, reason in reasons))
    joined, blockers = _blockers(asset, current, calendar.zone, declarations.parsed(toml))
    query = (
        sa.select(day, input_column, why, *blockers.values())
        .select_from(joined.outerjoin(built, sa.and_(built.c.asset == asset, built.c.day == day)))
        .where(
            day.between(calendar.start, calendar.today),
            _upstream(asset, current),
            # An upstream day of another time zone is rebuilt first, and makes this one stale then.
            sa.true() if reads_raw(asset) else current.c.zone == calendar.zone,
            why.is_not(None),
        )
        .order_by(day)
    )
    return query, tuple(blockers)


def current_inputs(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, str]:
    """The input from which each of these days would be built now. Days without an input are left out."""
    current, input_column, day = _inputs(asset)
    usable = sa.true() if reads_raw(asset) else current.c.blocked_by.is_(None)
    query = sa.select(day, input_column).where(day.in_(list(days)), _upstream(asset, current), usable)
    return {row[0]: row[1] for row in connection.execute(query)}


def delivered_days(connection: Connection, days: Iterable[date]) -> set[date]:
    """The days among these that had a clean order in any file at any time."""
    return set(connection.execute(sa.select(order_days.c.day).where(order_days.c.day.in_(list(days)))).scalars())


def first_version(moment: datetime) -> int:
    """The least version that a day can get from this moment on."""
    return int(moment.timestamp() * 1_000) << _RANDOM_BITS


def out_of_range(connection: Connection, calendar: Calendar) -> list[date]:
    """Days with orders that are before the first partition or in the future, and so are not built."""
    query = sa.select(order_days.c.day).where(~order_days.c.day.between(calendar.start, calendar.today))
    return sorted(connection.execute(query).scalars())


def out_of_range_unbuilt(connection: Connection, calendar: Calendar) -> list[date]:
    """The days out of range whose current orders are in no table. A day that was built before it went out of range
    keeps its rows."""
    is_built = sa.exists().where(
        built_days.c.asset == "cleaned_orders",
        built_days.c.day == order_days.c.day,
        built_days.c.input == sa.cast(order_days.c.version, sa.Text),
    )
    query = sa.select(order_days.c.day).where(~order_days.c.day.between(calendar.start, calendar.today), ~is_built)
    return sorted(connection.execute(query).scalars())


def bump_versions(
    connection: Connection, days: Iterable[date], *, asked: Collection[date] = (), taken: Collection[date] = ()
) -> None:
    """Raise the version of days whose candidate rows change in this transaction.

    No two bumps give a day the same version, not even on two servers: one that failed over may have lost some. So a
    version is the time in its first bits and random in the others. It is raised by a random number if the clock of this
    machine is behind. (Releases up to 0.2 count up by one, from any version.)

    `asked`: those among them for which a person asked. `taken`: those that lose rows without anyone asking."""
    marks = {"asked_version": set(asked), "taken_version": set(taken)}
    step = secrets.randbelow(1 << _RANDOM_BITS) + 1
    fresh = (time.time_ns() // 1_000_000 << _RANDOM_BITS) + step
    rows = [
        {"day": day, "version": fresh, **{name: fresh if day in marked else None for name, marked in marks.items()}}
        for day in sorted(set(days))
    ]
    if rows:
        statement, t = insert(order_days), order_days.c
        raised = sa.func.greatest(statement.excluded.version, t.version + step)
        marked = {name: sa.case((statement.excluded[name].is_not(None), raised), else_=t[name]) for name in marks}
        connection.execute(
            statement.on_conflict_do_update(index_elements=[t.day], set_={"version": raised, **marked}), rows
        )


def asked_for(connection: Connection, before: Mapping[date, int], now: Mapping[date, int]) -> set[date]:
    """The days in `now` whose change a person asked for: between their versions `before` and `now` someone retracted a
    file, say, and no rows were taken away unasked. If a later change hides the answer, no one asked.

    `before`: days that it leaves out were never built, or by release 0.2."""
    query = sa.select(order_days).where(order_days.c.day.in_(list(now)))
    return {
        row.day
        for row in connection.execute(query)
        if before.get(row.day, 0) < (row.asked_version or 0) <= now[row.day]
        and (row.taken_version or 0) <= before.get(row.day, 0)
    }


def _inputs(asset: str) -> tuple[sa.FromClause, sa.ColumnElement[str], sa.ColumnElement[date]]:
    """Where to find the current inputs of a table: relation, input column, day column."""
    if reads_raw(asset):
        return order_days, sa.cast(order_days.c.version, sa.Text), order_days.c.day
    upstream = built_days.alias("upstream")
    return upstream, upstream.c.path, upstream.c.day


def _blockers(
    asset: str, current: sa.FromClause, zone: str, sources: Sources
) -> tuple[sa.FromClause, dict[Blocker, sa.ColumnElement[Any]]]:
    """What can block the days in `current`: `current` joined with the blockers, and the names that each has for a day.
    Of several, the first counts."""
    if not reads_raw(asset):
        check = current.c.blocked_by
        return current, {Blocker.FAILED_CHECK: sa.case((check.is_not(None), postgresql.array([check])))}
    missing = overlaps.dependent_days(overlaps.is_unrecoverable, "missing")
    outdated = overlaps.dependent_days(lambda file: active.is_outdated(file, zone, sources), "outdated")
    joined = current.outerjoin(missing, missing.c.day == current.c.day)
    joined = joined.outerjoin(outdated, outdated.c.day == current.c.day)
    return joined, {Blocker.MISSING_OBJECT: missing.c.files, Blocker.OUTDATED_FILE: outdated.c.files}


def _upstream(asset: str, current: sa.FromClause) -> sa.ColumnElement[bool]:
    """Which rows of `built_days` are the inputs of a derived table."""
    return sa.true() if reads_raw(asset) else current.c.asset == UPSTREAM[asset]
