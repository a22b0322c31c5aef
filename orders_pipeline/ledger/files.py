"""The state machine of a landed version: claimed, settled, active, replaced, forgotten.

`entries` reads what these functions write.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.archive import is_archived
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import ActiveFile, identity, is_version, version_of
from orders_pipeline.ledger.versions import FileVersion, Status
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline.sources.declaration import UNDECLARED, Source, Sources
from orders_pipeline.text import LONGEST_MESSAGE, cut

MAX_ATTEMPTS: Final = 5
FIRST_BACKOFF: Final = 10  # seconds; each further one is four times as long
OUTAGE: Final = "outage"
INTERRUPTED: Final = "interrupted"  # claimed by a process that is still running or has died
TO_READ: Final = "Will be read again at the next sync or sensor tick."
_OUTAGE_BACKOFFS: Final = 6

_t: Final = landed_files.c


def claim(
    connection: Connection, versions: Sequence[FileVersion], run_id: str, sources: Sources = UNDECLARED
) -> dict[FileVersion, int]:
    """Record that a run is about to process these versions, before it reads them. Settling a version overwrites its
    claim. If the process dies, its claims are retried after a backoff. Returns the number of attempts of each.
    `sources`: by which they are going to be read."""
    statement = insert(landed_files)
    declared = statement.excluded
    is_declared_otherwise = sa.or_(
        _t.bytes_hash.is_distinct_from(declared.bytes_hash), _t.rows_hash.is_distinct_from(declared.rows_hash)
    )
    attempt = sa.case((is_declared_otherwise, 1), else_=_t.attempts + 1)  # what failed before may not fail now
    rows = [
        {
            **identity(version),
            "status": Status.FAILING,
            "reason": INTERRUPTED,
            "attempts": 1,
            "run_id": run_id,
            **_tried_by(sources.of(version.bucket, version.key)),
        }
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
                "bytes_hash": declared.bytes_hash,
                "rows_hash": declared.rows_hash,
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


def settle(
    connection: Connection,
    version: FileVersion,
    status: Status,
    reason: str,
    message: str,
    run_id: str,
    *,
    attempts: int | None = None,
    tried_by: Source | None = None,
) -> None:
    """Record that a version is quarantined, ignored or failing. The last readable version of its key stays active.
    `attempts`: replaces the number of attempts. `tried_by`: the source by which it could not be read, if no claim
    recorded it."""
    result: dict[str, Any] = {"status": status, "reason": reason, "message": _storable(message), "run_id": run_id}
    if attempts is not None:
        result["attempts"] = attempts
    if tried_by is not None:
        result |= _tried_by(tried_by)
    connection.execute(sa.update(landed_files).where(*is_version(version)).values(**result, settled_at=sa.func.now()))


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
                void_rows=raw.void_rows,
                merged_rows=raw.merged_rows,
                blank_rows=raw.blank_rows,
                clean_amount=raw.amounts.clean,
                void_amount=raw.amounts.void,
                rejected_amount=raw.amounts.rejected,
                currencies=list(raw.currencies),
                negative_rows=raw.suspects.negative_rows,
                negative_amount=raw.suspects.negative_amount,
                damaged_rows=raw.suspects.damaged_rows,
                damaged_amount=raw.suspects.damaged_amount,
                damaged_examples=list(raw.suspects.damaged_examples),
                bytes_hash=raw.bytes_hash,
                rows_hash=raw.rows_hash,
                days=list(raw.days),
                first_id=raw.ids.first if raw.ids else None,
                last_id=raw.ids.last if raw.ids else None,
                first_short_id=raw.ids.first_short if raw.ids else None,
                last_short_id=raw.ids.last_short if raw.ids else None,
                path=raw.path,
                content_hash=raw.content_hash,
                ranked_at=file.ranked_at,
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
        .values(status=Status.FAILING, reason="retry", message=TO_READ, attempts=0, next_attempt=sa.func.now(), rules=0)
        .returning(_t.id)
    )
    return found.one_or_none() is not None


def _newest(bucket: str, key: str) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.max(_t.id)).where(_t.bucket == bucket, _t.key == key).scalar_subquery()


def _storable(message: str) -> str:
    """The message, shortened and without characters that Postgres cannot store."""
    return cut(message.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00"), LONGEST_MESSAGE)


def _backoff(attempt: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """How long to wait after an attempt."""
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, FIRST_BACKOFF * sa.func.power(4, attempt - 1))


def _tried_by(source: Source) -> dict[str, str | None]:
    """The declaration by which a version is read, or could not be. It is not tried again until another one holds."""
    return {"bytes_hash": source.bytes_hash, "rows_hash": source.rows_hash}
