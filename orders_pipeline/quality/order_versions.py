"""Which orders were replaced by what may be no correction of them? Reads what the builds of `cleaned_orders` recorded
in `ledger.superseded`: all of it, since one query sums it up."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import builds, declarations, staleness, superseded
from orders_pipeline.ledger.findings import Finding, of_file
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.ledger.superseded import Replaced
from orders_pipeline.schema import TABLE_PREFIX
from orders_pipeline.sources.declaration import Source, Sources
from orders_pipeline.sources.senders import sender_of
from orders_pipeline.text import counted, examples, printable

_FORGOTTEN: Final = "-"  # the bucket of a key that the ledger has forgotten since


@dataclass(frozen=True)
class Replacement:
    """Orders of one file that a version from `winner` replaced, and that have another sender (all that say something
    else) or name another customer. There is at least one."""

    replaced: Replaced
    is_of_other_sender: bool

    @property
    def orders(self) -> int:
        """How many."""
        one = self.replaced
        return one.orders - one.unchanged if self.is_of_other_sender else one.other_customer

    @property
    def amount(self) -> Decimal:
        """What they were worth."""
        one = self.replaced
        return one.amount - one.unchanged_amount if self.is_of_other_sender else one.other_customer_amount


@dataclass(frozen=True)
class Overwriting:
    """A file, and the orders that it replaced although they may be other orders."""

    bucket: str
    key: str
    replacements: Sequence[Replacement]

    def finding(self) -> Finding:
        """The file replaced this many, worth this much."""
        most_first = sorted(self.replacements, key=lambda one: (-abs(one.amount), one.replaced.loser))
        orders = sum(one.orders for one in most_first)
        amount = sum((one.amount for one in most_first), Decimal(0))
        counts = {
            "of another sender": sum(one.orders for one in most_first if one.is_of_other_sender),
            "of another customer": sum(one.replaced.other_customer for one in most_first),
        }
        ids = dict.fromkeys(order_id for one in most_first for order_id in one.replaced.other_ids or ())
        files = examples(one.replaced.loser for one in most_first)
        message = (
            f"{printable(self.key)} replaced {counted(orders, 'order')} worth {amount:,} of {files}"
            f" ({', '.join(f'{count:,} {what}' for what, count in counts.items() if count)}; for example"
            f" {examples(ids)})"
        )
        fingerprint = f"{orders} {amount} {' '.join(map(str, counts.values()))}"
        return Finding(of_file(self.bucket, self.key), fingerprint, message, amount)


@dataclass(frozen=True)
class Repetition:
    """Rows of a file that do not count because a row of it has the same order: how many, and what they are worth. Each
    day of the source table is a file here."""

    replaced: Replaced
    rows: int
    amount: Decimal


@dataclass(frozen=True)
class Repeating:
    """A file, and the rows that do not count because it repeats their orders. For the source table: the day of the rows
    that count."""

    bucket: str
    key: str
    repetitions: Sequence[Repetition]

    def finding(self) -> Finding:
        """The file has this many such rows, worth this much."""
        rows = sum(one.rows for one in self.repetitions)
        amount = sum((one.amount for one in self.repetitions), Decimal(0))
        replaced = [one.replaced for one in self.repetitions]
        ids = {order_id for one in replaced for order_id in one.repeated_ids or one.other_ids or ()}
        days = [one.loser for one in replaced if one.loser != self.key]
        also = f", also of {examples(days)}," if days else ""
        message = (
            f"{printable(self.key)} repeats orders with other amounts: {counted(rows, 'row')} worth {amount:,}{also}"
            f" not counted, for example {examples(sorted(ids))}"
        )
        return Finding(of_file(self.bucket, self.key), f"{rows} {amount}", message, amount)


@dataclass(frozen=True)
class Shrinking:
    """A file of a source that sums the lines of an order, and the orders that it replaced with smaller sums."""

    bucket: str
    key: str
    replaced: Sequence[Replaced]

    def finding(self) -> Finding:
        """The file replaced this many, and this much less counts."""
        orders = sum(one.smaller for one in self.replaced)
        amount = sum((one.smaller_amount for one in self.replaced), Decimal(0))
        ids = {order_id for one in self.replaced for order_id in one.other_ids or ()}
        files = examples(one.loser for one in self.replaced)
        message = (
            f"{printable(self.key)} replaced {counted(orders, 'order')} of {files} with smaller sums,"
            f" {amount:,} less in all (it changed {examples(sorted(ids))})"
        )
        return Finding(of_file(self.bucket, self.key), f"{orders} {amount}", message, amount)


@dataclass(frozen=True)
class Versions:
    """What was superseded on the built days. `stale`: the days that are due. `orders`: the number of superseded
    rows."""

    days: Sequence[date]
    stale: Sequence[date]
    orders: int
    overwriting: Sequence[Overwriting]
    repeating: Sequence[Repeating]
    shrinking: Sequence[Shrinking]


def find(engine: Engine, calendar: Calendar) -> Versions:
    """All files that replaced what may be other orders or more lines of one, or that repeat orders."""
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        days = builds.all_days(snapshot, "cleaned_orders", calendar)
        replaced = superseded.by_file(snapshot, days)
        found = superseded.buckets(snapshot, {key for one in replaced for key in (one.winner, one.loser)})
        buckets = {key: _FORGOTTEN if bucket is None else bucket for key, bucket in found.items()}
        sources = declarations.current(snapshot)
        stale = staleness.due_days(snapshot, "cleaned_orders", calendar).stale
    return Versions(
        days,
        stale,
        sum(one.orders for one in replaced),
        overwriting(replaced, buckets, sources),
        repeating(replaced, buckets, sources),
        shrinking(replaced, buckets, sources),
    )


def overwriting(replaced: Sequence[Replaced], buckets: Mapping[str, str], sources: Sources) -> list[Overwriting]:
    """The files that replaced orders of another sender or customer. `buckets`: of all keys. Repeated rows are left
    out: they are reported as such."""
    senders = {key: sender_of(sources, bucket, key) for key, bucket in buckets.items()}
    found: defaultdict[str, list[Replacement]] = defaultdict(list)
    for one in replaced:
        replacement = Replacement(one, senders[one.winner] != senders[one.loser])
        if replacement.orders:
            found[one.winner].append(replacement)
    return [Overwriting(buckets[key], key, replacements) for key, replacements in found.items()]


def repeating(replaced: Sequence[Replaced], buckets: Mapping[str, str], sources: Sources) -> list[Repeating]:
    """The files that repeat orders with other amounts, without saying which row is the later one."""
    found: defaultdict[str, list[Repetition]] = defaultdict(list)
    for one in replaced:
        repetition = _unexplained(one, sources.of(buckets[one.winner], one.winner))
        if repetition.rows:
            found[one.winner].append(repetition)
    return [Repeating(buckets[key], key, repetitions) for key, repetitions in found.items()]


def shrinking(replaced: Sequence[Replaced], buckets: Mapping[str, str], sources: Sources) -> list[Shrinking]:
    """The files that replaced orders with smaller sums, where their source sums lines: some lines may be missing."""
    found: defaultdict[str, list[Replaced]] = defaultdict(list)
    for one in replaced:
        if one.smaller and sources.of(buckets[one.winner], one.winner).lines == "sum":
            found[one.winner].append(one)
    return [Shrinking(buckets[key], key, files) for key, files in found.items()]


def _unexplained(one: Replaced, source: Source) -> Repetition:
    """What is not explained of repeated rows. Where a source declares `lines`, a person has said what several rows of
    an order are: of one customer, in one file. The lines of an order on two days of the table are not summed."""
    if not source.declares_lines:
        return Repetition(one, one.repeated, one.repeated_amount)
    is_on_two_days = one.winner != one.loser and all(key.startswith(TABLE_PREFIX) for key in (one.winner, one.loser))
    if is_on_two_days and source.lines != "last":
        return Repetition(one, one.orders, one.amount)
    return Repetition(one, one.repeated_other_customer, one.repeated_other_customer_amount)
