"""Which keys the ledger knows, whatever the status of their versions."""

from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.archive import is_archived
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import is_latest, pairs, version_of
from orders_pipeline.ledger.versions import FileVersion, Status
from orders_pipeline.sources import patterns

_t: Final = landed_files.c


def knows_any(connection: Connection, bucket: str, prefix: str) -> bool:
    """Whether the ledger knows any version of a key with this prefix."""
    found = sa.select(_t.id).where(_t.bucket == bucket, _t.key.startswith(prefix, autoescape=True)).limit(1)
    return connection.execute(found).one_or_none() is not None


def beginning_with(connection: Connection, bucket: str, prefix: str) -> set[str]:
    """The keys with this prefix of which the ledger knows any version."""
    query = sa.select(_t.key).where(_t.bucket == bucket, _t.key.startswith(prefix, autoescape=True))
    return set(connection.execute(query).scalars())


def known_among(connection: Connection, bucket: str, keys: Iterable[str]) -> set[str]:
    """The keys among these of which the ledger knows any version."""
    query = sa.select(_t.key).where(sa.tuple_(_t.bucket, _t.key).in_(pairs((bucket, key) for key in keys)))
    return set(connection.execute(query).scalars())


def active_among(connection: Connection, bucket: str, keys: Iterable[str]) -> set[str]:
    """The keys among these that have an active version."""
    named = pairs((bucket, key) for key in keys)
    query = sa.select(_t.key).where(_t.active, sa.tuple_(_t.bucket, _t.key).in_(named))
    return set(connection.execute(query).scalars())


def active_with_side_names(connection: Connection, bucket: str, ignored: Sequence[str]) -> list[str]:
    """The keys that have an active version and a segment that begins with `_` or `.`, or fit a pattern, in order."""
    query = sa.select(_t.key).where(_t.active, _t.bucket == bucket, _has_side_name(ignored))
    return sorted(connection.execute(query).scalars())


def unloaded_with_side_names(connection: Connection, bucket: str, ignored: Sequence[str]) -> list[FileVersion]:
    """The quarantined, failing and archived latest versions of such keys without an active version."""
    is_unloaded = sa.or_(_t.status.in_([Status.QUARANTINED, Status.FAILING]), is_archived(_t))
    query = sa.select(landed_files).where(_t.bucket == bucket, is_unloaded, _has_side_name(ignored), is_latest())
    found = [version_of(row) for row in connection.execute(query.order_by(_t.key))]
    active = active_among(connection, bucket, [version.key for version in found]) if found else set()
    return [version for version in found if version.key not in active]


def _has_side_name(ignored: Sequence[str]) -> sa.ColumnElement[bool]:
    by_name = _t.key.regexp_match("(^|/)[_.]")  # also matches the prefix, which `is_side_file` skips
    return sa.or_(by_name, *(_t.key.like(patterns.like(pattern), escape="\\") for pattern in ignored))
