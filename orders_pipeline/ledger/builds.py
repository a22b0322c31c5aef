"""The built days of each table: what each was built from, how many rows it has and where its object is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import built_days, order_days
from orders_pipeline.ledger.staleness import Blocked, Calendar, Due, current_inputs, first_version, reads_raw
from orders_pipeline.schema import CODE_VERSIONS, UPSTREAM


@dataclass(frozen=True)
class BuiltDay:
    """A built day. `path` is null for tables in Postgres."""

    day: date
    input: str
    rows: int
    path: str | None = None


@dataclass(frozen=True)
class Recorded:
    """What the ledger has of a built day. `version`: that of its orders; None if release 0.2 built it."""

    day: date
    rows: int
    version: int | None
    built_at: datetime


@dataclass(frozen=True)
class Build:
    """What one step plans to build, from the same snapshot as the rows that it reads."""

    asset: str
    due: Mapping[date, Due]
    calendar: Calendar
    current: tuple[date, ...] = field(default=())  # requested, and not stale
    empty: tuple[date, ...] = field(default=())  # requested, and without orders at any time
    blocked: Mapping[date, Blocked] = field(default_factory=dict)  # stale, and not built

    @cached_property
    def inputs(self) -> dict[date, str]:
        return {day: due.input for day, due in self.due.items()}

    @property
    def days(self) -> list[date]:
        return sorted(self.due)


@dataclass(frozen=True)
class Record:
    """What the ledger has recorded of a day of a table. `version`: the day version that its orders are of, None if
    release 0.2 built it. `blocked_by`: the blocking check that failed on it."""

    rows: int
    path: str | None
    version: int | None
    code_version: int
    zone: str
    run_id: str
    built_at: datetime
    blocked_by: str | None


def records(connection: Connection, day: date) -> dict[str, Record]:
    """What is recorded of a day, by table. Tables that do not have it are left out."""
    found = connection.execute(sa.select(built_days).where(built_days.c.day == day))
    return {
        row.asset: Record(
            row.rows,
            row.path,
            row.version,
            row.rules,
            row.zone,
            row.run_id,
            row.built_at.astimezone(UTC),
            row.blocked_by,
        )
        for row in found
    }


def paths(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, str]:
    """The object of each built day of a table."""
    query = sa.select(built_days.c.day, built_days.c.path).where(
        built_days.c.asset == asset, built_days.c.day.in_(list(days)), built_days.c.path.is_not(None)
    )
    return {row.day: row.path for row in connection.execute(query)}


def paths_within(connection: Connection, asset: str, first: date, last: date) -> dict[date, str]:
    """The object of each built day of a table from `first` to `last`, in order."""
    query = (
        sa.select(built_days.c.day, built_days.c.path)
        .where(built_days.c.asset == asset, built_days.c.day.between(first, last), built_days.c.path.is_not(None))
        .order_by(built_days.c.day)
    )
    return {row.day: row.path for row in connection.execute(query)}


def objects(connection: Connection, asset: str) -> dict[str, date]:
    """The day that each object of a table holds. Empty for a table in Postgres."""
    query = sa.select(built_days.c.path, built_days.c.day)
    found = connection.execute(query.where(built_days.c.asset == asset, built_days.c.path.is_not(None)))
    return {row.path: row.day for row in found}


def days_of_run(connection: Connection, asset: str, run_id: str) -> list[date]:
    """The days of a table that this run built, in order."""
    query = sa.select(built_days.c.day).where(built_days.c.asset == asset, built_days.c.run_id == run_id)
    return sorted(connection.execute(query).scalars())


def all_days(connection: Connection, asset: str, calendar: Calendar) -> list[date]:
    """Every built day of a table, in order."""
    query = sa.select(built_days.c.day).where(
        built_days.c.asset == asset, built_days.c.day.between(calendar.start, calendar.today)
    )
    return sorted(connection.execute(query).scalars())


def recorded(connection: Connection, asset: str, calendar: Calendar) -> list[Recorded]:
    """Every built day of a table, in order, with what the ledger has of it."""
    columns = built_days.c.day, built_days.c.rows, built_days.c.version, built_days.c.built_at
    query = sa.select(*columns).where(
        built_days.c.asset == asset, built_days.c.day.between(calendar.start, calendar.today)
    )
    return [Recorded(*row) for row in connection.execute(query.order_by(built_days.c.day))]


def row_counts(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, int]:
    """The rows of each built day of a table."""
    query = sa.select(built_days.c.day, built_days.c.rows).where(
        built_days.c.asset == asset, built_days.c.day.in_(list(days))
    )
    return {row.day: row.rows for row in connection.execute(query)}


def is_behind(connection: Connection, asset: str, day: date, known_before: datetime) -> bool:
    """Whether this table lacks orders of a day that have been known since before that time."""
    built = sa.and_(built_days.c.asset == asset, built_days.c.day == order_days.c.day)
    query = (
        sa.select(sa.true())
        .select_from(order_days.outerjoin(built_days, built))
        .where(
            order_days.c.day == day,
            order_days.c.version < first_version(known_before),
            built_days.c.version.is_distinct_from(order_days.c.version),
        )
    )
    return connection.execute(query).first() is not None


def built_at(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, datetime]:
    """When each of these days of a table was built."""
    query = sa.select(built_days.c.day, built_days.c.built_at).where(
        built_days.c.asset == asset, built_days.c.day.in_(list(days))
    )
    return {row.day: row.built_at for row in connection.execute(query)}


def versions(connection: Connection, asset: str, days: Iterable[date]) -> dict[date, int]:
    """The day version that the orders of each built day of a table are of. Days that release 0.2 built are left out."""
    query = sa.select(built_days.c.day, built_days.c.version).where(
        built_days.c.asset == asset, built_days.c.day.in_(list(days)), built_days.c.version.is_not(None)
    )
    return {row.day: row.version for row in connection.execute(query)}


def total_rows(connection: Connection, asset: str) -> int:
    """The rows of a table, over all its built days."""
    query = sa.select(sa.func.coalesce(sa.func.sum(built_days.c.rows), 0)).where(built_days.c.asset == asset)
    return int(connection.execute(query).scalar_one())


def commit_build(connection: Connection, build: Build, built: list[BuiltDay], run_id: str) -> list[date]:
    """Record built days, in the transaction that makes their rows visible. Returns the days that were accepted.

    A day is refused if the ledger already has a newer one: built by a higher code version, or from a later version of
    the raw orders. A day of a derived table is refused if the upstream day that it read is no longer current.

    A version of the raw orders above the present one is of a change that the ledger has lost, by a failover or a
    restore. A day built from it is refused; if the ledger has one, any other build replaces it.

    Accepted days stay locked until the transaction ends, in order of day, so that builds of the same day run one at a
    time."""
    if not built:
        return []
    by_day = {day.day: day for day in built}
    if reads_raw(build.asset):
        of_version = _of_known_versions(connection, build.asset, by_day)
    else:
        of_version = _with_current_upstream(connection, build.asset, by_day)
    if not of_version:
        return []
    statement = insert(built_days)
    fresh = statement.excluded
    older = built_days.c.rules <= fresh.rules
    if reads_raw(build.asset):
        versions = sa.cast(built_days.c.input, sa.BigInteger), sa.cast(fresh.input, sa.BigInteger)
        older = sa.and_(older, versions[0] <= versions[1])
    replacement = {name: fresh[name] for name in ("input", "path", "rows", "rules", "zone", "run_id", "version")} | {
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
                    "version": of_version[day],
                }
                for day in sorted(of_version)
            ]
        )
        .on_conflict_do_update(index_elements=["asset", "day"], set_=replacement, where=older)
        .returning(built_days.c.day)
    )
    return sorted(accepted.scalars())


def block(connection: Connection, asset: str, days: Iterable[date], check: str) -> None:
    """Keep days from being read downstream until they are rebuilt: a blocking check failed on them."""
    found = built_days.c.asset == asset, built_days.c.day.in_(list(days))
    _lock(connection, *found)
    connection.execute(sa.update(built_days).where(*found).values(blocked_by=check))


def mark_missing(connection: Connection, asset: str, paths: Iterable[str]) -> None:
    """Make days stale whose object is missing."""
    gone = built_days.c.asset == asset, built_days.c.path.in_(list(paths))
    _lock(connection, *gone)
    connection.execute(sa.delete(built_days).where(*gone))


def _lock(connection: Connection, *which: sa.ColumnElement[bool]) -> None:
    """Lock built days of one table in order of day, like `commit_build`, so that two transactions cannot deadlock."""
    connection.execute(sa.select(built_days.c.day).where(*which).order_by(built_days.c.day).with_for_update())


def _of_known_versions(connection: Connection, asset: str, built: Mapping[date, BuiltDay]) -> dict[date, int]:
    """The days that were not built from a lost version of the raw orders, with their version. Of these, forgets what
    the ledger has from a lost version, so that they replace it."""
    found = built_days.c.asset == asset, built_days.c.day.in_(list(built))
    query = sa.select(built_days).where(*found, built_days.c.rules <= CODE_VERSIONS[asset]).order_by(built_days.c.day)
    recorded = {row.day: int(row.input) for row in connection.execute(query.with_for_update())}
    # Read after these locks: what is above it is lost, not newer.
    present = {day: int(version) for day, version in current_inputs(connection, asset, built).items()}
    of_version = {day: int(entry.input) for day, entry in built.items()}
    known = {day: version for day, version in of_version.items() if version <= present.get(day, -1)}
    if lost := [day for day in known if recorded.get(day, -1) > present[day]]:
        connection.execute(sa.delete(built_days).where(*found, built_days.c.day.in_(lost)))
    return known


def _with_current_upstream(connection: Connection, asset: str, built: Mapping[date, BuiltDay]) -> dict[date, int]:
    """The days built from the current upstream day, with the day version of that one, which reads raw orders. Locks the
    upstream days, so that they stay current until the transaction ends."""
    query = (
        sa.select(built_days.c.day, built_days.c.path, built_days.c.input)
        .where(built_days.c.asset == UPSTREAM[asset], built_days.c.day.in_(list(built)))
        .order_by(built_days.c.day)
        .with_for_update(read=True)
    )
    return {row.day: int(row.input) for row in connection.execute(query) if row.path == built[row.day].input}
