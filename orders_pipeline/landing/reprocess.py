"""Reprocess active files that are outdated: from their raw object, or else from S3.

A file is outdated if older rules, another declaration or another time zone validated it. The raw object answers all of
that, unless the declaration changed what the columns are called: then the file's bytes are needed. Whatever cannot be
reprocessed keeps counting as it was read before, and is quarantined with advice; only a file whose object is missing
counts nowhere that is built from then on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.ingest import Ingest, Report, batched
from orders_pipeline.landing.provenance import Origin, origin_of
from orders_pipeline.landing.source_table import is_frozen
from orders_pipeline.ledger import active, entries, files
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import LOST, TABLE, Status
from orders_pipeline.settings import read_settings


@dataclass(frozen=True)
class _NeedsBytes:
    """A file that the raw object cannot answer for."""

    object_is_missing: bool


_Outcome = ActiveFile | _NeedsBytes | QuarantineError
_Otherwise = Callable[[Ingest, ActiveFile, _NeedsBytes], str]  # does what is to be done instead, and returns a remark


def reprocess_outdated(ingest: Ingest) -> Report:
    """Reprocess active files, and unrecoverable ones whose object may be back. Files that are due to be read again are
    left alone, unless a newer version of their key has landed: S3 has only that one."""
    loaded = active.outdated(ingest.connection, ingest.zone, Status.LOADED)
    unreadable = active.outdated(ingest.connection, ingest.zone, Status.QUARANTINED)
    unreadable += active.overtaken(ingest.connection, ingest.zone)
    unrecoverable = active.unrecoverable(ingest.connection)
    ingest.connection.rollback()
    report = _revalidate(ingest, loaded, _reread)
    report.add(_revalidate(ingest, unreadable, _give_up))
    report.add(_revalidate(ingest, unrecoverable, _why))
    return report


def discard_vanished(ingest: Ingest, bucket: str, listed: Sequence[str]) -> Report:
    """Forget failing and archived files that a complete listing of their bucket no longer shows. If one is active and
    was due to be reprocessed, its raw object stays active."""
    with ingest.transaction():
        for key in entries.vanished(ingest.connection, bucket, listed):
            ingest.log.info("%s was deleted before it could be read.", key)
            files.forget_unread(ingest.connection, bucket, key)
    there, waiting = set(listed), active.outdated(ingest.connection, ingest.zone, Status.FAILING)
    ingest.connection.rollback()
    gone = [file for file in waiting if file.version.bucket == bucket and file.version.key not in there]
    return _revalidate(ingest, gone, partial(_give_up, attempts=0))  # earlier attempts failed for other reasons


def _revalidate(ingest: Ingest, outdated: Sequence[ActiveFile], otherwise: _Otherwise) -> Report:
    """Revalidate files from their raw objects. `otherwise` handles each file that needs its bytes."""
    report = Report()
    by_version = {file.version: file for file in outdated}
    for batch in batched(list(by_version)):
        outcomes = {version: _revalidated(ingest, by_version[version]) for version in batch}
        for version, outcome in outcomes.items():
            if isinstance(outcome, _NeedsBytes):
                report.remarks.append(otherwise(ingest, by_version[version], outcome))
            elif isinstance(outcome, QuarantineError):
                report.remarks.append(_keep(ingest, by_version[version], outcome.code, str(outcome)))
        report.add(ingest.count([made for made in outcomes.values() if isinstance(made, ActiveFile)]))
    return report


def _revalidated(ingest: Ingest, file: ActiveFile) -> _Outcome:
    """A file with its rows validated again; or why that is not possible."""
    path, source = file.raw.path, ingest.source_of(file.version)
    if ingest.lake.damaged([path]):
        return _NeedsBytes(object_is_missing=True)
    origin = Origin.of(file.version, ingest.zone, source, file.raw.content_hash, file.ranked_at)
    try:
        before = raw_objects.source_of(ingest.lake, path)
        # Release 0.2 copied the columns of the table that were not in use in another form.
        has_other_text = file.version.bucket == TABLE and before.condition_columns != source.condition_columns
        if before.bytes_hash != source.bytes_hash or has_other_text:
            return _NeedsBytes(object_is_missing=False)
        return raw_objects.revalidate(ingest.lake, path, origin)
    except raw_objects.DAMAGE as error:
        ingest.log.warning("The object of %s cannot be read: %s", file.version.key, error)
        return _NeedsBytes(object_is_missing=True)
    except QuarantineError as error:
        return error


def _reread(ingest: Ingest, file: ActiveFile, needs: _NeedsBytes) -> str:
    version, source, settings = file.version, ingest.source_of(file.version), read_settings()
    is_left = not needs.object_is_missing and is_frozen(version.key, source, settings.today())
    is_listed = version.bucket == TABLE or settings.landing_zone.holds(version.bucket, version.key)
    if is_left or not is_listed:
        return _give_up(ingest, file, needs)
    with ingest.transaction():
        is_latest = files.reread(ingest.connection, version.bucket, version.key)
    if not is_latest:
        return _give_up(ingest, file, needs)
    if needs.object_is_missing:
        return f"The object of {version.key} is missing from the lake. The file is read again."
    return f"Another declaration applies to {version.key} ({source.name}). The file is read again."


def _give_up(ingest: Ingest, file: ActiveFile, needs: _NeedsBytes, attempts: int | None = None) -> str:
    """Quarantine a file whose bytes are needed and cannot be had."""
    key, source = file.version.key, ingest.source_of(file.version)
    if not needs.object_is_missing:
        was_tried = (file.raw.bytes_hash, file.raw.rows_hash) == (source.bytes_hash, source.rows_hash)
        reason = entries.quarantine_reason(ingest.connection, file.version)
        ingest.connection.rollback()
        if was_tried and reason is not None:  # the present declaration cannot read it
            return _keep(ingest, file, reason, _why(ingest, file))
        error = QuarantineError(
            "original_gone",
            f"Another declaration applies to {key}, and it cannot be read again: it is gone, archived or frozen. Upload"
            " it again under the same key; or restore it and run `orders-pipeline retry KEY`.",
        )
        return _keep(ingest, file, error.code, str(error))
    message = (
        f"The object of {key} is missing from the lake, and the file cannot be read again. Upload it"
        f" again, restore {ingest.lake.uri}, or run `orders-pipeline retract KEY`. Until then, days that depend on it"
        " keep their last published values."
        f" {_why(ingest, file)}"
    ).rstrip()
    with ingest.transaction():
        files.settle(
            ingest.connection, file.version, Status.QUARANTINED, LOST, message, ingest.run_id, attempts=attempts
        )
    return message


def _keep(ingest: Ingest, file: ActiveFile, code: str, message: str) -> str:
    """Quarantine a file that the present declaration cannot read, and let its rows count as another one read them."""
    path, counts = file.raw.path, "Its rows count as they were read before."
    message = message if message.endswith(counts) else f"{message} {counts}"
    origin, before = origin_of(ingest.lake.metadata(path)), raw_objects.source_of(ingest.lake, path)
    if origin is not None and origin.is_current_for(ingest.zone):
        kept = file.read_by(before)
    else:
        again = Origin.of(file.version, ingest.zone, before, file.raw.content_hash, file.ranked_at)
        kept = raw_objects.revalidate(ingest.lake, path, again)
    ingest.count([kept])
    with ingest.transaction():
        files.settle(
            ingest.connection,
            file.version,
            Status.QUARANTINED,
            code,
            message,
            ingest.run_id,
            tried_by=ingest.source_of(file.version),
        )
    return message


def _why(ingest: Ingest, file: ActiveFile, _needs: _NeedsBytes | None = None) -> str:
    """The message that the ledger has for a file."""
    message = entries.message(ingest.connection, file.version)
    ingest.connection.rollback()
    return message
