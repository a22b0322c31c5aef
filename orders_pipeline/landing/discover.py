"""Find what to ingest: the objects that S3 lists, or those that a run names, and the days of the source table."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import Connection

from orders_pipeline.errors import ServiceUnavailableError, SettingsError
from orders_pipeline.landing import notices, side_files, source_table
from orders_pipeline.landing.ingest import Ingest, Report, due
from orders_pipeline.landing.reprocess import discard_vanished
from orders_pipeline.ledger import declarations, entries
from orders_pipeline.ledger.keys import active_among, known_among
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import Source
from orders_pipeline.text import printable, shortened

if TYPE_CHECKING:
    from orders_pipeline.resources import S3Resource

_THREADS: Final = 8  # keys are looked up one by one, and S3 takes a while for each answer


def receive_files(ingest: Ingest, s3: "S3Resource", keys: Sequence[str], listed: Sequence[FileVersion] = ()) -> Report:
    """Load the pending versions of these keys; without keys, of everything that S3 lists. `listed`: versions of some
    keys from an earlier listing. Such a key is looked up on S3 only if its listed version is out of date.

    Raises:
        SettingsError: a key is not in the landing zone, or never was. Nothing is loaded.
        ServiceUnavailableError: S3 did not answer.
    """
    report = _receive_named(ingest, s3, list(dict.fromkeys(keys)), listed) if keys else _receive_all(ingest, s3)
    if report.archived:
        report.remarks.append(notices.archived(report.archived))
    return report


def _receive_all(ingest: Ingest, s3: "S3Resource") -> Report:
    listed = [version for page in s3.list_pages() for version in page]
    report = discard_vanished(ingest, s3.bucket, [version.key for version in listed])
    side_files.ignore_reported(ingest, s3)
    report.add(ingest.take(listed, s3.download))
    return report


def _receive_named(ingest: Ingest, s3: "S3Resource", keys: list[str], listed: Sequence[FileVersion]) -> Report:
    prefix = s3.prefix
    if outside := [key for key in keys if not key.startswith(prefix)]:
        raise SettingsError(
            f"s3_keys names {outside[0]!r}, which is not in the landing zone: keys begin with {prefix!r}"
            " (ORDERS_LANDING_PREFIX)."
        )
    seen = {version.key: version for version in listed}
    unlisted = [key for key in keys if key not in seen]
    found = _look_up(s3, unlisted)
    if unknown := _never_there(ingest.connection, s3, [key for key in unlisted if found[key] is None]):
        raise SettingsError(
            f"s3_keys names {shortened(unknown)}: no such key is or was under s3://{s3.bucket}/{prefix}. Nothing was"
            " loaded. Write each key in full, as `aws s3 ls --recursive` shows it: keys are case-sensitive."
        )
    report = ingest.take([seen[key] for key in keys if key in seen], s3.download, s3.confirm)
    out_of_date = {version.key for version in report.changed}
    found |= _look_up(s3, [key for key in keys if key in out_of_date])
    there = [version for version in found.values() if version is not None]
    report.add(ingest.take(there, s3.download))
    report.remarks += _left_out(ingest, s3, there)
    report.remarks += [f"{key} is gone from S3." for key, version in found.items() if version is None]
    return report


def _look_up(s3: "S3Resource", keys: list[str]) -> dict[str, FileVersion | None]:
    """What S3 has of these keys now."""
    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(zip(keys, threads.map(s3.current, keys), strict=True))


def _never_there(connection: Connection, s3: "S3Resource", gone: list[str]) -> list[str]:
    """The keys among these that the ledger does not know either. It knows none with U+0000."""
    if not gone:
        return []
    known = known_among(connection, s3.bucket, [key for key in gone if "\0" not in key])
    connection.rollback()
    return [printable(key) for key in gone if key not in known]


def _left_out(ingest: Ingest, s3: "S3Resource", versions: list[FileVersion]) -> list[str]:
    """A remark on each key that was named and is left out."""
    why = {version.key: side_files.why_left_out(version.key, s3.prefix, ingest.sources) for version in versions}
    named = [key for key, reason in why.items() if reason]
    active_keys = active_among(ingest.connection, s3.bucket, named) if named else set()
    return [f"{key} is left out: {why[key]}." for key in named if key not in active_keys]


def receive_table(ingest: Ingest, settings: Settings) -> Report:
    """Load the days of the source table that changed since they were last loaded, and retract those that are gone.

    A source that does not answer or is not where the settings point is recorded as failing, so that a sensor requests
    it again before the next morning. The same holds if the run ends before the whole table is loaded.

    Raises:
        ServiceUnavailableError: the pipeline's own Postgres or the lake failed meanwhile.
    """
    ingest.wait_for(source_table.WHOLE, "The source table is being read, or its run ended early.")
    with tempfile.TemporaryDirectory(prefix="orders-table-") as folder:
        try:
            with source_table.snapshot(settings, ingest.sources.of_table) as snapshot:
                if snapshot is None:
                    report = discard_vanished(ingest, source_table.BUCKET, [])
                    report.remarks.append(
                        f"There is no source table {settings.source_table!r} (ORDERS_SOURCE_TABLE): skipped."
                    )
                    return report
                there = snapshot.versions()
                listed = _compared(ingest.connection, ingest.sources.of_table, settings, there)
                changed = ingest.due(listed)
                copied = snapshot.copy_days([version.key for version in changed], Path(folder)) if changed else {}
        except (ServiceUnavailableError, SettingsError) as error:
            ingest.log.error(str(error))
            ingest.wait_for(source_table.WHOLE, str(error))
            return Report(remarks=[str(error)])
        report = ingest.take(changed, partial(source_table.fetch_from, copied))
    if snapshot.has_days:
        _retract_gone_days(ingest, settings, there, report)
    ingest.forget(source_table.WHOLE)
    return report


def table_is_pending(connection: Connection, settings: Settings) -> bool:
    """Whether `receive_table` would change anything. Queries the table only if the ledger does not answer it."""
    waiting = entries.failing(connection, source_table.BUCKET)
    if any(entry.due and entry.version == source_table.WHOLE for entry in waiting):
        return True
    source = declarations.current(connection).of_table
    try:
        with source_table.snapshot(settings, source) as snapshot:
            if snapshot is None:
                return False
            there = snapshot.versions()
    except (ServiceUnavailableError, SettingsError):
        return True  # to be recorded
    gone = _gone_days(connection, source, settings, there) if snapshot.has_days else []
    return bool(due(connection, _compared(connection, source, settings, there)) or gone)


def table_trouble(connection: Connection) -> str | None:
    """Why the last run could not load the source table, from the ledger; None: it was loaded."""
    return entries.failing_message(connection, source_table.WHOLE)


def _retract_gone_days(ingest: Ingest, settings: Settings, there: list[FileVersion], report: Report) -> None:
    gone = _gone_days(ingest.connection, ingest.sources.of_table, settings, there)
    report.add(
        discard_vanished(ingest, source_table.BUCKET, [source_table.WHOLE.key, *(day.key for day in there), *gone])
    )
    for key in gone:
        report.changed_days |= ingest.retract(
            [(source_table.BUCKET, key)], "The day is gone from the table.", asked_for=False, forget=True
        )
        report.remarks.append(f"{key} is gone from the source table.")


def _compared(
    connection: Connection, source: Source, settings: Settings, there: list[FileVersion]
) -> list[FileVersion]:
    """The days of the table that are compared with the ledger: those that are not frozen, or are to be read again."""
    if source.frozen_after is None:
        return there
    again = {entry.version.key for entry in entries.failing(connection, source_table.BUCKET)}
    connection.rollback()
    today = settings.today()
    return [day for day in there if day.key in again or not source_table.is_frozen(day.key, source, today)]


def _gone_days(connection: Connection, source: Source, settings: Settings, there: list[FileVersion]) -> list[str]:
    """The keys of days that the ledger knows and the table no longer has, short of frozen ones."""
    known = entries.live_keys(connection, source_table.BUCKET) - {source_table.WHOLE.key}
    today = settings.today()
    return [key for key in source_table.gone(known, there) if not source_table.is_frozen(key, source, today)]
