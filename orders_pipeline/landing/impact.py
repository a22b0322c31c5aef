"""What changes in the ledger when files become active or stop being active: which days are stale then, and which files
overlap. Computed before the transaction, recorded in it."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.engine import Connection, Engine

from orders_pipeline.landing import overlap, raw_objects
from orders_pipeline.ledger import active, damage, overlaps, staleness
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import TABLE, FileVersion
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class Impact:
    """What to record when files become active or stop being active."""

    changed_days: set[date]  # the days whose rows may change
    unpaired: list[ActiveFile]  # files whose recorded overlaps no longer hold
    pairs: set[overlap.Pair]  # files that overlap from now on
    hashes: Mapping[str, Collection[int]]  # of the order ids of files, by path, for later arrivals
    asked_days: set[date]  # of the changed days, those for which a person asked
    taken_days: set[date]  # of the changed days, those that lose rows without anyone asking

    def record(self, connection: Connection) -> None:
        """Record everything in the caller's transaction."""
        overlaps.forget(connection, self.unpaired)
        overlaps.record(connection, self.pairs, self.hashes)
        staleness.bump_versions(connection, self.changed_days, asked=self.asked_days, taken=self.taken_days)


def on_activate(
    connection: Connection, lake: Lake, coming: Sequence[ActiveFile], log: logging.Logger, *, asked_for: bool = False
) -> Impact:
    """The impact of files that become active. Each replaces the active version of its key. If both have the same raw
    object, because their bytes are equal, nothing changes. `asked_for`: a person asked for these files to count."""
    replaced = active.of_keys(connection, map(_key, coming))
    kept = {file.raw.path for file in coming} & {file.raw.path for file in replaced}  # equal bytes: nothing changes
    fresh = [file for file in coming if file.raw.path not in kept]
    leaving = [file for file in replaced if file.raw.path not in kept]
    gone = {file.raw.path for file in leaving}
    partners = overlaps.partners(connection, leaving)
    asked = {file.version for file in fresh} if asked_for else _read_otherwise(connection, fresh, leaving)
    connection.rollback()  # no transaction stays open while the lake is read
    hashes = _hashes(lake, fresh, log)
    overlapping = [file for file in active.overlapping(connection, fresh, hashes) if file.raw.path not in gone]
    connection.rollback()
    pairs = _pairs(connection.engine, lake, fresh, overlapping, log)
    paired = {path for pair in pairs for path in pair}
    partners += [file for file in overlapping if file.raw.path in paired]
    changed_days = _changed_days(lake, [*fresh, *leaving], partners, log)
    asked_keys = {_key(file) for file in fresh if file.version in asked}
    return Impact(
        changed_days,
        [*leaving, *fresh],
        pairs,
        hashes,
        # Of a batch with other files too, their own days: who changed the days of their partners is not known.
        changed_days
        if len(asked_keys) == len(fresh)
        else _days(file for file in [*fresh, *leaving] if _key(file) in asked_keys),
        _days(file for file in leaving if _key(file) not in asked_keys),
    )


def on_deactivate(
    connection: Connection, lake: Lake, going: Sequence[ActiveFile], log: logging.Logger, *, asked_for: bool
) -> Impact:
    """The impact of active files that stop being active. `asked_for`: a person retracts them."""
    partners = overlaps.partners(connection, going)
    connection.rollback()
    changed_days = _changed_days(lake, going, partners, log)
    return Impact(
        changed_days, list(going), set(), {}, changed_days if asked_for else set(), set() if asked_for else _days(going)
    )


def on_relocate(
    connection: Connection,
    lake: Lake,
    leaving: Sequence[ActiveFile],
    staying: Sequence[ActiveFile],
    log: logging.Logger,
) -> Impact:
    """The impact of files that get another key or rank, and of those that stop being active since their counterparts
    replaced them. A person asks for it."""
    impact = on_deactivate(connection, lake, [*leaving, *staying], log, asked_for=True)
    return replace(impact, unpaired=list(leaving))


def _read_otherwise(
    connection: Connection, fresh: Sequence[ActiveFile], leaving: Sequence[ActiveFile]
) -> set[FileVersion]:
    """The files whose sender changed nothing: they are read by another declaration or for another time zone than the
    version that they replace. Not those that an upgrade reads otherwise."""
    replaced = {_key(file): file for file in leaving}
    same = [(file, before) for file in fresh if (before := replaced.get(_key(file))) and _is_same(file, before)]
    upgraded = active.of_older_rules(connection, [before.version for _, before in same]) if same else set()
    return {file.version for file, before in same if before.version not in upgraded}


def _is_same(file: ActiveFile, before: ActiveFile) -> bool:
    """Whether two versions of a key have the same rows, as far as is known. The ETag of a day of the source table
    depends on the declaration, so the number of its rows has to do if another one applies."""
    version = file.version
    if version.bucket == TABLE and version.etag != before.version.etag:
        declared = [(raw.bytes_hash, raw.rows_hash) for raw in (file.raw, before.raw)]
        return declared[0] != declared[1] and version.size == before.version.size
    return before.has_bytes_of(version, file.raw.content_hash)


def _key(file: ActiveFile) -> tuple[str, str]:
    return file.version.bucket, file.version.key


def _days(files: Iterable[ActiveFile]) -> set[date]:
    """The days of the rows of files."""
    return {day for file in files for day in file.raw.days}


def _hashes(lake: Lake, fresh: Sequence[ActiveFile], log: logging.Logger) -> dict[str, set[int]]:
    """Hashes of the order ids of small files, by path. Without them, files are compared by their ranges of ids."""
    try:
        return overlap.id_hashes(lake, fresh)
    except raw_objects.DAMAGE as error:
        log.warning("The lake could not be read, so each arrival will read the ids of these files: %s", error)
        return {}


def _pairs(
    engine: Engine, lake: Lake, fresh: Sequence[ActiveFile], others: Sequence[ActiveFile], log: logging.Logger
) -> set[overlap.Pair]:
    """The pairs of files that will overlap, at least one of them fresh."""
    intact = damage.intact_files(engine, lake, others)
    paths = {file.raw.path for file in intact}
    assumed = overlap.all_pairs(fresh, [file for file in others if file.raw.path not in paths])
    try:
        return assumed | overlap.pairs(lake, fresh, intact)
    except raw_objects.DAMAGE as error:
        log.warning(
            "The lake could not be read, so all files with overlapping id ranges are recorded as overlaps: %s", error
        )
        return overlap.all_pairs(fresh, [*fresh, *others])


def _changed_days(
    lake: Lake, changed: Sequence[ActiveFile], partners: Sequence[ActiveFile], log: logging.Logger
) -> set[date]:
    """The days whose rows may change when these files, old and new versions, become active or stop being active.

    These are the days of their rows, and of rows with the same order ids in their partners."""
    changed_days = _days(changed)
    try:
        return changed_days | raw_objects.days_elsewhere(lake, changed, _beyond(changed_days, partners))
    except raw_objects.DAMAGE as error:
        # An object is missing or damaged. Rather rebuild too many days than block new files until it is repaired.
        log.warning("The lake could not be read, so all days of overlapping files are stale: %s", error)
        return changed_days.union(*(file.raw.days for file in [*changed, *partners]))


def _beyond(days: set[date], others: Sequence[ActiveFile]) -> list[ActiveFile]:
    """The files that have rows on other days than these."""
    return [file for file in others if not days.issuperset(file.raw.days)]
