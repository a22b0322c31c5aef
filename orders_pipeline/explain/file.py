"""What became of a file: values, and what follows from them. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from shlex import quote
from typing import Any, Final

from orders_pipeline.explain.steps import ASK_AGAIN, SYNC, VERIFY, Step, accepted, on_findings, on_key, once, still_open
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline.ledger.versions import ARCHIVED, LOST, RELOCATED
from orders_pipeline.tables.rejects import Rejects

UNKNOWN: Final = "unknown"  # neither the ledger nor S3 has it
PENDING: Final = "pending"  # S3 has a version that is not loaded yet
LEFT_OUT: Final = "left out"  # by its name
RETRACTED: Final = "retracted"
UNLOADED: Final = "landed_files_are_readable"  # the check whose findings are files that are not loaded
DISMISSED: Final = "dismissed"
_AS_WANTED: Final = ("loaded", LEFT_OUT, RETRACTED, DISMISSED, RELOCATED)


@dataclass(frozen=True)
class Version:
    """A version of a file, as the ledger has it. `landed`: None for a day of the source table, whose `size` is its
    number of rows. `is_active`: its rows count."""

    status: str
    reason: str | None
    message: str | None
    is_active: bool
    landed: datetime | None
    size: int
    etag: str
    rows: int | None
    settled_at: datetime | None
    attempts: int
    next_attempt: datetime | None


@dataclass(frozen=True)
class Rows:
    """What became of the rows of the version that counts. `by_outcome` and `amounts`: of `schema.OUTCOMES`. Of those
    that are `counts`, `superseded` are those that another version of their order replaced, on the days as they are
    built, and `superseded_by` the files that did; `replaces`: rows of other files that rows of this one replaced."""

    total: int
    by_outcome: Mapping[str, int]
    amounts: Mapping[str, Decimal]
    superseded: int
    superseded_amount: Decimal
    superseded_by: Sequence[str]
    replaces: int
    currencies: Sequence[str]

    @property
    def counting(self) -> int:
        """The orders that the tables have from this file, if its days are in range and built."""
        return self.by_outcome["counts"] - self.superseded

    @property
    def amount(self) -> Decimal:
        """What those are worth."""
        return self.amounts["counts"] - self.superseded_amount


@dataclass(frozen=True)
class File:
    """A file, and all that is known of it.

    `name`: its key, or its full name in another bucket. `state`: the status of its latest version, why that is ignored,
    or one of `unknown`, `pending`, `left out`. `message`: more about it. `is_listed`: it is in the landing zone.
    `on_s3`: whether S3 has it now, None if that is not known. `source`: the declared one, None if none applies;
    `reading`: what that says of how it writes. `outdated`: why its rows are to be read or validated again. `rows`,
    `days` and `damaged` (its object is missing from the lake or damaged) are of the version that counts. `stale`: days
    that are not built from it yet, by why. `findings`: those that are not settled, open or accepted."""

    name: str
    bucket: str
    key: str
    state: str
    message: str | None
    is_listed: bool
    on_s3: bool | None
    s3_error: str | None
    sender: str
    source: str | None
    reading: Mapping[str, Any]
    versions: Sequence[Version]
    outdated: str | None
    rows: Rows | None
    days: Sequence[date]
    stale: Mapping[str, Sequence[date]]
    before_start: Sequence[date]
    after_today: Sequence[date]
    damaged: bool
    rejects: Sequence[Rejects]
    findings: Sequence[Recorded]

    @property
    def counts(self) -> bool:
        """Whether a version of it counts."""
        return any(version.is_active for version in self.versions)

    @property
    def is_well(self) -> bool:
        """Whether it is as it should be, or as someone wanted it."""
        is_accepted = any(one.kind == UNLOADED for one in accepted(self.findings))
        is_nothing = self.state == "empty" and not self.counts
        is_open = self.stale or self.before_start or still_open(self.findings) or self.s3_error
        is_as_wanted = self.state in _AS_WANTED or is_nothing or is_accepted
        return is_as_wanted and not (self.damaged or self.outdated or is_open)

    @property
    def next(self) -> list[Step]:
        """What to do, the most urgent first."""
        return once(self._steps())

    def _steps(self) -> Iterator[Step]:
        is_mendable = self.damaged and self.state != LOST
        if is_mendable:
            yield VERIFY
        if is_mendable or self.outdated or (self.stale and self.state != LOST):
            yield SYNC
        if self.s3_error:
            yield ASK_AGAIN
        yield from _STEPS.get(self.state, _no_steps)(self)
        if self.before_start:
            yield Step(f"To count all of its days, set ORDERS_START_DATE to {min(self.before_start)} or earlier.")
        if self.rejects:
            yield Step("Correct the rejected rows, and upload the whole file again.", self.land)
        if found := still_open(self.findings):
            yield on_findings([one.id for one in found])

    @property
    def land(self) -> str | None:
        """The command that uploads a file of this name under the same key. None: it is not in the landing zone."""
        folder, _, name = self.key.rpartition("/")
        return f"orders-pipeline land {quote(name)} --prefix {quote(folder)}" if self.is_listed else None


def _no_steps(_: File) -> Iterator[Step]:
    return iter(())


def _of_unknown(file: File) -> Iterator[Step]:
    yield Step("Look for it among the files that are not loaded, or land it.", "orders-pipeline status")


def _of_pending(file: File) -> Iterator[Step]:
    yield SYNC
    yield Step("Or see first what would become of it.", on_key("inspect", file.key))


def _of_quarantined(file: File) -> Iterator[Step]:
    if file.outdated:
        return
    yield Step("If the file is wrong: correct it, and upload it under the same key.", file.land)
    yield Step("If it is right: correct what the message names, then have it read again.", on_key("retry", file.name))
    yield Step("If it has no orders: take it off the reports.", on_key("retract", file.name))


def _of_failing(file: File) -> Iterator[Step]:
    yield Step("It is tried again without you. To try it now:", "orders-pipeline sync")


def _of_archived(file: File) -> Iterator[Step]:
    names = f"--bucket {quote(file.bucket)} --key {quote(file.key)}"
    yield Step("Restore it on S3; it is loaded within an hour after that.", f"aws s3api restore-object {names}" + _FOR)
    yield Step("If you do not need it, nor its earlier versions:", on_key("retract", file.name))


def _of_lost(file: File) -> Iterator[Step]:
    yield Step("Its rows are neither in the lake nor on S3: upload it again under the same key.", file.land)
    yield Step("If you no longer have it:", on_key("retract", file.name))


def _of_retracted(file: File) -> Iterator[Step]:
    if file.bucket:
        yield Step("To let it count again:", on_key("retract --undo", file.name))


def _of_empty(file: File) -> Iterator[Step]:
    if file.counts:
        yield Step("If it should have orders, upload it again. If its earlier version should not count:", None)
        yield Step("Take its earlier version out of the tables.", on_key("retract", file.name))


_FOR: Final = " --restore-request Days=7"
_STEPS: Final = {
    UNKNOWN: _of_unknown,
    PENDING: _of_pending,
    "quarantined": _of_quarantined,
    LOST: _of_lost,
    "failing": _of_failing,
    ARCHIVED: _of_archived,
    RETRACTED: _of_retracted,
    DISMISSED: _of_retracted,
    "empty": _of_empty,
}
