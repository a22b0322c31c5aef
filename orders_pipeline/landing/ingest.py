"""From the landing zone into the ledger: fetch, parse, settle. One process at a time. Any step can be interrupted and
repeated."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl
from more_itertools import constrained_batches, partition
from sqlalchemy.engine import Connection, Engine

from orders_pipeline import progress
from orders_pipeline.errors import (
    ArchivedError,
    EmptyFileError,
    ObjectChangedError,
    QuarantineError,
    ServiceUnavailableError,
)
from orders_pipeline.landing import raw_objects, schema_drift
from orders_pipeline.landing.impact import on_activate, on_deactivate
from orders_pipeline.landing.outages import error_message, is_outage, releasing_on_outage
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.ledger import active, archive, declarations, entries, files, retractions
from orders_pipeline.ledger.files import MAX_ATTEMPTS
from orders_pipeline.ledger.locks import Lock, hold_exclusive
from orders_pipeline.ledger.records import ActiveFile, ranked_at
from orders_pipeline.ledger.versions import TABLE, FileVersion, Status, pending
from orders_pipeline.sources.declaration import Source, Sources
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import shortened

Fetch = Callable[[FileVersion, Path], None]
Confirm = Callable[[FileVersion], None]  # raises ObjectChangedError if the source holds another version now

_BATCH_FILES: Final = 500
_BATCH_BYTES: Final = 1 << 30
_THREADS: Final = 4


@dataclass
class Report:
    """What an ingest did, for logs, metadata and people."""

    loaded: list[ActiveFile] = field(default_factory=list)
    settled: list[tuple[FileVersion, Status, str]] = field(default_factory=list)
    changed_days: set[date] = field(default_factory=set)
    archived: list[FileVersion] = field(default_factory=list)
    changed: list[FileVersion] = field(default_factory=list)  # listed, but deleted or replaced since
    remarks: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Add the results of another batch."""
        self.loaded += other.loaded
        self.settled += other.settled
        self.changed_days |= other.changed_days
        self.archived += other.archived
        self.changed += other.changed
        self.remarks += other.remarks


@dataclass(frozen=True)
class _Replaced:
    """The active version of a key that lands again. `is_validated`: by the present rules, for the present time zone."""

    file: ActiveFile
    is_validated: bool

    def is_good_for(self, version: FileVersion, content_hash: str | None, lake: Lake) -> bool:
        """Whether the raw object is that of this version too."""
        has_same_bytes = self.file.has_bytes_of(version, content_hash)
        return self.is_validated and has_same_bytes and not lake.damaged([self.file.raw.path])


@dataclass(frozen=True)
class Ingest:
    """The right to change which files are active. It ends with the session that `connection` holds."""

    connection: Connection
    lake: Lake
    zone: str
    sources: Sources
    run_id: str
    log: logging.Logger

    def take(self, listed: Sequence[FileVersion], fetch: Fetch, confirm: Confirm | None = None) -> Report:
        """Settle every listed version that is due: load it, or record why not. After an outage, the next attempt loads
        what is left.

        Versions that failed before are tried alone, after all others. `fetch` downloads exactly the listed version, or
        raises. `confirm`, for a listing from earlier, checks versions that need no download.

        Raises:
            ServiceUnavailableError: Postgres or the lake failed meanwhile.
        """
        unsettled = entries.unsettled(self.connection, listed)
        self.connection.rollback()
        tried = {version for version, entry in unsettled if entry and entry.version == version and entry.attempts > 0}
        fresh, again = partition(tried.__contains__, pending(unsettled))
        report = Report()
        for batch in [*batched(fresh), *([version] for version in again)]:
            with releasing_on_outage(self.connection, self.run_id, self.log):
                report.add(self._take_batch(batch, fetch, confirm))
        return report

    def adopt(self, made: Sequence[ActiveFile]) -> Report:
        """Make versions active whose objects are already in the lake."""
        report = Report()
        by_version = {file.version: file for file in made}
        for batch in batched(list(by_version)):
            with self.transaction():
                files.claim(self.connection, batch, self.run_id)
            report.add(self.count([by_version[version] for version in batch]))
        return report

    def count(self, made: Sequence[ActiveFile], *, asked_for: bool = False) -> Report:
        """Make claimed versions active with these objects, in one transaction. `asked_for`: a person asked for it."""
        return self._commit(made, {}, [], asked_for=asked_for)

    def retract(
        self,
        keys: Sequence[tuple[str, str]],
        message: str,
        *,
        asked_for: bool,
        dismissing: str | None = None,
        forget: bool = False,
    ) -> set[date]:
        """Remove the rows of (bucket, key) pairs until a new version lands. Returns the days that change.

        `asked_for`: a person asked for it. `dismissing`: the message with which quarantined and failing versions are
        taken off the reports. `forget`: if a version that was seen before comes back, it is new again."""
        removed = active.of_keys(self.connection, keys)
        impact = on_deactivate(self.connection, self.lake, removed, self.log, asked_for=asked_for)
        with self.transaction():
            for bucket, key in keys:
                if dismissing is not None:
                    retractions.dismiss(self.connection, bucket, key, dismissing)
                retractions.retract(self.connection, bucket, key, message)
                if forget:
                    files.forget(self.connection, bucket, key, *Status)
            impact.record(self.connection)
        return impact.changed_days

    def wait_for(self, version: FileVersion, message: str) -> None:
        """Record that something could not even be listed. It is tried again after a backoff, like a file."""
        with self.transaction():
            files.claim(self.connection, [version], self.run_id)
            files.refund_attempt(self.connection, version, message)

    def forget(self, version: FileVersion) -> None:
        """Remove what `wait_for` recorded: it is listed now."""
        with self.transaction():
            files.forget(self.connection, version.bucket, version.key, Status.FAILING)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction of the session that holds the lock."""
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()

    def source_of(self, version: FileVersion) -> Source:
        """How the sender of a version writes."""
        return self.sources.of(version.bucket, version.key)

    def due(self, listed: Sequence[FileVersion]) -> list[FileVersion]:
        """The listed versions that are not settled."""
        return due(self.connection, listed)

    def _take_batch(self, batch: Sequence[FileVersion], fetch: Fetch, confirm: Confirm | None) -> Report:
        with self.transaction():
            attempts = files.claim(self.connection, batch, self.run_id, self.sources)
        replaced = self._replaced(batch)
        known = self._known_bytes(batch, replaced)
        outcomes: dict[FileVersion, ActiveFile | Exception] = {}

        def settle(version: FileVersion) -> ActiveFile | Exception:
            outcome = known.get(version) or _refusal(version, attempts[version])
            if outcome is not None:
                return _confirmed(version, outcome, confirm)
            return self._read(version, fetch, replaced.get((version.bucket, version.key)))

        with ThreadPoolExecutor(_THREADS) as threads:
            for version, outcome in zip(batch, threads.map(settle, batch), strict=True):
                outcomes[version] = outcome
                progress.report("files", len(outcomes), len(batch))
        loaded = [made for made in outcomes.values() if isinstance(made, ActiveFile)]
        failed = {version: error for version, error in outcomes.items() if isinstance(error, Exception)}
        last_attempts = [version for version in batch if attempts[version] >= MAX_ATTEMPTS]
        try:
            return self._commit(loaded, failed, last_attempts)
        except Exception as error:
            if len(batch) > 1 or is_outage(error):
                raise  # each file is tried again, alone
            return self._commit([], {batch[0]: error}, last_attempts)

    def _replaced(self, batch: Iterable[FileVersion]) -> dict[tuple[str, str], "_Replaced"]:
        keys = [(version.bucket, version.key) for version in batch]
        replaced = active.of_keys(self.connection, keys)
        validated = {file.version for file in active.of_keys(self.connection, keys, zone=self.zone)}
        self.connection.rollback()
        return {
            (file.version.bucket, file.version.key): _Replaced(file, file.version in validated) for file in replaced
        }

    def _known_bytes(
        self, batch: Iterable[FileVersion], replaced: Mapping[tuple[str, str], "_Replaced"]
    ) -> dict[FileVersion, ActiveFile]:
        """The versions whose bytes are known without a download: the ETag and size are those of the active version."""
        found = ((version, replaced.get((version.bucket, version.key))) for version in batch)
        known = {
            version: replace(one.file, version=version)
            for version, one in found
            if one and one.is_validated and one.file.has_bytes_of(version)
        }
        damaged = set(self.lake.damaged(file.raw.path for file in known.values()))
        return {version: file for version, file in known.items() if file.raw.path not in damaged}

    def _read(self, version: FileVersion, fetch: Fetch, replaced: "_Replaced | None") -> ActiveFile | Exception:
        """A version with its raw object, or the error. An error affects only its own file. Bytes equal to those of the
        active version keep its rank, and its raw object if that is still good."""
        try:
            with tempfile.TemporaryDirectory(prefix="orders-landing-") as spool:
                file = Path(spool) / "file"
                fetch(version, file)
                # The ETag of a day of the source table covers more than its copy: which columns are an order's.
                content_hash = None if version.bucket == TABLE else raw_objects.content_hash(file)
                if replaced and replaced.is_good_for(version, content_hash, self.lake):
                    return replace(replaced.file, version=version)
                rank = ranked_at(version, content_hash, replaced.file if replaced else None)
                origin = Origin.of(version, self.zone, self.source_of(version), content_hash, rank)
                return raw_objects.write_object(self.lake, file, origin)
        except OSError as error:  # of the spool or the lake: the bytes of a file cause other errors
            return ServiceUnavailableError(f"No place to work: {error}") if error.errno is not None else error
        except pl.exceptions.PanicException as error:  # PanicException is not an Exception
            return RuntimeError(f"Polars: {error}")
        except Exception as error:
            return error

    def _commit(
        self,
        loaded: Sequence[ActiveFile],
        failed: dict[FileVersion, Exception],
        last_attempts: Sequence[FileVersion],
        *,
        asked_for: bool = False,
    ) -> Report:
        """Settle a batch in one transaction of the session that holds the lock."""
        remarks = schema_drift.new_columns(self.connection, loaded, partial(raw_objects.unused_columns, self.lake))
        self._log_postponed(failed)
        impact = on_activate(self.connection, self.lake, loaded, self.log, asked_for=asked_for)
        report = Report(loaded=list(loaded), changed_days=impact.changed_days, remarks=remarks)
        with self.transaction():
            for version, error in failed.items():
                self._settle(version, error, version in last_attempts, report)
            files.activate(self.connection, loaded, self.zone, self.run_id)
            impact.record(self.connection)
        return report

    def _log_postponed(self, failed: Mapping[FileVersion, Exception]) -> None:
        """One line for all files that met the same outage."""
        keys = dict[str, list[str]]()
        for version, error in failed.items():
            if isinstance(error, ServiceUnavailableError):
                keys.setdefault(error_message(error), []).append(version.key)
        for message, postponed in keys.items():
            self.log.warning("Postponed: %s. %s", shortened(postponed), message)

    def _settle(self, version: FileVersion, error: Exception, is_last_attempt: bool, report: Report) -> None:
        if isinstance(error, ServiceUnavailableError):
            files.refund_attempt(self.connection, version, str(error))
            return
        if isinstance(error, ObjectChangedError):
            files.discard(self.connection, version)
            report.changed.append(version)
            report.remarks.append(
                f"{version.key} was replaced or deleted while it was read. The next run loads its new version."
            )
            return
        if isinstance(error, ArchivedError) and archive.wait_for_restore(self.connection, version, self.run_id):
            report.archived.append(version)
            return
        if isinstance(error, QuarantineError):
            status, reason, message = Status.QUARANTINED, error.code, str(error)
        elif isinstance(error, EmptyFileError):
            status, reason, message = Status.IGNORED, "empty", str(error)
        else:
            is_last_attempt |= isinstance(error, ArchivedError)  # of an active file: the rows already read stay active
            status = Status.QUARANTINED if is_last_attempt else Status.FAILING
            reason, message = (
                "gave_up" if is_last_attempt else "failed",
                f"{type(error).__name__}: {error_message(error)}",
            )
        self.log.warning("%s is %s (%s): %s", version.key, status, reason, message)
        files.settle(self.connection, version, status, reason, message, self.run_id)
        report.settled.append((version, status, reason))


def _refusal(version: FileVersion, attempts: int) -> Exception | None:
    """Why a version is not fetched; None: it may be fetched."""
    if attempts > MAX_ATTEMPTS:
        return RuntimeError("every process that read it died without an error message")
    return refusal(version)


def refusal(version: FileVersion) -> Exception | None:
    """Why a version is never fetched; None: it may be fetched."""
    if version.key.endswith("/") or version.size == 0:
        return EmptyFileError("The object is empty: a folder marker, or a file without a header.")
    return raw_objects.refusal(version)


def _confirmed(
    version: FileVersion, outcome: ActiveFile | Exception, confirm: Confirm | None
) -> ActiveFile | Exception:
    """The outcome of a version that was not fetched; an error if S3 no longer holds it."""
    try:
        if confirm is not None:
            confirm(version)
    except Exception as error:
        return error
    return outcome


def due(connection: Connection, listed: Sequence[FileVersion]) -> list[FileVersion]:
    """The listed versions that are not settled."""
    unsettled = entries.unsettled(connection, listed)
    connection.rollback()
    return pending(unsettled)


@contextmanager
def ingesting(engine: Engine, lake: Lake, zone: str, run_id: str, log: logging.Logger) -> Iterator[Ingest]:
    """Wait for the right to change which files are active, and hold it."""
    with hold_exclusive(engine, Lock.INGEST) as connection:
        sources = declarations.current(connection)
        connection.rollback()
        yield Ingest(connection, lake, zone, sources, run_id, log)


def batched(versions: Iterable[FileVersion]) -> Iterator[tuple[FileVersion, ...]]:
    """Batches bounded in files and bytes. A batch is committed in one transaction, so its files wait for each other."""
    return constrained_batches(
        versions, _BATCH_BYTES, max_count=_BATCH_FILES, get_len=lambda version: version.size, strict=False
    )
