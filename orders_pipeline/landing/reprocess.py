"""What counts already is looked at again: its rows are judged by today's rules, and what the lake has lost is read anew
from S3, or set aside with a word of advice."""

from collections.abc import Callable, Sequence
from functools import partial

from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.ingest import Ingest, Report, batched
from orders_pipeline.ledger import active, files
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import LOST, Status


def reprocess_outdated(ingest: Ingest) -> Report:
    """Judge again the rows of active files that older rules, or rules for another time zone, have judged, and those
    that were lost and may have been found; but not those that wait to be read anew."""
    loaded = active.outdated(ingest.connection, ingest.zone, Status.LOADED)
    unreadable = active.outdated(ingest.connection, ingest.zone, Status.QUARANTINED)
    lost = active.lost(ingest.connection)
    ingest.connection.rollback()
    report = _revalidate(ingest, loaded, _reread)
    report.add(_revalidate(ingest, unreadable, _give_up))
    report.add(_revalidate(ingest, lost, _why))
    return report


def discard_vanished(ingest: Ingest, bucket: str, listed: Sequence[str]) -> Report:
    """Wait no more for failing and archived files that a complete listing of their bucket does not show any more. Of
    one that counts, and was to be read anew, what the lake has goes on counting."""
    with ingest.transaction():
        for key in files.vanished(ingest.connection, bucket, listed):
            ingest.log.info("%s is gone before it could be read.", key)
            files.forget_unread(ingest.connection, bucket, key)
    there, waiting = set(listed), active.outdated(ingest.connection, ingest.zone, Status.FAILING)
    ingest.connection.rollback()
    gone = [file for file in waiting if file.version.bucket == bucket and file.version.key not in there]
    return _revalidate(ingest, gone, partial(_give_up, attempts=0))  # whatever was tried, it was not unreadable


def _revalidate(ingest: Ingest, standing: Sequence[ActiveFile], without: Callable[[Ingest, ActiveFile], str]) -> Report:
    """Let files count with their rows judged anew; `without` says what becomes of those whose object is lost."""
    report = Report()
    by_version = {file.version: file for file in standing}
    for batch in batched(list(by_version)):
        judged = {version: _revalidated(ingest, by_version[version]) for version in batch}
        report.remarks += [without(ingest, by_version[version]) for version, made in judged.items() if made is None]
        report.add(ingest.count([made for made in judged.values() if made is not None]))
    return report


def _revalidated(ingest: Ingest, file: ActiveFile) -> ActiveFile | None:
    """A file with its rows judged anew. None: the lake has lost its object, or it is damaged."""
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
    return f"The lake has lost the object of {file.version.key}: it is read anew."


def _give_up(ingest: Ingest, file: ActiveFile, attempts: int | None = None) -> str:
    message = (
        f"The lake has lost what was read of {file.version.key}, and it cannot be read anew. Upload the file again,"
        f" restore {ingest.lake.uri}, or say `orders-pipeline retract KEY`: until then the days in which it has a say"
        " keep their last figures."
        f" {_why(ingest, file)}"
    ).rstrip()
    with ingest.transaction():
        files.settle(
            ingest.connection, file.version, Status.QUARANTINED, LOST, message, ingest.run_id, attempts=attempts
        )
    return message


def _why(ingest: Ingest, file: ActiveFile) -> str:
    """What the ledger has said of it so far."""
    message = files.message(ingest.connection, file.version)
    ingest.connection.rollback()
    return message
