"""Reads what is known of a file: the ledger, S3 the listed rejects. Of the lake, whether its object is whole."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.explain.file import LEFT_OUT, PENDING, UNKNOWN, File, Rows, Version
from orders_pipeline.explain.meaning import is_storable
from orders_pipeline.explain.names import shown
from orders_pipeline.explain.snapshot import snapshot
from orders_pipeline.explain.tables import stale_days
from orders_pipeline.landing.side_files import SIDE_FILE, why_left_out
from orders_pipeline.ledger import declarations, findings, history, staleness, superseded
from orders_pipeline.ledger.findings import Recorded as Finding
from orders_pipeline.ledger.findings import of_file
from orders_pipeline.ledger.history import Recorded
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.ledger.versions import LOST, TABLE, FileVersion, Status
from orders_pipeline.resources import S3Resource
from orders_pipeline.schema import BLANK, CODE_VERSIONS, COUNTS, MERGED, REJECTED, UPSTREAM, VOID
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import Sources
from orders_pipeline.sources.senders import sender_of
from orders_pipeline.tables import rejects


def read_file(engine: Engine, s3: S3Resource, settings: Settings, bucket: str, key: str) -> File:
    """What is known of a file. S3 is asked for one of the landing zone.

    Raises:
        ServiceUnavailableError: the lake did not answer.
    """
    calendar = Calendar.of(settings)
    is_listed = is_storable(key) and settings.landing_zone.holds(bucket, key)
    current, s3_error = _on_s3(s3, key) if is_listed else (None, None)
    with snapshot(engine) as connection:
        sources = declarations.current(connection)
        entries = history.of_key(connection, bucket, key, sources) if is_storable(f"{bucket}{key}") else []
        due = {table: staleness.due_days(connection, table, calendar) for table in UPSTREAM}
        active = next((one for one in entries if one.is_active), None)
        counting = active.loaded if active else None
        days = counting.raw.days if counting else ()
        rows = _rows(connection, active) if active else None
        rejected = rejects.of_file(connection, bucket, key) if counting else []
        found = _findings(connection, bucket, key) if entries else []
    state, message = _state(entries, current, key, settings, sources)
    source = sources.of(bucket, key)
    is_declared = source is not sources.undeclared and source.name != sources.undeclared.name
    return File(
        shown(bucket, key, settings.landing_bucket),
        bucket,
        key,
        state,
        message,
        is_listed,
        (current is not None) if is_listed and s3_error is None else None,
        s3_error,
        sender_of(sources, bucket, key),
        source.name if is_declared else None,
        source.reading,
        [_version(one) for one in entries],
        _outdated(active or (entries[-1] if entries else None), settings),
        rows,
        days,
        stale_days(days, due),
        [day for day in days if day < calendar.start],
        [day for day in days if day > calendar.today],
        bool(counting and s3.lake().damaged([counting.raw.path])),
        rejected,
        found,
    )


def _on_s3(s3: S3Resource, key: str) -> tuple[FileVersion | None, str | None]:
    try:
        return s3.current(key), None
    except ServiceUnavailableError as error:
        return None, str(error)


def _state(
    entries: Sequence[Recorded], current: FileVersion | None, key: str, settings: Settings, sources: Sources
) -> tuple[str, str | None]:
    """The state of a file, and more about it. `current`: the version that S3 has."""
    last = entries[-1] if entries else None
    left_out = why_left_out(key, settings.landing_prefix, sources) if current else None
    if left_out and not any(one.is_active for one in entries):
        return LEFT_OUT, left_out
    if current is not None and (last is None or last.version != current):
        return PENDING, "S3 has a version that is not loaded yet"
    if last is None:
        return UNKNOWN, None
    if last.status is Status.QUARANTINED and last.reason == LOST:
        return LOST, last.message
    if last.reason == SIDE_FILE:
        return LEFT_OUT, last.message
    if last.status is Status.IGNORED and last.reason:
        return last.reason, last.message
    return str(last.status), last.message


def _version(one: Recorded) -> Version:
    return Version(
        str(one.status),
        one.reason,
        one.message,
        one.is_active,
        None if one.version.bucket == TABLE else one.version.last_modified,
        one.version.size,
        one.version.etag,
        one.loaded.raw.rows if one.loaded else None,
        one.settled_at,
        one.attempts,
        one.next_attempt,
    )


def _outdated(one: Recorded | None, settings: Settings) -> str | None:
    """Why a version is to be read or validated again. None: it is not."""
    if one is None or one.reason == LOST or one.status is Status.IGNORED:
        return None
    if one.is_active and one.rules == 0:
        return "it is to be read again"
    if one.is_active and (one.rules or 0) < CODE_VERSIONS["raw_orders"]:
        return "older rules validated it"
    if one.is_redeclared and (one.is_active or one.status is Status.QUARANTINED):
        return "another declaration applies to it now"
    return "it was validated for another time zone" if one.is_active and one.zone != settings.timezone else None


def _rows(connection: Connection, active: Recorded) -> Rows | None:
    if active.loaded is None:
        return None
    raw, key = active.loaded.raw, active.version.key
    replaced = superseded.by_file(connection, raw.days)
    own = [one for one in replaced if one.loser == key]
    outcomes = {
        COUNTS: raw.clean_rows,
        VOID: raw.void_rows,
        MERGED: raw.merged_rows,
        BLANK: raw.blank_rows,
        REJECTED: raw.rejects,
    }
    return Rows(
        raw.rows,
        outcomes,
        {COUNTS: raw.amounts.clean, VOID: raw.amounts.void, REJECTED: raw.amounts.rejected},
        sum(one.orders for one in own),
        sum((one.amount for one in own), Decimal("0.00")),
        sorted({one.winner for one in own}),
        sum(one.orders for one in replaced if one.winner == key and one.loser != key),
        raw.currencies,
    )


def _findings(connection: Connection, bucket: str, key: str) -> list[Finding]:
    subject = of_file(bucket, key)
    return [one for one in findings.unsettled(connection) if one.subject in (subject, f"rejects of {subject}")]
