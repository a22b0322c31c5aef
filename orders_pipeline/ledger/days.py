"""Which days of which table are stale, and what a built day was built from.

One rule: a day is stale when the input recorded for it differs from the current one, or was built by older rules.
Tables that read raw orders have `order_days.version` as input; derived tables the path of the upstream day they read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import overlaps
from orders_pipeline.ledger.models import built_days, order_days
from orders_pipeline.schema import CODE_VERSIONS, UPSTREAM
from orders_pipeline.settings import Settings


@dataclass(frozen=True)
class Calendar:
    """The days that are built, [start, today], in the business day's time zone."""

    start: date
    today: date
    zone: str

    @classmethod
    def of(cls, settings: Settings) -> "Calendar":
        """The calendar that the environment asks for, today."""
        return cls(settings.start_date, settings.today(), settings.timezone)


class Why(StrEnum):
    """Why a day is stale, as people read it. Where several hold, the first of them."""

    NOT_BUILT = "never built, or its object was lost"
    CODE_VERSION = "the rules were raised"
    ZONE = "the time zone changed"
    ORDERS = "new or changed orders"
    UPSTREAM = "the upstream day was rebuilt"
    REFRESH = "full refresh"


@dataclass(frozen=True)
class Due:
    """A stale day: the input to build it from, and why it is stale."""

    input: str
    why: Why


class Blocker(StrEnum):
    """What keeps a stale day from being built, until somebody mends it."""

    MISSING_OBJECT = "the lake has lost the object of a landed file"
    FAILED_CHECK = "a blocking check failed upstream"


@dataclass(frozen=True)
class Blocked:
    """A stale day that cannot be built. `names`: the keys of the files, or the name of the check."""

    by: Blocker
    names: tuple[str, ...]


@dataclass(frozen=True)
class DueDays:
    """The stale days of a table, in order: those to build, and those that are blocked."""

    due: Mapping[date, Due]
    blocked: Mapping[date, Blocked]

    def among(self, days: Iterable[date]) -> "DueDays":
        """Of these days alone."""
        wanted = set(days)
        return DueDays(
            {day: due for day, due in self.due.items() if day in wanted},
            {day: blocked for day, blocked in self.blocked.items() if day in wanted},
        )

    @property
    def unrecoverable(self) -> Mapping[date, Blocked]:
        """The days that stay stale until files are uploaded again or retracted. One that a check blocks is as good as
        built: it keeps its last values, and the check reports it."""
        return {day: found for day, found in self.blocked.items() if found.by is Blocker.MISSING_OBJECT}

    @property
    def stale(self) -> list[date]:
        """The days to build, and those that would be if the lake had their files."""
        return sorted({*self.due, *self.unrecoverable})


@dataclass(frozen=True)
class BuiltDay:
    """A day as it was built: `path` is null for tables that live in Postgres."""

    day: date
    input: str
    rows: int
    path: str | None = None


@dataclass(frozen=True)
class Build:
    """What one step sets out to build, as read in the snapshot from which it reads its rows."""

    asset: str
    due: Mapping[date, Due]
    calendar: Calendar
    current: tuple[date, ...] = field(default=())  # asked for, and found up to date
    blocked: Mapping[date, Blocked] = field(default_factory=dict)  # stale, and left as they are

    @cached_property
    def inputs(self) -> dict[date, str]:
        return {day: due.input for day, due in self.due.items()}

    @property
    def days(self) -> list[date]:
        return sorted(self.due)


def reads_raw(asset: str) -> bool:
    """Whether a table is built from raw orders."""
    return UPSTREAM[asset] == "raw_orders"


def due_days(connection: Connection, asset: str, calendar: Calendar, *, everything: bool = False) -> DueDays:
    """The stale days of a table: the input to build each from and why it is stale, or what blocks it.

    `everything`: as if all were stale (a full refresh)."""
    current, input_column, day = _inputs(asset)
    built = built_days.alias("built")
    rules = CODE_VERSIONS[asset]
    reasons: list[tuple[sa.ColumnElement[bool], Why | None]] = [
        (built.c.day.is_(None), Why.NOT_BUILT),
        (built.c.rules < rules, Why.CODE_VERSION),
        (built.c.rules > rules, None),  # newer code has built it
        (built.c.zone != calendar.zone, Why.ZONE),
        (built.c.input != input_column, Why.ORDERS if reads_raw(asset) else Why.UPSTREAM),
        (sa.literal(everything), Why.REFRESH),
    ]
    why = sa.case(*((holds, sa.literal(reason and reason.value, sa.Text)) for holds, reason in reasons))
    blocked_by, names, blocker = _blockers(asset, current)
    query = (
        sa.select(day, input_column, why, names)
        .select_from(blocked_by.outerjoin(built, sa.and_(built.c.asset == asset, built.c.day == day)))
        .where(day.between(calendar.start, calendar.today), _upstream(asset, current), why.is_not(None))
        .order_by(day)
    )
    due: dict[date, Due] = {}
    blocked: dict[date, Blocked] = {}
    for stale, input_, reason, found in connection.execute(query):
        if found is None:
            due[stale] = Due(input_, Why(reason))
        else:
            blocked[stale] = Blocked(blocker, tuple(found))
    return DueDays(due, blocked)


def current_inputs(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, str]:
    """The input from which each of these days would be built now; days without any are left out."""
    current, input_column, day = _inputs(asset)
    usable = sa.true() if reads_raw(asset) else current.c.blocked_by.is_(None)
    query = sa.select(day, input_column).where(day.in_(list(days)), _upstream(asset, current), usable)
    return {row[0]: row[1] for row in connection.execute(query)}


def delivered_days(connection: Connection, days: Iterable[date]) -> set[date]:
    """Those of the days for which some file, at some time, held a clean order."""
    return set(connection.execute(sa.select(order_days.c.day).where(order_days.c.day.in_(list(days)))).scalars())


def out_of_range(connection: Connection, calendar: Calendar) -> list[date]:
    """Days with orders that are not built, being before the first partition or in the future."""
    query = sa.select(order_days.c.day).where(~order_days.c.day.between(calendar.start, calendar.today))
    return sorted(connection.execute(query).scalars())


def out_of_range_unbuilt(connection: Connection, calendar: Calendar) -> list[date]:
    """Those of them whose current orders count nowhere. What was built before the start was moved beyond it stands."""
    stands = sa.exists().where(
        built_days.c.asset == "cleaned_orders",
        built_days.c.day == order_days.c.day,
        built_days.c.input == sa.cast(order_days.c.version, sa.Text),
    )
    query = sa.select(order_days.c.day).where(~order_days.c.day.between(calendar.start, calendar.today), ~stands)
    return sorted(connection.execute(query).scalars())


def paths(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, str]:
    """Where the built days of a table lie in the lake."""
    query = sa.select(built_days.c.day, built_days.c.path).where(
        built_days.c.asset == asset, built_days.c.day.in_(list(days)), built_days.c.path.is_not(None)
    )
    return {row.day: row.path for row in connection.execute(query)}


def paths_within(connection: Connection, asset: str, first: date, last: date) -> dict[date, str]:
    """Where every built day of a table between two lies in the lake, in order."""
    query = (
        sa.select(built_days.c.day, built_days.c.path)
        .where(built_days.c.asset == asset, built_days.c.day.between(first, last), built_days.c.path.is_not(None))
        .order_by(built_days.c.day)
    )
    return {row.day: row.path for row in connection.execute(query)}


def objects(connection: Connection, asset: str) -> dict[str, date]:
    """The day that each object of a table holds; none for a table that lives in Postgres."""
    query = sa.select(built_days.c.path, built_days.c.day)
    found = connection.execute(query.where(built_days.c.asset == asset, built_days.c.path.is_not(None)))
    return {row.path: row.day for row in found}


def days_of_run(connection: Connection, asset: str, run_id: str) -> list[date]:
    """The days of a table that a run built, in order."""
    query = sa.select(built_days.c.day).where(built_days.c.asset == asset, built_days.c.run_id == run_id)
    return sorted(connection.execute(query).scalars())


def all_days(connection: Connection, asset: str, calendar: Calendar) -> list[date]:
    """Every built day of a table, in order."""
    query = sa.select(built_days.c.day).where(
        built_days.c.asset == asset, built_days.c.day.between(calendar.start, calendar.today)
    )
    return sorted(connection.execute(query).scalars())


def row_counts(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, int]:
    """The rows of each built day of a table."""
    query = sa.select(built_days.c.day, built_days.c.rows).where(
        built_days.c.asset == asset, built_days.c.day.in_(list(days))
    )
    return {row.day: row.rows for row in connection.execute(query)}


def total_rows(connection: Connection, asset: str) -> int:
    """The rows of a table, over all its built days."""
    query = sa.select(sa.func.coalesce(sa.func.sum(built_days.c.rows), 0)).where(built_days.c.asset == asset)
    return int(connection.execute(query).scalar_one())


def bump_versions(connection: Connection, days: Iterable[date]) -> None:
    """Raise the version of days whose set of candidate rows changes in this transaction."""
    rows = [{"day": day, "version": 1} for day in sorted(set(days))]
    if rows:
        statement = insert(order_days)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[order_days.c.day], set_={"version": order_days.c.version + 1}
            ),
            rows,
        )


def commit_build(connection: Connection, build: Build, built: list[BuiltDay], run_id: str) -> list[date]:
    """Record built days, in the transaction that makes their rows visible. Returns the days that were accepted.

    A day is refused when what stands is newer: built by higher rules, from a later version of the raw orders, or, for
    a derived table, when the upstream day that was read is no longer the current one. The rows of the accepted days
    are locked until the transaction ends, in order of day, so that two builds of a day follow one another."""
    if not built:
        return []
    by_day = {day.day: day for day in built}
    if not reads_raw(build.asset):
        by_day = _of_current_upstream(connection, build.asset, by_day)
    if not by_day:
        return []
    statement = insert(built_days)
    fresh = statement.excluded
    older = built_days.c.rules <= fresh.rules
    if reads_raw(build.asset):
        versions = sa.cast(built_days.c.input, sa.BigInteger), sa.cast(fresh.input, sa.BigInteger)
        older = sa.and_(older, versions[0] <= versions[1])
    replacement = {name: fresh[name] for name in ("input", "path", "rows", "rules", "zone", "run_id")} | {
        "built_at": sa.func.clock_timestamp(),
        "blocked_by": sa.null(),
    }
    accepted = connection.execute(
        statement.values(
            [
                {
                    "asset": build.asset,
                    "day": day,
                    "input": by_day[day].input,
                    "path": by_day[day].path,
                    "rows": by_day[day].rows,
                    "rules": CODE_VERSIONS[build.asset],
                    "zone": build.calendar.zone,
                    "run_id": run_id,
                }
                for day in sorted(by_day)
            ]
        )
        .on_conflict_do_update(index_elements=["asset", "day"], set_=replacement, where=older)
        .returning(built_days.c.day)
    )
    return sorted(accepted.scalars())


def block(connection: Connection, asset: str, days: Iterable[date], check: str) -> None:
    """Keep days from being read downstream until they are built anew: a blocking check found them wrong."""
    found = built_days.c.asset == asset, built_days.c.day.in_(list(days))
    _lock(connection, *found)
    connection.execute(sa.update(built_days).where(*found).values(blocked_by=check))


def mark_missing(connection: Connection, asset: str, lost: Iterable[str]) -> None:
    """Make days stale whose object in the lake is gone."""
    gone = built_days.c.asset == asset, built_days.c.path.in_(list(lost))
    _lock(connection, *gone)
    connection.execute(sa.delete(built_days).where(*gone))


def _lock(connection: Connection, *which: sa.ColumnElement[bool]) -> None:
    """Lock built days of one table in order of day, as `commit_build` does, so that two of them cannot deadlock."""
    connection.execute(sa.select(built_days.c.day).where(*which).order_by(built_days.c.day).with_for_update())


def _inputs(asset: str) -> tuple[sa.FromClause, sa.ColumnElement[str], sa.ColumnElement[date]]:
    """Where the current inputs of a table are found: relation, input column, day column."""
    if reads_raw(asset):
        return order_days, sa.cast(order_days.c.version, sa.Text), order_days.c.day
    upstream = built_days.alias("upstream")
    return upstream, upstream.c.path, upstream.c.day


def _blockers(asset: str, current: sa.FromClause) -> tuple[sa.FromClause, sa.ColumnElement[Any], Blocker]:
    """What may block days whose inputs are in `current`: that relation with it, the column of names, and its kind."""
    if reads_raw(asset):
        missing = overlaps.days_of_missing_objects()
        return current.outerjoin(missing, missing.c.day == current.c.day), missing.c.files, Blocker.MISSING_OBJECT
    check = current.c.blocked_by
    return current, sa.case((check.is_not(None), postgresql.array([check]))), Blocker.FAILED_CHECK


def _upstream(asset: str, current: sa.FromClause) -> sa.ColumnElement[bool]:
    """Which rows of `built_days` are the inputs of a derived table."""
    return sa.true() if reads_raw(asset) else current.c.asset == UPSTREAM[asset]


def _of_current_upstream(connection: Connection, asset: str, built: Mapping[date, BuiltDay]) -> dict[date, BuiltDay]:
    """Those built from what is current, which stays so until the transaction ends."""
    query = (
        sa.select(built_days.c.day, built_days.c.path)
        .where(built_days.c.asset == UPSTREAM[asset], built_days.c.day.in_(list(built)))
        .order_by(built_days.c.day)
        .with_for_update(read=True)
    )
    standing = {row.day: row.path for row in connection.execute(query)}
    return {day: entry for day, entry in built.items() if standing.get(day) == entry.input}
