"""What is due, decided once: both sensors, `sync`, `status` and the exit status of `sync` ask `backlog`.

A pure function from what is known (a listing, the ledger, the stale days of the calendar) to what is to be done.
`survey` reads what is known."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from orders_pipeline.ledger.staleness import Blocked, DueDays
from orders_pipeline.ledger.versions import TABLE, Entry, FileVersion, pending
from orders_pipeline.partitions import MAX_DAYS_PER_RUN

UNPARTITIONED_DAYS: Final = ("cleaned_orders", "daily_revenue")
PARTITIONED_DAYS: Final = ("daily_orders", "daily_revenue_partitioned")

_MAX_GAP: Final = timedelta(days=7)


@dataclass(frozen=True)
class Known:
    """What is known. A caller that read only a part (one page of a listing, one chain) leaves the rest empty."""

    unsettled: Sequence[tuple[FileVersion, Entry | None]] = ()  # listed, with the ledger's latest entry of the key
    failing: Sequence[Entry] = ()  # the ledger's entries that wait for their next attempt
    vanished: Sequence[str] = ()  # keys of failing and archived files that a complete listing does not show
    reported_side_files: Sequence[str] = ()  # left out, and yet the ledger still reports them
    redeclared_table: Sequence[FileVersion] = ()  # its quarantined days for which another declaration holds now
    outdated: Sequence[FileVersion] = ()  # active files validated by older rules, another declaration or zone
    zone: str = ""
    stale_rejects: Sequence[object] = ()  # files whose rejects are not listed as they should be
    days: Mapping[str, DueDays] = field(default_factory=dict)  # by table


@dataclass(frozen=True)
class Backlog:
    """What is due. Sequences of `object` are items of work: equal ones stand for the same work."""

    load: Sequence[FileVersion]
    reprocess: Sequence[FileVersion]
    zone: str
    retry_table: Sequence[FileVersion]  # attempts at the source table that are due
    failing: Sequence[FileVersion]  # waiting for their next attempt, whether it is due or not
    forget: Sequence[str]  # keys whose entries in the ledger are obsolete
    rejects: Sequence[object]
    days: Mapping[str, DueDays]

    @property
    def everything(self) -> list[object]:
        """What only a run without a list of keys does: reprocess files, and ask the source table."""
        return [*(("reprocess", version, self.zone) for version in self.reprocess), *self.retry_table]

    @property
    def build(self) -> list[object]:
        """What is to be built of the unpartitioned chain."""
        return [*(item for items in self._days_of(UNPARTITIONED_DAYS).values() for item in items), *self.rejects]

    @property
    def build_partitioned(self) -> Mapping[date, list[object]]:
        """What is to be built of the partitioned chain, by day. A day that is blocked in `daily_orders` is left out:
        no run can build it."""
        found = self._days_of(PARTITIONED_DAYS)
        return {day: items for day, items in found.items() if day not in self.blocked}

    def due(self, tables: Iterable[str]) -> list[date]:
        """The days to build of some tables, in order."""
        return sorted(self._days_of(tables))

    @property
    def blocked(self) -> Mapping[date, Blocked]:
        """The days that no run of the partitioned chain can build."""
        return self.days["daily_orders"].blocked if "daily_orders" in self.days else {}

    def ranges(self, most: int = MAX_DAYS_PER_RUN) -> list[tuple[date, date]]:
        """The days to build of the partitioned chain, as ranges for runs."""
        return ranges(self.build_partitioned, most, self.blocked)

    @property
    def has_unpartitioned_work(self) -> bool:
        """Whether a run of the unpartitioned chain has anything to do, apart from asking the source table."""
        return bool(self.load or self.reprocess or self.forget or self.build)

    @property
    def stale(self) -> dict[str, list[date]]:
        """The stale days of each table."""
        return {table: found.stale for table, found in self.days.items()}

    @property
    def unrecoverable(self) -> dict[date, Blocked]:
        """The days, in any table, that stay stale until files are uploaded again or retracted."""
        return {day: blocked for found in self.days.values() for day, blocked in found.unrecoverable.items()}

    def __bool__(self) -> bool:
        """Whether anything is left: due now, due later, or blocked until someone acts."""
        return self.has_unpartitioned_work or bool(self.failing or self.rejects) or any(self.stale.values())

    def _days_of(self, tables: Iterable[str]) -> dict[date, list[object]]:
        """What to build of some tables, by day."""
        found: dict[date, list[object]] = {}
        for table in tables:
            for day, due in self.days[table].due.items() if table in self.days else ():
                found.setdefault(day, []).append((table, day, due.input))
        return found


def backlog(known: Known) -> Backlog:
    """Decide what is due."""
    return Backlog(
        load=pending(known.unsettled),
        reprocess=known.outdated,
        zone=known.zone,
        retry_table=[
            *(entry.version for entry in known.failing if entry.due and entry.version.bucket == TABLE),
            *known.redeclared_table,
        ],
        failing=[entry.version for entry in known.failing],
        forget=[*known.vanished, *known.reported_side_files],
        rejects=known.stale_rejects,
        days=known.days,
    )


def ranges(
    stale: Iterable[date], most: int = MAX_DAYS_PER_RUN, apart: Collection[date] = ()
) -> list[tuple[date, date]]:
    """Stale days as ranges for runs: at most so many in each, spanning short gaps (a run skips what is current), but no
    day of `apart`."""

    def is_near(last: date, day: date) -> bool:
        return day - last <= _MAX_GAP and not any(last < between < day for between in apart)

    found: list[list[date]] = []
    for day in sorted(stale):
        if found and len(found[-1]) < most and is_near(found[-1][-1], day):
            found[-1].append(day)
        else:
            found.append([day])
    return [(run[0], run[-1]) for run in found]
