"""Reports on landed files: their number by status, their rows, and those that are not loaded."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import Amounts, latest_of_keys, rejects_in, version_of
from orders_pipeline.ledger.versions import ARCHIVED, RELOCATED, TABLE, FileVersion, Status
from orders_pipeline.schema import BLANK, COUNTS, MERGED, REJECTED, TABLE_PREFIX, VOID
from orders_pipeline.sources.declaration import Sources
from orders_pipeline.sources.senders import sender_of

_t: Final = landed_files.c


@dataclass(frozen=True)
class UnloadedFile:
    """A version that is not loaded, and why. `attempts`: how often it was tried; outages do not count. `still_counts`:
    whether the last readable version of its key is active. `amount`: what that is worth, None if unknown."""

    version: FileVersion
    status: Status
    reason: str
    message: str
    attempts: int
    still_counts: bool
    amount: Decimal | None


def unloaded(connection: Connection, *, ignored: bool = False) -> tuple[int, list[UnloadedFile]]:
    """The number of keys, and the latest versions that are quarantined, failing, or empty while an earlier version is
    active. `ignored`: also all other ignored versions."""
    latest = latest_of_keys(landed_files, without=RELOCATED)
    total = connection.execute(sa.select(sa.func.count()).select_from(latest)).scalar_one()
    of_key = _t.bucket == latest.c.bucket, _t.key == latest.c.key, _t.active
    still_counts = sa.exists().where(*of_key)
    amount = sa.select(_t.clean_amount).where(*of_key).scalar_subquery()
    bad = latest.c.status.in_([Status.QUARANTINED, Status.FAILING])
    replaces_nothing = sa.and_(still_counts, latest.c.reason.is_distinct_from(ARCHIVED))
    empty = sa.and_(latest.c.status == Status.IGNORED, sa.or_(replaces_nothing, sa.literal(ignored)))
    query = sa.select(latest, still_counts.label("still_counts"), amount.label("amount")).where(sa.or_(bad, empty))
    return total, [
        UnloadedFile(
            version_of(r),
            Status(r.status),
            r.reason or "",
            r.message or r.reason or "",
            r.attempts,
            r.still_counts,
            r.amount,
        )
        for r in connection.execute(query.order_by(latest.c.key))
    ]


@dataclass(frozen=True)
class Counts:
    """Keys by the status of their latest version, and the rows of the active versions and their amounts, by outcome."""

    by_status: dict[str, int]
    rows: int
    clean_rows: int
    void_rows: int
    merged_rows: int
    blank_rows: int
    amounts: Amounts


def counts(connection: Connection) -> Counts:
    """The number of files of each status, and of the rows that count."""
    latest = latest_of_keys(_t.status, without=RELOCATED)
    by_status: dict[str, int] = dict(
        connection.execute(sa.select(latest.c.status, sa.func.count()).group_by(latest.c.status)).all()
    )
    outcomes = (_t.clean_rows, _t.void_rows, _t.merged_rows, _t.blank_rows)
    summed = (_t.rows, *outcomes, _t.clean_amount, _t.void_amount, _t.rejected_amount)
    sums = sa.select(*(sa.func.coalesce(sa.func.sum(column), 0) for column in summed)).where(_t.active)
    rows, clean_rows, void_rows, merged_rows, blank_rows, *amounts = connection.execute(sums).one()
    return Counts(
        {status.value: by_status.get(status.value, 0) for status in Status},
        int(rows),
        int(clean_rows),
        int(void_rows),
        int(merged_rows),
        int(blank_rows),
        Amounts(*map(Decimal, amounts)),
    )


def table_days(connection: Connection) -> dict[str, int]:
    """The number of days of the source table by status, of those that are counted with the files."""
    latest = latest_of_keys(_t.bucket, _t.key, _t.status, without=RELOCATED)
    is_day = latest.c.bucket == TABLE, latest.c.key != f"{TABLE_PREFIX}all"
    query = sa.select(latest.c.status, sa.func.count()).where(*is_day).group_by(latest.c.status)
    return dict(connection.execute(query).all())


@dataclass
class Delivered:
    """What counts of a sender: files, and their rows by outcome. `declares`: the fields that say how it writes.
    `last_landed`: when the newest of its files did; None for the source table, which has no such time."""

    declares: tuple[str, ...]
    files: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    last_landed: datetime | None = None


def by_sender(connection: Connection, sources: Sources) -> dict[str, Delivered]:
    """The active files by sender: a declared source, the source table, or else a folder without dates."""
    name = declarations.of_source(_t, sources, lambda source: sa.literal(source.name))
    folder = sa.func.regexp_replace(_t.key, "[^/]*$", "")
    outcomes = {COUNTS: _t.clean_rows, VOID: _t.void_rows, MERGED: _t.merged_rows, BLANK: _t.blank_rows}
    sums = [sa.func.sum(column).label(outcome) for outcome, column in outcomes.items()]
    query = sa.select(
        _t.bucket,
        sa.func.min(_t.key).label("key"),  # files of one source or folder have one sender
        sa.func.count().label("files"),
        sa.func.max(_t.last_modified).label("last_landed"),
        sa.func.sum(rejects_in(_t)).label(REJECTED),
        *sums,
    )
    grouped = query.where(_t.active).group_by(_t.bucket, name, sa.case((name == sources.undeclared.name, folder)))
    found = dict[str, Delivered]()
    for row in connection.execute(grouped):
        source = sources.of(row.bucket, row.key)
        sender = found.setdefault(sender_of(sources, row.bucket, row.key), Delivered(tuple(source.reading)))
        sender.files += row.files
        sender.rows += Counter({outcome: int(getattr(row, outcome) or 0) for outcome in (*outcomes, REJECTED)})
        if row.bucket != TABLE:
            sender.last_landed = max(filter(None, (sender.last_landed, row.last_landed)))
    return dict(sorted(found.items()))


def last_landed(connection: Connection, sources: Sources) -> dict[str, datetime]:
    """When the newest version of each declared source of keys landed, whatever became of it."""
    name = declarations.of_source(_t, sources, lambda source: sa.literal(source.name))
    is_file = _t.bucket != TABLE, _t.reason.is_distinct_from(RELOCATED)
    query = sa.select(name, sa.func.max(_t.last_modified)).where(*is_file).group_by(name)
    return {row[0]: row[1] for row in connection.execute(query)}


def first_arrivals(
    connection: Connection, sources: Sources, zone: str, since: datetime
) -> dict[str, dict[date, datetime]]:
    """When the first version of a day landed, by sender and day, whatever became of it. A day is that of the sender's
    time zone, or else of `zone`."""
    name = declarations.of_source(_t, sources, lambda source: sa.literal(source.name))
    at = declarations.of_source(_t, sources, lambda source: sa.literal(source.timezone or zone))
    day = sa.cast(sa.func.timezone(at, _t.last_modified), sa.Date)
    folder = sa.case((name == sources.undeclared.name, sa.func.regexp_replace(_t.key, "[^/]*$", "")))
    query = (
        sa.select(sa.func.min(_t.key), day, sa.func.min(_t.last_modified))
        .where(_t.bucket != TABLE, _t.reason.is_distinct_from(RELOCATED), _t.last_modified >= since)
        .group_by(name, folder, day)
    )
    found: dict[str, dict[date, datetime]] = {}
    for key, on, first in connection.execute(query):
        days = found.setdefault(sender_of(sources, "files", key), {})
        days[on] = min(first, days.get(on, first))
    return found
