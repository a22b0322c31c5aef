"""Why a day shows what it shows: values, and what follows from them. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from orders_pipeline.explain.file import PENDING
from orders_pipeline.explain.shares import Replaced, Share
from orders_pipeline.explain.steps import ASK_AGAIN, SYNC, VERIFY, Step, accepted, on_findings, on_key, once, still_open
from orders_pipeline.explain.tables import State, Table
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline.ledger.published import Shown as Figure
from orders_pipeline.ledger.staleness import Blocker
from orders_pipeline.ledger.versions import LOST, RELOCATED
from orders_pipeline.tables.rejects import Rejects
from orders_pipeline.tables.revenue import Shown

REPLACED: Final = "replaced"
OTHER_DAYS: Final = "other days"
_NOT_WANTED: Final = (REPLACED, OTHER_DAYS, RELOCATED, "retracted", "dismissed")
_ABOUT_NO_ORDERS: Final = ("revenue_is_plausible", "yesterday_is_built")  # what a person accepts of a holiday


class When(StrEnum):
    """Where a day is in the calendar."""

    OVER = "over"
    TODAY = "not over yet"
    FUTURE = "not begun"
    BEFORE_START = "before ORDERS_START_DATE"


class Usual(StrEnum):
    """How the revenue of a day compares with its weekday's."""

    YES = "usual"
    NO = "unusual"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Lacking:
    """A file that does not count, and may have orders of the day. `name`: its key, or its full name in another bucket.
    `state`: its status, or why that is `ignored`; or `pending`, `lost`, `replaced`, `other days` (it is loaded, and has
    none of the day). `because`: why it may have some. `still_counts`: an earlier version of it does. `is_accepted`: a
    person has accepted that it is not loaded."""

    name: str
    state: str
    message: str
    landed: datetime | None
    because: str
    still_counts: bool = False
    is_accepted: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether it should count, as far as can be known: no one retracted, relocated, replaced or accepted it, and it
        is no empty file that replaces nothing."""
        is_nothing = self.state == "empty" and not self.still_counts
        return not (self.is_accepted or is_nothing or self.state in _NOT_WANTED)


@dataclass(frozen=True)
class Sender:
    """A sender, when the newest of its files landed (None for the source table), and the newest day of the source table
    that is loaded (None for all others). `is_absent`: it has orders for the same weekday of each of the four weeks
    before, and none for this day."""

    name: str
    last_landed: datetime | None
    newest_day: date | None
    is_absent: bool


@dataclass(frozen=True)
class Day:
    """A day, and all that is known of it.

    `shown`: by the marts. `comparison`: how its revenue is unusual, or why that is not known. `version`: its present
    day version, None if no clean row of it ever landed. `files`: those that have clean rows of it; `replaced`: which of
    these rows do not count, and why. `rejects`: rows that are of this day; `other_rejects`: further rejects of these
    files, whose day is not known. `damaged`: the files and tables whose objects are missing from the lake or damaged.
    `files` and `replaced` are without these. `s3_error`: why files that wait on S3 are not known. `table_error`: why
    the source table could not be read. `senders`: those that are expected and absent; all, if the day has no orders.
    `newest_day`: the last one with orders. `figures`: every revenue that it has shown. `findings`: those about the day
    and its files that are not settled, open or accepted."""

    day: date
    when: When
    timezone: str
    start_date: date
    shown: Shown
    usual: Usual
    comparison: str | None
    version: int | None
    tables: Sequence[Table]
    files: Sequence[Share]
    replaced: Sequence[Replaced]
    rejects: Sequence[Rejects]
    other_rejects: int
    lacking: Sequence[Lacking]
    damaged: Sequence[str]
    s3_error: str | None
    table_error: str | None
    senders: Sequence[Sender]
    newest_day: date | None
    figures: Sequence[Figure]
    findings: Sequence[Recorded]

    @property
    def has_orders(self) -> bool:
        """Whether the marts show any, or some would count once it is built."""
        return bool(self.shown.orders or self.shown.customers or any(share.orders for share in self.files))

    @property
    def chains_agree(self) -> bool:
        """Whether both marts show the same revenue."""
        return self.shown.revenue == self.shown.spend

    @property
    def is_waiting(self) -> bool:
        """Whether it has orders that no table holds, because it is out of range."""
        is_built = any(table.built and table.built.version == self.version for table in self.tables)
        is_out = self.when in (When.FUTURE, When.BEFORE_START) and not is_built
        return is_out and any(share.orders for share in self.files)

    @property
    def is_well(self) -> bool:
        """Whether what the tables show is all that there should be, as far as can be known."""
        is_closed = any(
            one.kind in _ABOUT_NO_ORDERS and one.subject == str(self.day) for one in accepted(self.findings)
        )
        is_unbuilt = any(table.state in (State.STALE, State.BLOCKED) for table in self.tables)
        is_incomplete = any(file.is_wanted for file in self.lacking) or self.s3_error or self.table_error
        is_known = self.has_orders or is_closed or self.usual is Usual.YES or self.when in (When.TODAY, When.FUTURE)
        return (
            is_known
            and self.chains_agree
            and not (is_unbuilt or is_incomplete or self.is_waiting or self.damaged or still_open(self.findings))
            and not any(sender.is_absent for sender in self.senders)
        )

    @property
    def next(self) -> list[Step]:
        """What to do, the most urgent first. Empty if all is well."""
        return once(self._steps())

    def _steps(self) -> Iterator[Step]:
        if set(self.damaged).difference(file.name for file in self.lacking if file.state == LOST):
            yield VERIFY
            yield SYNC
        for file in self.lacking:
            yield from _step_of(file)
        for table in self.tables:
            yield from _steps_of(table, self.day)
        if self.s3_error:
            yield ASK_AGAIN
        if self.table_error:
            yield Step("Correct what keeps the source table from being read (see above), then load it.", SYNC.command)
        if self.is_waiting and self.when is When.BEFORE_START:
            yield Step(f"To count its orders, set ORDERS_START_DATE to {self.day} or earlier.")
        if self.rejects:
            yield Step(
                "Correct the rejected rows and upload their files again under the same keys.",
                on_key("explain --file", self.rejects[0].key),
            )
        if found := still_open(self.findings):
            yield on_findings([one.id for one in found])
        if not self.chains_agree and not any(table.state is not State.CURRENT for table in self.tables):
            yield Step("Both chains should agree: build the day again.", f"orders-pipeline rebuild {self.day}")
        is_missing = not self.has_orders or any(sender.is_absent for sender in self.senders)
        if is_missing and not self.is_well and self.when is When.OVER:
            yield Step(
                "If there should be more orders: land the missing file, or add them to the source table, and run"
                " `orders-pipeline sync`, which reads both."
            )


def _step_of(file: Lacking) -> Iterator[Step]:
    if file.state == PENDING:
        yield SYNC
    elif file.is_wanted:
        yield Step(f"See what is wrong with {file.state} files, and what to do.", on_key("explain --file", file.name))


def _steps_of(table: Table, day: date) -> Iterator[Step]:
    if table.state is State.STALE:
        yield SYNC
    elif table.why == Blocker.MISSING_OBJECT:
        yield Step("See what the file needs that blocks the day.", on_key("explain --file", table.names[0]))
    elif table.why == Blocker.FAILED_CHECK:
        yield Step(f"{table.names[0]} failed and blocks the day: settle its findings.", "orders-pipeline findings")
        yield Step("Then build the day again.", f"orders-pipeline rebuild {day}")
    elif table.state is State.BLOCKED and table.names:
        yield SYNC  # which reprocesses the files
