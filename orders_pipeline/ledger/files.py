"""The states of a landed version: claimed, settled, active, replaced, forgotten."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from more_itertools import chunked
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.archive import is_archived
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import (
    IDENTITY,
    ActiveFile,
    identity,
    is_version,
    latest_of_keys,
    pairs,
    version_of,
)
from orders_pipeline.ledger.versions import ARCHIVED, LOST, Entry, FileVersion, Status
from orders_pipeline.schema import CODE_VERSIONS

MAX_ATTEMPTS: Final = 5
FIRST_BACKOFF: Final = 10  # seconds; each further one is four times as long
OUTAGE: Final = "outage"
INTERRUPTED: Final = "interrupted"  # claimed by a process that is still running or has died
TO_READ: Final = "Will be read again at the next sync or sensor tick."
_OUTAGE_BACKOFFS: Final = 6
_LONGEST_MESSAGE: Final = 2_000

_t: Final = landed_files.c
_KEYS_AT_ONCE: Final = 1_000
_COUNTS: Final = sa.func.bool_or(_t.active).over(partition_by=[_t.bucket, _t.key]).label("counts")
_DUE: Final = sa.func.coalesce(_t.next_attempt <= sa.func.now(), True).label("due")
_ENTRY: Final = (*(_t[name] for name in IDENTITY), _t.status, _t.reason, _t.attempts, _DUE, _COUNTS)


def entries(connection: Connection, bucket: str, keys: Sequence[str]) -> dict[str, Entry]:
    """The latest entry of each of these keys that the ledger knows."""
    return {row.key: _entry(row, due=row.due) for row in connection.execute(_latest_of(bucket, keys, *_ENTRY))}


def unsettled(connection: Connection, listed: Sequence[FileVersion]) -> list[tuple[FileVersion, Entry | None]]:
    """The listed versions that the ledger has not settled, each with the latest entry of its key."""
    found: list[tuple[FileVersion, Entry | None]] = []
    for bucket in sorted({version.bucket for version in listed}):
        for page in chunked((version for version in listed if version.bucket == bucket), _KEYS_AT_ONCE):
            settled = _settled(connection, bucket, [version.key for version in page])
            others = [v for v in page if (v.key, v.etag, v.size, v.last_modified) not in settled]
            known = entries(connection, bucket, [version.key for version in others]) if others else {}
            found += [(version, known.get(version.key)) for version in others]
    return found


def _settled(connection: Connection, bucket: str, keys: Sequence[str]) -> set[tuple[Any, ...]]:
    """The key, etag, size and `last_modified` of the latest entries of these keys that need no attempt.

    This is nearly all of most listings. Reading their `entries` instead takes several times as long."""
    named = _t.key, _t.etag, _t.size, _t.last_modified
    latest = _latest_of(bucket, keys, *named, _t.status, _t.reason, _t.next_attempt).subquery()
    waits_for_nothing = sa.and_(
        latest.c.status != Status.FAILING,
        latest.c.reason.is_distinct_from(LOST),
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


def claim(connection: Connection, versions: Sequence[FileVersion], run_id: str) -> dict[FileVersion, int]:
    """Record that a run is about to process these versions, before it reads them. Settling a version overwrites its
    claim. If the process dies, its claims are retried after a backoff. Returns the number of attempts of each."""
    statement = insert(landed_files)
    attempt = _t.attempts + 1
    rows = [
        {**identity(version), "status": Status.FAILING, "reason": INTERRUPTED, "attempts": 1, "run_id": run_id}
        for version in versions
    ]
    claimed = connection.execute(
        statement.values([{**row, "next_attempt": sa.func.now() + _backoff(sa.literal(1))} for row in rows])
        .on_conflict_do_update(
            constraint="landed_files_version",
            set_={
                "id": sa.text("DEFAULT"),
                "status": Status.FAILING,
                "reason": INTERRUPTED,
                "message": None,
                "attempts": attempt,
                "next_attempt": sa.func.now() + _backoff(attempt),
                "run_id": run_id,
            },
        )
        .returning(landed_files)
    )
    return {version_of(row): row.attempts for row in claimed}


def release(connection: Connection, run_id: str, message: str) -> None:
    """Refund the attempts at all versions that a run had claimed when an outage ended it."""
    _refund(connection, [_t.run_id == run_id, _t.reason == INTERRUPTED], message)


def refund_attempt(connection: Connection, version: FileVersion, message: str) -> None:
    """Refund an attempt that an outage cut short. The next one follows after a backoff."""
    _refund(connection, is_version(version), message)


def _refund(connection: Connection, which: Sequence[sa.ColumnElement[bool]], message: str) -> None:
    connection.execute(
        sa.update(landed_files)
        .where(*which, _t.status == Status.FAILING)
        .values(
            attempts=sa.func.greatest(_t.attempts - 1, 0),
            next_attempt=sa.func.now() + _backoff(sa.literal(1)) * _OUTAGE_BACKOFFS,
            reason=OUTAGE,
            message=_storable(message),
        )
    )


def end_backoff(connection: Connection) -> None:
    """Make versions due now that wait because of an outage, an interruption or an archive: a user requested it.
    Attempts keep their count.

    Skips rows that another transaction has locked: it is processing them. Waiting could deadlock, since these rows are
    locked in no particular order."""
    paused = sa.select(_t.id).where(
        sa.or_(sa.and_(_t.status == Status.FAILING, _t.reason.in_([OUTAGE, INTERRUPTED])), is_archived(_t))
    )
    connection.execute(
        sa.update(landed_files)
        .where(_t.id.in_(paused.with_for_update(skip_locked=True)))
        .values(next_attempt=sa.func.now())
    )


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


def settle(
    connection: Connection,
    version: FileVersion,
    status: Status,
    reason: str,
    message: str,
    run_id: str,
    *,
    attempts: int | None = None,
) -> None:
    """Record that a version is quarantined, ignored or failing. The last readable version of its key stays active.
    `attempts`: replaces the number of attempts."""
    result: dict[str, Any] = {"status": status, "reason": reason, "message": _storable(message), "run_id": run_id}
    if attempts is not None:
        result["attempts"] = attempts
    connection.execute(sa.update(landed_files).where(*is_version(version)).values(**result, settled_at=sa.func.now()))


def message(connection: Connection, version: FileVersion) -> str:
    """The message of a version, or an empty text."""
    return connection.execute(sa.select(_t.message).where(*is_version(version))).scalar_one() or ""


def failing_message(connection: Connection, version: FileVersion) -> str | None:
    """Why a version is failing. None: it is not."""
    query = sa.select(sa.func.coalesce(_t.message, _t.reason)).where(*is_version(version), _t.status == Status.FAILING)
    return connection.execute(query).scalar_one_or_none()


def paths(connection: Connection) -> set[str]:
    """Every object of a landed file, including those of replaced versions."""
    return set(connection.execute(sa.select(_t.path).where(_t.path.is_not(None))).scalars())


def discard(connection: Connection, version: FileVersion) -> None:
    """Forget a version that was listed and never read, and that S3 no longer has."""
    connection.execute(sa.delete(landed_files).where(*is_version(version), _t.active.is_(False)))


def activate(connection: Connection, loaded: Sequence[ActiveFile], zone: str, run_id: str) -> None:
    """Make these versions the active ones of their keys. The caller bumps the versions of the days that change, in the
    same transaction."""
    for file in sorted(loaded, key=lambda file: file.version):
        version, raw = file.version, file.raw
        connection.execute(
            sa.update(landed_files)
            .where(_t.bucket == version.bucket, _t.key == version.key, _t.active)
            .values(active=False)
        )
        connection.execute(
            sa.update(landed_files)
            .where(*is_version(version))
            .values(
                status=Status.LOADED,
                reason=None,
                message=None,
                active=True,
                rows=raw.rows,
                clean_rows=raw.clean_rows,
                days=list(raw.days),
                first_id=raw.ids and raw.ids.first,
                last_id=raw.ids and raw.ids.last,
                first_short_id=raw.ids and raw.ids.first_short,
                last_short_id=raw.ids and raw.ids.last_short,
                path=raw.path,
                rules=CODE_VERSIONS["raw_orders"],
                zone=zone,
                run_id=run_id,
                attempts=0,
                next_attempt=None,
                settled_at=sa.func.now(),
            )
        )


def forget(connection: Connection, bucket: str, key: str, *statuses: Status) -> None:
    """Forget the versions of a key that have one of these statuses and are not active."""
    connection.execute(
        sa.delete(landed_files).where(_t.bucket == bucket, _t.key == key, _t.active.is_(False), _t.status.in_(statuses))
    )


def forget_unread(connection: Connection, bucket: str, key: str) -> None:
    """Forget the failing and archived versions of a key that are not active."""
    unread = sa.or_(_t.status == Status.FAILING, is_archived(_t))
    connection.execute(sa.delete(landed_files).where(_t.bucket == bucket, _t.key == key, _t.active.is_(False), unread))


def retry(connection: Connection, bucket: str, key: str) -> bool:
    """Make the latest version of a key due, if it is quarantined, failing or archived. False: it is not."""
    found = connection.execute(
        sa.update(landed_files)
        .where(
            _t.id == _newest(bucket, key),
            sa.or_(_t.status.in_([Status.QUARANTINED, Status.FAILING]), is_archived(_t)),
        )
        .values(status=Status.FAILING, reason="retry", message=TO_READ, attempts=0, next_attempt=sa.func.now())
        .returning(_t.id)
    )
    return found.one_or_none() is not None


def reread(connection: Connection, bucket: str, key: str) -> bool:
    """Make an active version due: its object is missing, or the settings for reading it changed. It stays active, with
    code version 0, so that nothing is built from it until it is read again. False: the latest version of the key is
    not active."""
    found = connection.execute(
        sa.update(landed_files)
        .where(_t.id == _newest(bucket, key), _t.active)
        .values(status=Status.FAILING, reason="retry", message=TO_READ, attempts=0, next_attempt=sa.func.now())
        .returning(_t.path)
    )
    path = found.scalar_one_or_none()
    # Earlier versions with the same bytes share the object. They must not be reused either.
    connection.execute(
        sa.update(landed_files).where(_t.bucket == bucket, _t.key == key, _t.path == path).values(rules=0)
    )
    return path is not None


def live_keys(connection: Connection, bucket: str) -> set[str]:
    """The unsettled keys of a bucket: those with a version that is active, quarantined or failing."""
    waiting = _t.status.in_([Status.QUARANTINED, Status.FAILING])
    query = sa.select(_t.key).where(_t.bucket == bucket, sa.or_(_t.active, waiting))
    return set(connection.execute(query).scalars())


def _entry(row: Any, due: bool) -> Entry:
    is_lost = row.reason == LOST and row.attempts == 0  # otherwise a later reading failed
    waits_for_s3 = row.status == Status.IGNORED and row.reason == ARCHIVED
    return Entry(version_of(row), Status(row.status), row.attempts, due, is_lost, waits_for_s3, row.counts)


def _newest(bucket: str, key: str) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.max(_t.id)).where(_t.bucket == bucket, _t.key == key).scalar_subquery()


def _latest_of(bucket: str, keys: Sequence[str], *columns: Any) -> sa.Select[Any]:
    """These columns of the latest version of each of these keys."""
    return (
        sa.select(*columns)
        .ext(distinct_on(_t.key))
        .where(_t.bucket == bucket, _t.key == sa.any_(sa.literal(list(keys), sa.ARRAY(sa.Text))))
        .order_by(_t.key, _t.id.desc())
    )


def _storable(message: str) -> str:
    """The message, shortened and without characters that Postgres cannot store."""
    return message.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")[:_LONGEST_MESSAGE]


def _backoff(attempt: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """How long to wait after an attempt."""
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, FIRST_BACKOFF * sa.func.power(4, attempt - 1))
