"""From the landing zone into the ledger: fetch, parse, settle. One process at a time; any step may be cut short and
done again."""

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl
from sqlalchemy.engine import Connection, Engine

from orders_pipeline import progress
from orders_pipeline.errors import (
    EmptyFileError,
    MissingInputError,
    ObjectChangedError,
    QuarantineError,
    ServiceUnavailableError,
)
from orders_pipeline.lake import Lake
from orders_pipeline.landing import drift, raw, sharing
from orders_pipeline.landing.outages import blaming_no_file, is_outage, said
from orders_pipeline.landing.versions import FileVersion, Status, pending
from orders_pipeline.ledger import active, days, files, shared
from orders_pipeline.ledger.files import MAX_ATTEMPTS
from orders_pipeline.ledger.landed import ActiveFile, RawObject
from orders_pipeline.ledger.locks import Lock, exclusive

Fetch = Callable[[FileVersion, Path], None]

_BATCH_FILES: Final = 500
_BATCH_BYTES: Final = 1 << 30
_THREADS: Final = 4
_LEDGER_KEYS: Final = 1_000


@dataclass
class Report:
    """What an ingest did, for logs, metadata and people."""

    loaded: list[ActiveFile] = field(default_factory=list)
    settled: list[tuple[FileVersion, Status, str]] = field(default_factory=list)
    touched: set[date] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Take in what another batch did."""
        self.loaded += other.loaded
        self.settled += other.settled
        self.touched |= other.touched
        self.remarks += other.remarks


@dataclass(frozen=True)
class Ingest:
    """The right to change which files are active. It ends with the session that `connection` holds."""

    connection: Connection
    lake: Lake
    zone: str
    run_id: str
    log: logging.Logger

    def take(self, listed: Sequence[FileVersion], fetch: Fetch) -> Report:
        """Settle every listed version that is due: load it, or record why not. What an outage holds up waits for its
        next attempt.

        Versions that failed before are tried alone, after all others.

        Raises:
            ServiceUnavailableError: Postgres or the lake was lost on the way.
        """
        fresh, again = due(self.connection, listed)
        report = Report()
        for batch in [*_batched(fresh), *([version] for version in again)]:
            with blaming_no_file(self.connection, self.run_id, self.log):
                report.add(self._take_batch(batch, fetch))
        return report

    def judge_outdated_again(self) -> Report:
        """Judge again the rows of active files that older rules, or rules for another time zone, have judged, and those
        that were lost and may have been found; but not those that wait to be read anew."""
        loaded = active.outdated(self.connection, self.zone, Status.LOADED)
        unreadable = active.outdated(self.connection, self.zone, Status.QUARANTINED) + active.lost(self.connection)
        self.connection.rollback()
        report = self._judge_again(loaded, self._read_anew)
        report.add(self._judge_again(unreadable, self._give_up))
        return report

    def adopt(self, made: Sequence[ActiveFile]) -> Report:
        """Let versions count whose objects lie in the lake already."""
        report = Report()
        by_version = {file.version: file for file in made}
        for batch in _batched(list(by_version)):
            with _transaction(self.connection):
                files.begin(self.connection, batch, self.run_id)
            report.add(self._commit([by_version[version] for version in batch], {}, []))
        return report

    def _judge_again(self, outdated: Sequence[ActiveFile], without: Callable[[ActiveFile], str]) -> Report:
        """Let files count with their rows judged anew; `without` says what becomes of those whose object is lost."""
        report = Report()
        by_version = {file.version: file for file in outdated}
        for batch in _batched(list(by_version)):
            judged = {version: self._judged_again(by_version[version]) for version in batch}
            report.remarks += [without(by_version[version]) for version, made in judged.items() if made is None]
            report.add(self._commit([made for made in judged.values() if made is not None], {}, []))
        return report

    def _judged_again(self, file: ActiveFile) -> ActiveFile | None:
        """A file with its rows judged anew. None: the lake has lost its object, or it is damaged."""
        if self.lake.missing([file.raw.path]):
            return None
        try:
            return ActiveFile(file.version, raw.judge_again(self.lake, file.raw.path, file.version, self.zone))
        except raw.DAMAGE as error:
            self.log.warning("The object of %s cannot be read: %s", file.version.key, error)
            return None

    def _read_anew(self, file: ActiveFile) -> str:
        with _transaction(self.connection):
            files.read_anew(self.connection, file.version.bucket, file.version.key)
        return f"The lake has lost the object of {file.version.key}: it is read anew."

    def _give_up(self, file: ActiveFile) -> str:
        message = (
            f"The lake has lost what was read of {file.version.key}, and it cannot be read anew. Upload the file again,"
            f" restore {self.lake.uri}, or say `orders-pipeline retract KEY`: until then builds that need it fail."
        )
        with _transaction(self.connection):
            files.settle(self.connection, file.version, Status.QUARANTINED, active.LOST, message, self.run_id)
        return message

    def discard_vanished(self, bucket: str, listed: Sequence[str]) -> Report:
        """Wait no more for failing files that a complete listing of their bucket does not show any more. Of one that
        counts, and was to be read anew, what the lake has goes on counting."""
        with _transaction(self.connection):
            for key in files.vanished(self.connection, bucket, listed):
                self.log.info("%s is gone before it could be read.", key)
                files.forget(self.connection, bucket, key, Status.FAILING)
        there, waiting = set(listed), active.outdated(self.connection, self.zone, Status.FAILING)
        self.connection.rollback()
        gone = [file for file in waiting if file.version.bucket == bucket and file.version.key not in there]
        return self._judge_again(gone, self._give_up)

    def retract(self, bucket: str, key: str, message: str, *, forget: bool = False) -> set[date]:
        """Let a key contribute nothing from now on, until a new version lands. Returns the touched days.

        `forget`: a version that was seen before may come back, and counts as new then."""
        standing = active.of_keys(self.connection, [(bucket, key)])
        touched = self._touched(standing, shared.partners(self.connection, standing))
        with _transaction(self.connection):
            files.retract(self.connection, bucket, key, message)
            shared.forget(self.connection, standing)
            days.touch(self.connection, touched)
            if forget:
                files.forget(self.connection, bucket, key, *Status)
        return touched

    def wait_for(self, version: FileVersion, message: str) -> None:
        """Record that something could not even be listed: it is asked for again after a pause, as a file would be."""
        with _transaction(self.connection):
            files.begin(self.connection, [version], self.run_id)
            files.forgive(self.connection, version, message)

    def forget(self, version: FileVersion) -> None:
        """What was waited for has come."""
        with _transaction(self.connection):
            files.forget(self.connection, version.bucket, version.key, Status.FAILING)

    def due(self, listed: Sequence[FileVersion]) -> list[FileVersion]:
        """The listed versions that are not settled."""
        fresh, again = due(self.connection, listed)
        return fresh + again

    def _take_batch(self, batch: Sequence[FileVersion], fetch: Fetch) -> Report:
        with _transaction(self.connection):
            attempts = files.begin(self.connection, batch, self.run_id)
        known = self._known_bytes(batch)
        given_up = [version for version in batch if version not in known and attempts[version] > MAX_ATTEMPTS]
        outcomes: dict[FileVersion, RawObject | Exception] = {
            **known,
            **{version: RuntimeError("every process that read it ended without a word") for version in given_up},
        }
        to_read = [version for version in batch if version not in outcomes]
        with ThreadPoolExecutor(_THREADS) as threads:
            results = threads.map(lambda version: self._read(version, fetch), to_read)
            for version, outcome in zip(to_read, results, strict=True):
                outcomes[version] = outcome
                progress.report("files", len(outcomes), len(batch))
        loaded = [ActiveFile(version, made) for version, made in outcomes.items() if isinstance(made, RawObject)]
        failed = {version: error for version, error in outcomes.items() if isinstance(error, Exception)}
        last_attempts = [version for version in batch if attempts[version] >= MAX_ATTEMPTS]
        try:
            return self._commit(loaded, failed, last_attempts)
        except Exception as error:
            if len(batch) > 1 or is_outage(error):
                raise  # each is tried again, alone
            return self._commit([], {batch[0]: error}, last_attempts)

    def _known_bytes(self, batch: Iterable[FileVersion]) -> dict[FileVersion, RawObject]:
        found = ((version, active.same_bytes(self.connection, version, self.zone)) for version in batch)
        known = {version: made for version, made in found if made is not None}
        self.connection.rollback()
        gone = set(self.lake.missing([made.path for made in known.values()]))
        return {version: made for version, made in known.items() if made.path not in gone}

    def _read(self, version: FileVersion, fetch: Fetch) -> RawObject | Exception:
        """The object made of a version, or why there is none. One file's failure is no other's."""
        if version.key.endswith("/") or version.size == 0:
            return EmptyFileError("The object is empty: a folder's marker, or a file without even a header.")
        if (refusal := raw.refuse(version)) is not None:
            return refusal
        try:
            with tempfile.TemporaryDirectory(prefix="orders-landing-") as spool:
                file = Path(spool) / "file"
                fetch(version, file)
                return raw.make_object(self.lake, file, version, self.zone)
        except OSError as error:  # of the spool or the lake: what bytes cause is another error by now
            return ServiceUnavailableError(f"No place to work: {error}") if error.errno is not None else error
        except pl.exceptions.PanicException as error:  # Polars's own failures are no Exceptions
            return RuntimeError(f"Polars: {error}")
        except Exception as error:
            return error

    def _commit(
        self,
        loaded: Sequence[ActiveFile],
        failed: dict[FileVersion, Exception],
        last_attempts: Sequence[FileVersion],
    ) -> Report:
        """Settle a batch in one transaction of the session that holds the lock."""
        replaced = active.of_keys(self.connection, [(file.version.bucket, file.version.key) for file in loaded])
        remarks = drift.new_columns(self.connection, loaded, partial(raw.unused_columns, self.lake))
        rank_only = {file.raw.path for file in loaded} & {file.raw.path for file in replaced}
        fresh = [file for file in loaded if file.raw.path not in rank_only]
        leaving = [file for file in replaced if file.raw.path not in rank_only]
        pairs, partners = self._sharing(fresh, leaving)
        touched = self._touched([*loaded, *replaced], [*partners, *shared.partners(self.connection, replaced)])
        report = Report(loaded=list(loaded), remarks=remarks)
        with _transaction(self.connection):
            for version, error in failed.items():
                self._settle(version, error, version in last_attempts, report)
            files.activate(self.connection, loaded, self.zone, self.run_id)
            shared.forget(self.connection, [*leaving, *fresh])
            shared.record(self.connection, pairs)
            days.touch(self.connection, touched)
        report.touched = touched
        return report

    def _settle(self, version: FileVersion, error: Exception, is_last_attempt: bool, report: Report) -> None:
        if isinstance(error, ServiceUnavailableError):
            self.log.warning("%s waits: %s", version.key, error)
            files.forgive(self.connection, version, str(error))
            return
        if isinstance(error, ObjectChangedError):
            files.discard(self.connection, version)
            report.remarks.append(f"{version.key} changed or went while it was read: what S3 holds then is taken next.")
            return
        if isinstance(error, QuarantineError):
            status, reason, message = Status.QUARANTINED, error.code, str(error)
        elif isinstance(error, EmptyFileError):
            status, reason, message = Status.IGNORED, "empty", str(error)
        else:
            status = Status.QUARANTINED if is_last_attempt else Status.FAILING
            reason, message = "gave_up" if is_last_attempt else "failed", f"{type(error).__name__}: {said(error)}"
        self.log.warning("%s is %s (%s): %s", version.key, status, reason, message)
        files.settle(self.connection, version, status, reason, message, self.run_id)
        report.settled.append((version, status, reason))

    def _sharing(
        self, fresh: Sequence[ActiveFile], leaving: Sequence[ActiveFile]
    ) -> tuple[set[sharing.Pair], list[ActiveFile]]:
        """Which files will hold orders in common when these have changed places, and the active ones among them."""
        gone = {file.raw.path for file in leaving}
        others = [file for file in active.overlapping(self.connection, fresh) if file.raw.path not in gone]
        self.connection.rollback()
        lost = set(self.lake.missing([file.raw.path for file in others]))
        found = sharing.all_pairs(fresh, [file for file in others if file.raw.path in lost])
        try:
            found |= sharing.pairs(self.lake, fresh, [file for file in others if file.raw.path not in lost])
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            self.log.warning("All files whose ids overlap are taken to share an order, for the lake fails: %s", error)
            found = sharing.all_pairs(fresh, [*fresh, *others])
        sharers = {path for pair in found for path in pair}
        return found, [file for file in others if file.raw.path in sharers]

    def _touched(self, changed: Sequence[ActiveFile], partners: Sequence[ActiveFile]) -> set[date]:
        """The days whose rows may change when these files, old versions and new, change places.

        Those of their rows, and of rows with the same order ids in their partners. Where old and new version are the
        same object, only its rank is renewed: that matters on days alone whose orders other files hold too."""
        times = Counter(file.raw.path for file in changed)
        differing = [file for file in changed if times[file.raw.path] == 1]
        renewed = list({file.raw.path: file for file in changed if times[file.raw.path] > 1}.values())
        touched = {day for file in differing for day in file.raw.days}
        self.connection.rollback()
        try:
            touched |= raw.days_elsewhere(self.lake, differing, _beyond(touched, partners))
            return touched | raw.days_shared(self.lake, renewed, partners)
        except (MissingInputError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            # An object of the lake is lost or damaged. Rather too many days than an arrival that waits for its mending.
            self.log.warning("All days of files that share an order are touched, for the lake fails: %s", error)
            return touched.union(*(file.raw.days for file in [*changed, *partners]))


def due(connection: Connection, listed: Sequence[FileVersion]) -> tuple[list[FileVersion], list[FileVersion]]:
    """The listed versions that are not settled: those never tried, and those whose next attempt is due."""
    fresh: list[FileVersion] = []
    again: list[FileVersion] = []
    for start in range(0, len(listed), _LEDGER_KEYS):
        page = listed[start : start + _LEDGER_KEYS]
        for bucket in {version.bucket for version in page}:
            versions = [version for version in page if version.bucket == bucket]
            known = files.entries(connection, bucket, [version.key for version in versions])
            for version in pending(versions, known):
                entry = known.get(version.key)
                tried = entry is not None and entry.version == version and entry.attempts > 0
                (again if tried else fresh).append(version)
    connection.rollback()
    return fresh, again


@contextmanager
def ingesting(engine: Engine, lake: Lake, zone: str, run_id: str, log: logging.Logger) -> Iterator[Ingest]:
    """Wait for the right to change which files are active, and hold it."""
    with exclusive(engine, Lock.INGEST) as connection:
        yield Ingest(connection, lake, zone, run_id, log)


def _beyond(days: set[date], others: Sequence[ActiveFile]) -> list[ActiveFile]:
    """The files that have rows on other days than these."""
    return [file for file in others if not days.issuperset(file.raw.days)]


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _batched(versions: Sequence[FileVersion]) -> Iterator[list[FileVersion]]:
    """Batches bounded in files and bytes: a commit is one transaction, and its files wait for one another."""
    batch: list[FileVersion] = []
    size = 0
    for version in versions:
        if batch and (len(batch) >= _BATCH_FILES or size + version.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(version)
        size += version.size
    if batch:
        yield batch
