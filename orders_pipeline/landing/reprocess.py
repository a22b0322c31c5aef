"""Revalidate active files by the present rules, and reprocess those whose object is missing. A file that can neither
be revalidated nor reprocessed is quarantined as unrecoverable, with advice."""

from collections.abc import Callable, Sequence
from functools import partial

from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.ingest import Ingest, Report, batched
from orders_pipeline.ledger import active, entries, files
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import LOST, Status


def reprocess_outdated(ingest: Ingest) -> Report:
    """Revalidate active files that were validated by older rules or for another time zone, and unrecoverable ones whose
    object may be back. Files that are due to be reprocessed are left alone."""
    loaded = active.outdated(ingest.connection, ingest.zone, Status.LOADED)
    unreadable = active.outdated(ingest.connection, ingest.zone, Status.QUARANTINED)
    unrecoverable = active.lost(ingest.connection)
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


def _revalidate(ingest: Ingest, outdated: Sequence[ActiveFile], without: Callable[[Ingest, ActiveFile], str]) -> Report:
    """Revalidate files. `without` handles each file whose object is missing or damaged, and returns a remark."""
    report = Report()
    by_version = {file.version: file for file in outdated}
    for batch in batched(list(by_version)):
        revalidated = {version: _revalidated(ingest, by_version[version]) for version in batch}
        report.remarks += [
            without(ingest, by_version[version]) for version, made in revalidated.items() if made is None
        ]
        report.add(ingest.count([made for made in revalidated.values() if made is not None]))
    return report


def _revalidated(ingest: Ingest, file: ActiveFile) -> ActiveFile | None:
    """A file with its rows validated again. None: its object is missing or damaged."""
    if ingest.lake.missing([file.raw.path]):
        return None
    try:
        return ActiveFile(file.version, raw_objects.revalidate(ingest.lake, file.raw.path, file.version, ingest.zone))
    except raw_objects.DAMAGE as error:
        ingest.log.warning("The object of %s cannot be read: %s", file.version.key, error)
        return None


def _reread(ingest: Ingest, file: ActiveFile) -> str:
    with ingest.transaction():
        files.reread(ingest.connection, file.version.bucket, file.version.key)
    return f"The object of {file.version.key} is missing from the lake. The file is read again."


def _give_up(ingest: Ingest, file: ActiveFile, attempts: int | None = None) -> str:
    message = (
        f"The object of {file.version.key} is missing from the lake, and the file cannot be read again. Upload it"
        f" again, restore {ingest.lake.uri}, or run `orders-pipeline retract KEY`. Until then, days that depend on it"
        " keep their last published values."
        f" {_why(ingest, file)}"
    ).rstrip()
    with ingest.transaction():
        files.settle(
            ingest.connection, file.version, Status.QUARANTINED, LOST, message, ingest.run_id, attempts=attempts
        )
    return message


def _why(ingest: Ingest, file: ActiveFile) -> str:
    """The message that the ledger has for a file."""
    message = entries.message(ingest.connection, file.version)
    ingest.connection.rollback()
    return message
