"""Versions that someone removed with `retract`. A retracted one was active; a dismissed one was quarantined, failing or
archived."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.archive import is_archived
from orders_pipeline.ledger.files import TO_READ
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import is_version, rank_of, version_of
from orders_pipeline.ledger.versions import FileVersion, Status

Key = tuple[str, str]  # bucket and key

RETRACTED: Final = "retracted"  # why the ledger ignores a version
_DISMISSED: Final = "dismissed"

_t: Final = landed_files.c


@dataclass(frozen=True)
class Removed:
    """A version that was retracted or dismissed. `path`: its raw object, if it has one. `ranked_at`: its rank while it
    was active."""

    version: FileVersion
    path: str | None
    is_dismissed: bool
    content_hash: str | None
    ranked_at: datetime


def retract(connection: Connection, bucket: str, key: str, message: str) -> None:
    """Deactivate the active version of a key. The key counts again when a version lands that the ledger does not know.
    The caller bumps the versions of the days that change, in the same transaction."""
    connection.execute(
        sa.update(landed_files)
        .where(_t.bucket == bucket, _t.key == key, _t.active)
        .values(active=False, status=Status.IGNORED, reason=RETRACTED, message=message, settled_at=sa.func.now())
    )


def dismiss(connection: Connection, bucket: str, key: str, message: str) -> None:
    """Ignore the latest version of a key for good, if it is quarantined, failing or archived."""
    newest = sa.select(sa.func.max(_t.id)).where(_t.bucket == bucket, _t.key == key).scalar_subquery()
    connection.execute(
        sa.update(landed_files)
        .where(_t.id == newest, _is_unloaded(_t))
        .values(status=Status.IGNORED, reason=_DISMISSED, message=message, settled_at=sa.func.now())
    )


def removable(connection: Connection, buckets: Sequence[str]) -> dict[Key, bool]:
    """The keys that have an active version, or whose latest version is quarantined, failing or archived. The value is
    whether the latter holds."""
    latest = (
        sa.select(_t.bucket, _t.key, _t.status, _t.reason, _any_of_key(_t.active).label("counts"))
        .ext(distinct_on(_t.bucket, _t.key))
        .where(_t.bucket.in_(buckets))
        .order_by(_t.bucket, _t.key, _t.id.desc())
        .subquery()
    )
    is_unloaded = _is_unloaded(latest.c)
    query = sa.select(latest, is_unloaded.label("is_unloaded")).where(sa.or_(latest.c.counts, is_unloaded))
    return {(row.bucket, row.key): row.is_unloaded for row in connection.execute(query)}


def removed(connection: Connection, buckets: Sequence[str]) -> dict[Key, list[Removed]]:
    """What the last retraction of each key removed. Keys that have an active version by now are left out."""
    is_removed = sa.and_(_t.status == Status.IGNORED, _t.reason.in_([RETRACTED, _DISMISSED]))
    last = sa.func.max(sa.case((is_removed, _t.settled_at))).over(partition_by=[_t.bucket, _t.key])
    rows = (
        sa.select(
            *_t,
            is_removed.label("is_removed"),
            _any_of_key(_t.active).label("counts"),
            (_t.settled_at == last).label("is_last"),  # one retraction has one time, that of its transaction
        )
        .where(_t.bucket.in_(buckets))
        .subquery()
    )
    query = sa.select(rows).where(rows.c.is_removed, rows.c.is_last, ~rows.c.counts).order_by(rows.c.id)
    found: dict[Key, list[Removed]] = {}
    for row in connection.execute(query):
        is_dismissed = row.reason == _DISMISSED
        removed_one = Removed(version_of(row), row.path, is_dismissed, row.content_hash, rank_of(row))
        found.setdefault((row.bucket, row.key), []).append(removed_one)
    return found


def _is_unloaded(columns: Any) -> sa.ColumnElement[bool]:
    return sa.or_(columns.status.in_([Status.QUARANTINED, Status.FAILING]), is_archived(columns))


def _any_of_key(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether the condition holds for any version of a row's key."""
    return sa.func.bool_or(condition).over(partition_by=[_t.bucket, _t.key])


def make_pending(connection: Connection, version: FileVersion) -> None:
    """Make a retracted or dismissed version due again."""
    connection.execute(
        sa.update(landed_files)
        .where(*is_version(version))
        .values(status=Status.FAILING, reason="retry", message=TO_READ, attempts=0, next_attempt=sa.func.now())
    )
