"""What the ledger has recorded of every version of a key, and of the versions that had rows of a day."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from orders_pipeline.ledger import active, declarations
from orders_pipeline.ledger.archive import is_archived
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import ActiveFile, active_file, rejects_in, version_of
from orders_pipeline.ledger.versions import TABLE, FileVersion, Status
from orders_pipeline.schema import TABLE_PREFIX
from orders_pipeline.sources.declaration import Sources

_t: Final = landed_files.c


@dataclass(frozen=True)
class Recorded:
    """A version as the ledger has it. `loaded`: what is known of its rows; None if it was never loaded.
    `is_redeclared`: another declaration holds than the one that it was last tried by. `settled_at`: when its status was
    recorded."""

    version: FileVersion
    status: Status
    reason: str | None
    message: str | None
    is_active: bool
    is_archived: bool
    is_redeclared: bool
    loaded: ActiveFile | None
    rules: int | None
    zone: str | None
    attempts: int
    next_attempt: datetime | None
    settled_at: datetime | None


def of_key(connection: Connection, bucket: str, key: str, sources: Sources) -> list[Recorded]:
    """All versions of a key, the latest last."""
    return _recorded(connection, sources, _t.bucket == bucket, _t.key == key)


def formerly_holding(connection: Connection, day: date, sources: Sources) -> list[Recorded]:
    """The versions that had clean rows of this day and are not active any more, by key, the latest last."""
    found = _recorded(connection, sources, ~_t.active, _t.days.contains(sa.cast([day], sa.ARRAY(sa.Date))))
    return sorted(found, key=lambda one: (one.version.bucket, one.version.key))


def formerly_with_id(connection: Connection, ids: Collection[str], sources: Sources) -> list[Recorded]:
    """The versions that are not active any more and may have a row with one of these order ids, the latest last."""
    return _recorded(connection, sources, ~_t.active, _t.path.is_not(None), active.has_id_of(ids))


def keys_that_end_with(connection: Connection, bucket: str, name: str, most: int) -> list[str]:
    """The keys of a bucket whose last parts are these, in order."""
    ends = _t.key.endswith(f"/{name}", autoescape=True)
    query = sa.select(_t.key).where(_t.bucket == bucket, ends).distinct().order_by(_t.key).limit(most)
    return list(connection.execute(query).scalars())


def active_named(connection: Connection, pattern: str) -> list[ActiveFile]:
    """The active files whose key is like a pattern of SQL."""
    query = sa.select(landed_files).where(_t.active, _t.key.like(pattern)).order_by(_t.key)
    return [active_file(row) for row in connection.execute(query)]


def unsearchable(connection: Connection) -> int:
    """The number of versions that are quarantined, failing or archived, so that no one knows their order ids."""
    unread = sa.or_(_t.status.in_([Status.QUARANTINED, Status.FAILING]), is_archived(_t))
    return int(connection.execute(sa.select(sa.func.count()).where(unread, ~_t.active)).scalar_one())


def newest_day_of_table(connection: Connection) -> date | None:
    """The newest day of the source table that counts."""
    is_day = _t.key.regexp_match(f"^{TABLE_PREFIX}[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$")
    newest = connection.execute(
        sa.select(sa.func.max(_t.key)).where(_t.bucket == TABLE, _t.active, is_day)
    ).scalar_one()
    return None if newest is None else date.fromisoformat(newest.removeprefix(TABLE_PREFIX))


def with_rejects_beyond(connection: Connection, most: int) -> list[ActiveFile]:
    """The active files with more rejects than are listed one by one."""
    query = sa.select(landed_files).where(_t.active, rejects_in(_t) > most).order_by(_t.key)
    return [active_file(row) for row in connection.execute(query)]


def _recorded(connection: Connection, sources: Sources, *which: sa.ColumnElement[bool]) -> list[Recorded]:
    is_redeclared = declarations.is_redeclared(_t, sources).label("is_redeclared")
    query = sa.select(landed_files, is_archived(_t).label("is_archived"), is_redeclared).where(*which).order_by(_t.id)
    return [_of_row(row) for row in connection.execute(query)]


def _of_row(row: Row[Any]) -> Recorded:
    next_attempt, settled_at = (_utc(time) for time in (row.next_attempt, row.settled_at))
    return Recorded(
        version_of(row),
        Status(row.status),
        row.reason,
        row.message,
        row.active,
        row.is_archived,
        row.is_redeclared,
        None if row.path is None else active_file(row),
        row.rules,
        row.zone,
        row.attempts,
        next_attempt,
        settled_at,
    )


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
