"""Complete a ledger that was restored from an older backup, from the objects of the lake.

Files that S3 still lists need no recovery: they are new to the ledger, and the next sync loads them. Recovery handles
what only the lake still has, and missing objects.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Final

from orders_pipeline import progress
from orders_pipeline.errors import ServiceUnavailableError, SettingsError
from orders_pipeline.landing import raw_objects, source_table, verification
from orders_pipeline.landing.declare import restore
from orders_pipeline.landing.ingest import Ingest
from orders_pipeline.landing.outages import releasing_on_outage
from orders_pipeline.landing.provenance import Origin, origin_of
from orders_pipeline.landing.verification import Verified, everything
from orders_pipeline.ledger import active, builds, declarations, entries, files
from orders_pipeline.ledger.declarations import Declaration
from orders_pipeline.ledger.records import ActiveFile, ranked_at
from orders_pipeline.ledger.versions import TABLE, Entry, FileVersion, Status, pending
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import PLAIN, Source
from orders_pipeline.storage.lake import Lake

if TYPE_CHECKING:
    from orders_pipeline.resources import S3Resource

_FOOTERS_AT_ONCE: Final = 16
_FILES_AT_ONCE: Final = 4

Key = tuple[str, str]  # bucket and key


@dataclass(frozen=True)
class Copy:
    """A raw object that the ledger does not name."""

    path: str
    origin: Origin

    @property
    def version(self) -> FileVersion:
        return self.origin.version

    def is_current_for(self, zone: str) -> bool:
        """Whether its rows were validated by the present rules, for this time zone."""
        return self.origin.is_current_for(zone)

    def is_read_as(self, source: Source) -> bool:
        """Whether its bytes were read as this source declares, so that its rows serve."""
        return self.origin.source.bytes_hash == source.bytes_hash

    def is_of(self, file: ActiveFile) -> bool:
        """Whether it was made of the bytes of this file, or of a version with equal bytes."""
        return file.has_bytes_of(self.version, self.origin.content_hash)

    def made_for(self, file: ActiveFile) -> "Copy":
        """The same object for a file with equal bytes."""
        return replace(self, origin=replace(self.origin, version=file.version, ranked_at=file.ranked_at))


@dataclass
class Recovered:
    """What was recovered, and what an operator has to do."""

    adopted: list[FileVersion] = field(default_factory=list)  # from objects of the lake
    changed_days: set[date] = field(default_factory=set)
    to_reprocess: list[str] = field(default_factory=list)  # keys that the next sync reads again
    stale: dict[str, list[date]] = field(default_factory=dict)  # by table: days whose object is missing
    damaged: list[str] = field(default_factory=list)  # objects that cannot be read
    unrecoverable: list[str] = field(default_factory=list)  # active keys whose rows exist nowhere any more
    table_days: list[str] = field(default_factory=list)  # keys that only the lake has, without a source table
    declarations: list[Declaration] = field(default_factory=list)  # of sources, from the lake
    verified: Verified | None = None  # what was read in order to notice damage

    @property
    def is_complete(self) -> bool:
        """Whether the operator has nothing to do."""
        return not (self.damaged or self.unrecoverable or self.table_days)


def recover(ingest: Ingest, s3: "S3Resource", settings: Settings, *, verify: bool = False) -> Recovered:
    """Complete the ledger. Any step can be interrupted and repeated. If nothing is missing, nothing changes. `verify`:
    read all objects, and treat damaged ones as missing.

    Raises:
        ServiceUnavailableError: S3, the lake or Postgres did not answer.
        SourcesError: a newer release applied the declaration of sources in the lake.
    """
    with releasing_on_outage(ingest.connection, ingest.run_id, ingest.log):
        with ingest.transaction():
            restored = restore(ingest.connection, ingest.lake)
            sources = declarations.current(ingest.connection)
        verified = verification.verify(ingest.connection.engine, ingest.lake, everything) if verify else None
        found = _recover(replace(ingest, sources=sources), s3, settings, verified.damaged if verified else set())
        found.verified = verified
        found.declarations = restored
        return found


def to_adopt(
    copies: Iterable[Copy],
    history: Sequence[Entry],
    listed: FileVersion | None,
    zone: str,
    active_file: ActiveFile | None = None,
    *,
    has_object: bool = False,
    source: Source = PLAIN,
) -> list[Copy]:
    """The copies of one key that should become active, the best first. None, if the ledger is right as it is, or if the
    next sync loads the same version from S3 with the same rank. `active_file`: the active version of the key.
    `has_object`: the lake has its object. `source`: how its sender writes.

    A copy should become active if the ledger has not seen its version, and has seen no newer one. A copy of the latest
    version should, if the backup shows that version as failing, archived or quarantined: that an object exists means
    that it was read later. Versions that were retracted or dismissed before the backup stay so."""
    latest = history[-1] if history else None
    seen = {entry.version for entry in history}

    def should_count(copy: Copy) -> bool:
        if latest is None:
            return True
        if copy.version == latest.version:
            if has_object and active_file is not None and active_file.version == latest.version:
                return False  # the copy is of an earlier reading
            return latest.is_archived or latest.status in (Status.FAILING, Status.QUARANTINED)
        return copy.version not in seen and copy.version.last_modified >= latest.version.last_modified

    def rank(copy: Copy) -> tuple[object, ...]:
        is_current = copy.is_current_for(zone)
        return copy.version.last_modified, copy.version.etag, copy.is_read_as(source), is_current, copy.path

    found = sorted(filter(should_count, copies), key=rank, reverse=True)
    is_taken_by_sync = (
        bool(found)
        and listed == found[0].version
        and not listed.may_be_archived  # S3 may refuse to return it, and the lake has it
        and bool(pending([(listed, latest)]))
        and found[0].origin.ranked_at == ranked_at(listed, found[0].origin.content_hash, active_file)
    )
    return [] if is_taken_by_sync else found


def _recover(ingest: Ingest, s3: "S3Resource", settings: Settings, damaged: set[str]) -> Recovered:
    found, connection, zone, sources = Recovered(), ingest.connection, ingest.zone, ingest.sources
    # Names first, then objects: what is built meanwhile is not mistaken for missing. The vacuum waits for our lock.
    active_files = active.all_files(connection)
    named = entries.paths(connection)
    built = {asset: builds.objects(connection, asset) for asset in UPSTREAM}
    connection.rollback()
    objects = set(ingest.lake.objects()) - damaged
    listed = {_key(one): entries.as_declared(one, sources) for page in s3.list_pages() for one in page}
    has_table = _has_table(settings)
    copies = _copies(ingest.lake, sorted(name for name in objects - named if name.startswith("raw_orders/")), found)
    histories = entries.histories(connection, copies)

    for asset, day_of in built.items():
        if gone := day_of.keys() - objects:
            builds.mark_missing(connection, asset, gone)
            found.stale[asset] = sorted(day_of[path] for path in gone)
    connection.commit()

    choices: dict[Key, list[Copy]] = {}
    active_of = {_key(file.version): file for file in active_files}
    for key, of_key in copies.items():
        if key[0] != TABLE:
            file = active_of.get(key)
            has_object = file is not None and file.raw.path in objects
            source = sources.of(*key)
            choices[key] = to_adopt(
                of_key, histories[key], listed.get(key), zone, file, has_object=has_object, source=source
            )
            if file is not None and has_object and not choices[key]:
                choices[key] = _read_later(ingest.lake, of_key, file, source)
        elif not has_table and {copy.version for copy in of_key} - {entry.version for entry in histories[key]}:
            found.table_days.append(key[1])
    without_object = {key: file.version for key, file in active_of.items() if file.raw.path not in objects}
    for key in without_object:
        if not choices.get(key):
            choices[key] = [copy.made_for(active_of[key]) for copy in copies.get(key, []) if copy.is_of(active_of[key])]
    _adopt(ingest, list(choices.values()), found)

    for key in without_object.keys() - {_key(version) for version in found.adopted}:
        is_there = listed.get(key) == without_object[key] or (key[0] == TABLE and has_table)
        if is_there and files.reread(connection, *key):
            found.to_reprocess.append(key[1])
        elif key not in listed or not pending(entries.unsettled(connection, [listed[key]])):
            found.unrecoverable.append(key[1])
    connection.commit()
    return found


def _read_later(lake: Lake, copies: Iterable[Copy], file: ActiveFile, source: Source) -> list[Copy]:
    """The copies of an active file that were read as its source declares by now, if its own object was not."""
    fitting = [copy.made_for(file) for copy in copies if copy.is_of(file) and copy.is_read_as(source)]
    return fitting if fitting and raw_objects.source_of(lake, file.raw.path).bytes_hash != source.bytes_hash else []


def _copies(lake: Lake, names: Sequence[str], found: Recovered) -> dict[Key, list[Copy]]:
    """The raw objects with a readable origin, by key."""

    def read(name: str) -> Copy | None:
        try:
            origin = origin_of(lake.metadata(name))
        except raw_objects.DAMAGE:
            origin = None
        return None if origin is None else Copy(name, origin)

    copies: defaultdict[Key, list[Copy]] = defaultdict(list)
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as threads:
        for done, (name, copy) in enumerate(zip(names, threads.map(read, names), strict=True), start=1):
            progress.report("objects", done, len(names))
            if copy is None:
                found.damaged.append(name)
            else:
                copies[_key(copy.version)].append(copy)
    return dict(copies)


def _adopt(ingest: Ingest, choices: Sequence[list[Copy]], found: Recovered) -> None:
    """Make the first undamaged copy of each choice active. Each is read completely, and revalidated if outdated."""

    def first_undamaged(choice: list[Copy]) -> ActiveFile | None:
        for copy in choice:
            try:
                if copy.is_current_for(ingest.zone):
                    return raw_objects.rescan(ingest.lake, copy.path, copy.origin)
                # By the source it was read by: if another one holds now, the next sync applies it.
                source, content_hash = copy.origin.source, copy.origin.content_hash
                origin = Origin.of(copy.version, ingest.zone, source, content_hash, copy.origin.ranked_at)
                return raw_objects.revalidate(ingest.lake, copy.path, origin)
            except raw_objects.DAMAGE as error:
                ingest.log.warning("%s cannot be read: %s", copy.path, error)
                found.damaged.append(copy.path)
        return None

    with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        undamaged = [file for file in threads.map(first_undamaged, choices) if file is not None]
    found.changed_days = ingest.adopt(undamaged).changed_days
    found.adopted = [file.version for file in undamaged]


def _has_table(settings: Settings) -> bool:
    """Whether there is a source table. One that does not answer counts as there: the next sync reads it."""
    try:
        with source_table.snapshot(settings) as table:
            return table is not None
    except SettingsError:
        return False
    except ServiceUnavailableError:
        return True


def _key(version: FileVersion) -> Key:
    return version.bucket, version.key
