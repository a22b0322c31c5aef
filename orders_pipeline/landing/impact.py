"""What changes in the ledger when files become active or stop being active: which days are stale then, and which files
overlap. Computed before the transaction, recorded in it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from sqlalchemy.engine import Connection

from orders_pipeline.errors import MissingInputError
from orders_pipeline.landing import overlap, raw_objects
from orders_pipeline.ledger import active, overlaps, staleness
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class Impact:
    """What to record when files become active or stop being active."""

    changed_days: set[date]  # the days whose rows may change
    unpaired: list[ActiveFile]  # files whose recorded overlaps no longer hold
    pairs: set[overlap.Pair]  # files that overlap from now on

    def record(self, connection: Connection) -> None:
        """Record everything in the caller's transaction."""
        overlaps.forget(connection, self.unpaired)
        overlaps.record(connection, self.pairs)
        staleness.bump_versions(connection, self.changed_days)


def on_activate(connection: Connection, lake: Lake, coming: Sequence[ActiveFile], log: logging.Logger) -> Impact:
    """The impact of files that become active. Each replaces the active version of its key. If both have the same raw
    object, because their bytes are equal, nothing changes."""
    replaced = active.of_keys(connection, [(file.version.bucket, file.version.key) for file in coming])
    kept = {file.raw.path for file in coming} & {file.raw.path for file in replaced}  # equal bytes: nothing changes
    fresh = [file for file in coming if file.raw.path not in kept]
    leaving = [file for file in replaced if file.raw.path not in kept]
    gone = {file.raw.path for file in leaving}
    overlapping = [file for file in active.overlapping(connection, fresh) if file.raw.path not in gone]
    partners = overlaps.partners(connection, leaving)
    connection.rollback()  # no transaction stays open while the lake is read
    pairs = _pairs(lake, fresh, overlapping, log)
    paired = {path for pair in pairs for path in pair}
    partners += [file for file in overlapping if file.raw.path in paired]
    return Impact(_changed_days(lake, [*fresh, *leaving], partners, log), [*leaving, *fresh], pairs)


def on_deactivate(connection: Connection, lake: Lake, going: Sequence[ActiveFile], log: logging.Logger) -> Impact:
    """The impact of active files that stop being active."""
    partners = overlaps.partners(connection, going)
    connection.rollback()
    return Impact(_changed_days(lake, going, partners, log), list(going), set())


def _pairs(
    lake: Lake, fresh: Sequence[ActiveFile], others: Sequence[ActiveFile], log: logging.Logger
) -> set[overlap.Pair]:
    """The pairs of files that will overlap, at least one of them fresh."""
    missing = set(lake.missing([file.raw.path for file in others]))
    assumed = overlap.all_pairs(fresh, [file for file in others if file.raw.path in missing])
    try:
        return assumed | overlap.pairs(lake, fresh, [file for file in others if file.raw.path not in missing])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        log.warning(
            "The lake could not be read, so all files with overlapping id ranges are recorded as overlaps: %s", error
        )
        return overlap.all_pairs(fresh, [*fresh, *others])


def _changed_days(
    lake: Lake, changed: Sequence[ActiveFile], partners: Sequence[ActiveFile], log: logging.Logger
) -> set[date]:
    """The days whose rows may change when these files, old and new versions, become active or stop being active.

    These are the days of their rows, and of rows with the same order ids in their partners."""
    changed_days = {day for file in changed for day in file.raw.days}
    try:
        return changed_days | raw_objects.days_elsewhere(lake, changed, _beyond(changed_days, partners))
    except (MissingInputError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # An object is missing or damaged. Rather rebuild too many days than block new files until it is repaired.
        log.warning("The lake could not be read, so all days of overlapping files are stale: %s", error)
        return changed_days.union(*(file.raw.days for file in [*changed, *partners]))


def _beyond(days: set[date], others: Sequence[ActiveFile]) -> list[ActiveFile]:
    """The files that have rows on other days than these."""
    return [file for file in others if not days.issuperset(file.raw.days)]
