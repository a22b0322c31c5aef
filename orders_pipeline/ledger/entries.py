"""What the ledger knows about the versions of each key: the latest entry, and which versions are not settled."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from more_itertools import chunked
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.archive import is_archived
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import IDENTITY, is_latest, is_version, latest_of_keys, pairs, version_of
from orders_pipeline.ledger.versions import ARCHIVED, LOST, Entry, FileVersion, Status
from orders_pipeline.sources.declaration import UNDECLARED, Sources

_t: Final = landed_files.c

_KEYS_AT_ONCE: Final = 1_000
_COUNTS: Final = sa.func.bool_or(_t.active).over(partition_by=[_t.bucket, _t.key]).label("counts")
_DUE: Final = sa.func.coalesce(_t.next_attempt <= sa.func.now(), True).label("due")
_ENTRY: Final = (*(_t[name] for name in IDENTITY), _t.status, _t.reason, _t.attempts, _DUE, _COUNTS)


def _latest(connection: Connection, bucket: str, keys: Sequence[str], sources: Sources) -> dict[str, Entry]:
    """The latest entry of each of these keys that the ledger knows."""
    is_redeclared = declarations.is_redeclared(_t, sources).label("is_redeclared")
    rows = connection.execute(_latest_of(bucket, keys, *_ENTRY, is_redeclared))
    return {row.key: replace(_entry(row, due=row.due), is_redeclared=row.is_redeclared) for row in rows}


def unsettled(connection: Connection, listed: Sequence[FileVersion]) -> list[tuple[FileVersion, Entry | None]]:
    """The listed versions that the ledger has not settled, each with the latest entry of its key. A key that its source
    ignores becomes a side file."""
    found: list[tuple[FileVersion, Entry | None]] = []
    sources = declarations.current(connection) if listed else UNDECLARED
    for bucket in sorted({version.bucket for version in listed}):
        for page in chunked((version for version in listed if version.bucket == bucket), _KEYS_AT_ONCE):
            settled = _settled(connection, bucket, [version.key for version in page], sources)
            others = [v for v in page if (v.key, v.etag, v.size, v.last_modified) not in settled]
            known = _latest(connection, bucket, [version.key for version in others], sources) if others else {}
            found += [(as_declared(version, sources), known.get(version.key)) for version in others]
    return found


def as_declared(version: FileVersion, sources: Sources) -> FileVersion:
    """The same version. It is a side file if its source ignores its key."""
    return replace(version, is_side_file=True) if sources.ignores(version.key) else version


def _settled(connection: Connection, bucket: str, keys: Sequence[str], sources: Sources) -> set[tuple[Any, ...]]:
    """The key, etag, size and `last_modified` of the latest entries of these keys that need no attempt.

    This is nearly all of most listings. Reading their entries with `_latest` instead takes several times as long."""
    named = _t.key, _t.etag, _t.size, _t.last_modified
    declared = _t.bucket, _t.bytes_hash, _t.rows_hash
    latest = _latest_of(bucket, keys, *named, *declared, _t.status, _t.reason, _t.next_attempt).subquery()
    is_due_again = sa.and_(latest.c.status == Status.QUARANTINED, declarations.is_redeclared(latest.c, sources))
    waits_for_nothing = sa.and_(
        latest.c.status != Status.FAILING,
        latest.c.reason.is_distinct_from(LOST),
        sa.not_(is_due_again),
        sa.or_(latest.c.reason.is_distinct_from(ARCHIVED), latest.c.next_attempt > sa.func.now()),
    )
    query = sa.select(*(latest.c[column.name] for column in named)).where(waits_for_nothing)
    return set(map(tuple, connection.execute(query)))


def histories(connection: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Entry]]:
    """All entries of each (bucket, key), the latest last. A pair that the ledger does not know has an empty list."""
    found: dict[tuple[str, str], list[Entry]] = {key: [] for key in keys}
    query = sa.select(landed_files, _COUNTS).where(sa.tuple_(_t.bucket, _t.key).in_(pairs(found))).order_by(_t.id)
    for row in connection.execute(query):
        found[row.bucket, row.key].append(_entry(row, due=True))
    return found


def vanished(connection: Connection, bucket: str, listed: Iterable[str]) -> list[str]:
    """The keys of failing and archived files that a complete listing does not contain: they can never be read."""
    latest = latest_of_keys(landed_files)
    waits = sa.or_(latest.c.status == Status.FAILING, is_archived(latest.c))
    query = sa.select(latest.c.key).where(latest.c.bucket == bucket, waits, latest.c.active.is_(False))
    return sorted(set(connection.execute(query).scalars()) - set(listed))


def failing(connection: Connection, *buckets: str) -> list[Entry]:
    """The failing entries of these buckets, or of all buckets if you name none."""
    latest = latest_of_keys(*_ENTRY)
    within = latest.c.bucket.in_(buckets) if buckets else sa.true()
    query = sa.select(latest).where(within, latest.c.status == Status.FAILING)
    return [_entry(row, due=row.due) for row in connection.execute(query.order_by(latest.c.bucket, latest.c.key))]


def message(connection: Connection, version: FileVersion) -> str:
    """The message of a version, or an empty text."""
    return connection.execute(sa.select(_t.message).where(*is_version(version))).scalar_one() or ""


def quarantine_reason(connection: Connection, version: FileVersion) -> str | None:
    """Why a version is quarantined. None: it is not."""
    query = sa.select(_t.reason).where(*is_version(version), _t.status == Status.QUARANTINED)
    return connection.execute(query).scalar_one_or_none()


def redeclared(connection: Connection, bucket: str) -> list[FileVersion]:
    """The latest versions of a bucket that are quarantined and for which another declaration holds now."""
    is_redeclared = declarations.is_redeclared(_t, declarations.current(connection))
    which = _t.bucket == bucket, _t.status == Status.QUARANTINED, is_redeclared, is_latest()
    return [version_of(row) for row in connection.execute(sa.select(landed_files).where(*which))]


def failing_message(connection: Connection, version: FileVersion) -> str | None:
    """Why a version is failing. None: it is not."""
    query = sa.select(sa.func.coalesce(_t.message, _t.reason)).where(*is_version(version), _t.status == Status.FAILING)
    return connection.execute(query).scalar_one_or_none()


def paths(connection: Connection) -> set[str]:
    """Every object of a landed file, including those of replaced versions."""
    return set(connection.execute(sa.select(_t.path).where(_t.path.is_not(None))).scalars())


def live_keys(connection: Connection, bucket: str) -> set[str]:
    """The unsettled keys of a bucket: those with a version that is active, quarantined or failing."""
    waiting = _t.status.in_([Status.QUARANTINED, Status.FAILING])
    query = sa.select(_t.key).where(_t.bucket == bucket, sa.or_(_t.active, waiting))
    return set(connection.execute(query).scalars())


def _entry(row: Any, due: bool) -> Entry:
    is_lost = row.reason == LOST and row.attempts == 0  # otherwise a later reading failed
    waits_for_s3 = row.status == Status.IGNORED and row.reason == ARCHIVED
    return Entry(version_of(row), Status(row.status), row.attempts, due, is_lost, waits_for_s3, row.counts)


def _latest_of(bucket: str, keys: Sequence[str], *columns: Any) -> sa.Select[Any]:
    """These columns of the latest version of each of these keys."""
    return (
        sa.select(*columns)
        .ext(distinct_on(_t.key))
        .where(_t.bucket == bucket, _t.key == sa.any_(sa.literal(list(keys), sa.ARRAY(sa.Text))))
        .order_by(_t.key, _t.id.desc())
    )
