"""What it means for the rest of the ledger that files change places: which days are stale then, and which files hold
orders in common. Found before the transaction in which they do, recorded in it."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from sqlalchemy.engine import Connection

from orders_pipeline.errors import MissingInputError
from orders_pipeline.landing import overlap, raw_objects
from orders_pipeline.ledger import active, days, overlaps
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class Impact:
    """What is to be recorded when files change places."""

    touched: set[date]  # the days whose rows may change
    unpaired: list[ActiveFile]  # files of which nothing that was known of orders in common holds any more
    pairs: set[overlap.Pair]  # files that hold orders in common from now on

    def record(self, connection: Connection) -> None:
        """Write them down, in the caller's transaction."""
        overlaps.forget(connection, self.unpaired)
        overlaps.record(connection, self.pairs)
        days.bump_versions(connection, self.touched)


def on_activate(connection: Connection, lake: Lake, coming: Sequence[ActiveFile], log: logging.Logger) -> Impact:
    """The effects of files that begin to count, each in the place of the active version of its key."""
    replaced = active.of_keys(connection, [(file.version.bucket, file.version.key) for file in coming])
    rank_only = {file.raw.path for file in coming} & {file.raw.path for file in replaced}
    fresh = [file for file in coming if file.raw.path not in rank_only]
    leaving = [file for file in replaced if file.raw.path not in rank_only]
    gone = {file.raw.path for file in leaving}
    overlapping = [file for file in active.overlapping(connection, fresh) if file.raw.path not in gone]
    partners = overlaps.partners(connection, replaced)
    connection.rollback()  # the lake is read outside any transaction
    pairs = _pairs(lake, fresh, overlapping, log)
    paired = {path for pair in pairs for path in pair}
    partners += [file for file in overlapping if file.raw.path in paired]
    return Impact(_touched(lake, [*coming, *replaced], partners, log), [*leaving, *fresh], pairs)


def on_deactivate(connection: Connection, lake: Lake, going: Sequence[ActiveFile], log: logging.Logger) -> Impact:
    """The effects of active files that cease to count."""
    partners = overlaps.partners(connection, going)
    connection.rollback()
    return Impact(_touched(lake, going, partners, log), list(going), set())


def _pairs(
    lake: Lake, fresh: Sequence[ActiveFile], others: Sequence[ActiveFile], log: logging.Logger
) -> set[overlap.Pair]:
    """Which files will hold orders in common, one of them at least a fresh one."""
    lost = set(lake.missing([file.raw.path for file in others]))
    assumed = overlap.all_pairs(fresh, [file for file in others if file.raw.path in lost])
    try:
        return assumed | overlap.pairs(lake, fresh, [file for file in others if file.raw.path not in lost])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        log.warning("All files whose ids overlap are taken to share an order, for the lake fails: %s", error)
        return overlap.all_pairs(fresh, [*fresh, *others])


def _touched(
    lake: Lake, changed: Sequence[ActiveFile], partners: Sequence[ActiveFile], log: logging.Logger
) -> set[date]:
    """The days whose rows may change when these files, old versions and new, change places.

    Those of their rows, and of rows with the same order ids in their partners. Where old and new version are the
    same object, only its rank is renewed: that matters on days alone whose orders other files hold too."""
    times = Counter(file.raw.path for file in changed)
    differing = [file for file in changed if times[file.raw.path] == 1]
    renewed = list({file.raw.path: file for file in changed if times[file.raw.path] > 1}.values())
    touched = {day for file in differing for day in file.raw.days}
    try:
        touched |= raw_objects.days_elsewhere(lake, differing, _beyond(touched, partners))
        return touched | raw_objects.days_shared(lake, renewed, partners)
    except (MissingInputError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # An object of the lake is lost or damaged. Rather too many days than an arrival that waits for its mending.
        log.warning("All days of files that share an order are touched, for the lake fails: %s", error)
        return touched.union(*(file.raw.days for file in [*changed, *partners]))


def _beyond(days: set[date], others: Sequence[ActiveFile]) -> list[ActiveFile]:
    """The files that have rows on other days than these."""
    return [file for file in others if not days.issuperset(file.raw.days)]
