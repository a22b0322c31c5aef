"""Reads which files do not count, and may have orders of a day."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection, Engine

from orders_pipeline import survey
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.explain.day import OTHER_DAYS, REPLACED, Lacking
from orders_pipeline.explain.file import PENDING, UNLOADED
from orders_pipeline.explain.names import days_named, names, shown
from orders_pipeline.explain.steps import accepted
from orders_pipeline.landing.side_files import SIDE_FILE
from orders_pipeline.ledger import findings, history, reports
from orders_pipeline.ledger.findings import of_file
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import LOST, TABLE, FileVersion, Status
from orders_pipeline.resources import S3Resource
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import Sources
from orders_pipeline.text import list_days

_Key = tuple[str, str]


@dataclass(frozen=True)
class Left:
    """The files, those that should count first, and the subjects of findings about them."""

    files: Sequence[Lacking]
    subjects: Collection[str]


@dataclass(frozen=True)
class _Relevance:
    """Why a file may have orders of a day."""

    day: date
    zone: str
    held: Collection[_Key]  # keys that have rows of it, or had some

    def of(self, version: FileVersion) -> str | None:
        """A clause about the file; None: nothing says that it has any."""
        if names(version.key, self.day):
            return "its name has the day"
        if (version.bucket, version.key) in self.held:
            return "another version of it has rows of the day"
        landed = version.last_modified.astimezone(ZoneInfo(self.zone)).date()
        is_near = self.day <= landed <= self.day + timedelta(days=1)
        if version.bucket != TABLE and is_near and days_named(version.key) is None:
            return f"it landed on {landed}"
        return None


def waiting(engine: Engine, s3: S3Resource, settings: Settings) -> tuple[list[FileVersion], str | None]:
    """The versions on S3 that are to be loaded, or why they are not known."""
    try:
        with engine.connect() as connection:
            return list(survey.survey(connection, s3, settings).backlog.load), None
    except ServiceUnavailableError as error:
        return [], str(error)


def lacking(
    connection: Connection,
    settings: Settings,
    sources: Sources,
    day: date,
    holding: Sequence[ActiveFile],
    pending: Sequence[FileVersion],
) -> Left:
    """The files that do not count, and may have orders of a day. `holding`: the files that count. `pending`: the
    versions on S3 that are to be loaded."""
    counting = {(file.version.bucket, file.version.key) for file in holding}
    paths = {file.raw.path for file in holding}  # equal bytes that landed again have the same object
    former = {
        (one.version.bucket, one.version.key): one
        for one in history.formerly_holding(connection, day, sources)
        if one.loaded and one.loaded.raw.path not in paths
    }
    relevance = _Relevance(day, settings.timezone, {*counting, *former})
    agreed = {one.subject for one in accepted(findings.unsettled(connection, UNLOADED))}
    found: dict[_Key, Lacking] = {}

    def add(version: FileVersion, state: str, message: str, because: str, *, still_counts: bool = False) -> None:
        name = shown(version.bucket, version.key, settings.landing_bucket)
        landed = None if version.bucket == TABLE else version.last_modified
        file = Lacking(name, state, message, landed, because, still_counts)
        is_accepted = state != PENDING and of_file(version.bucket, version.key) in agreed
        found.setdefault((version.bucket, version.key), replace(file, is_accepted=is_accepted))

    _, unloaded = reports.unloaded(connection, ignored=True)
    known = {file.version for file in unloaded}
    for version in pending:
        if version not in known and (because := relevance.of(version)):
            add(version, PENDING, "on S3, and not loaded yet", because)
    for file in unloaded:
        if file.reason != SIDE_FILE and (because := relevance.of(file.version)):
            is_lost = file.reason == LOST
            state = file.reason if is_lost or (file.status is Status.IGNORED and file.reason) else str(file.status)
            add(file.version, state, file.message, because, still_counts=file.still_counts and not is_lost)
    for key, one in former.items():
        also = "which has rows of the day, too" if key in counting else "which has no row of the day"
        message = one.message or f"by a newer version, {also}"
        add(one.version, one.reason or REPLACED, message, "it had rows of the day")
    for other in [] if holding else history.active_named(connection, f"%{day:%Y}%{day:%m}%{day:%d}%"):
        if names(other.version.key, day):
            days = list_days(other.raw.days) if other.raw.days else "no day: none can be used"
            add(other.version, OTHER_DAYS, f"it is loaded, and its rows are of {days}", "its name has the day")
    files = sorted(found.values(), key=lambda file: (not file.is_wanted, file.state, file.name))
    return Left(files, {of_file(*key) for key, file in found.items() if file.is_wanted or file.state == OTHER_DAYS})
