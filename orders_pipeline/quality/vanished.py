"""Has the revenue of a day vanished, though no one asked for that?

A day is compared with itself: with the highest figure that it has shown since a person last asked for a change. If less
than half of that is left, the rest has vanished: a table was truncated, a key overwritten. What a person asked for
(`retract`, `retract --undo`, `sources apply`, another time zone) sets the figure that later ones are compared with. It
does not hide what had vanished before: then that figure only falls by as much as the person took away.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import builds, published, staleness
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.ledger.published import Shown
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.quality.scope import Scope


@dataclass(frozen=True)
class Vanished:
    """A day that had more than twice the revenue that it has. `since` and `cause`: of the first figure that was as
    low. `lowest`: since then."""

    day: date
    had: Decimal
    has: Decimal
    lowest: Decimal
    since: datetime
    cause: str

    def __str__(self) -> str:
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"{self.day} had {self.had:,.2f} and has {self.has:,.2f} since {since} ({self.cause})"

    def finding(self) -> Finding:
        """The day has lost so much of this revenue, which is the money at stake. It is another finding if it falls
        further, not for each order that is added."""
        return Finding(str(self.day), f"{self.had} {self.lowest}", str(self), self.had - self.has)


@dataclass(frozen=True)
class Comparison:
    """The built days that were compared with what they showed before, and those whose revenue has vanished. `stale`: if
    no day is built, the days that are due. `examined`: the subjects on which the findings say all there is to say."""

    compared: Sequence[date]
    vanished: list[Vanished]
    stale: Sequence[date]
    examined: set[str]


def find(engine: Engine, scope: Scope, calendar: Calendar, again: Collection[date]) -> Comparison:
    """Compare the days that this run built (if it built none: all), and those to compare `again`."""
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        built = builds.all_days(snapshot, "daily_revenue", calendar)
        days = {*(scope.built_by_run(snapshot, "daily_revenue") or built), *again}
        histories = published.histories(snapshot, published.fallen(snapshot, days))
        due = () if built else staleness.due_days(snapshot, "cleaned_orders", calendar).stale
    vanished = [found for day, history in histories.items() if (found := compare(day, history))]
    return Comparison(sorted(days), vanished, due, set(map(str, days)))


def compare(day: date, history: Sequence[Shown]) -> Vanished | None:
    """What has vanished of the revenue of a day, by all that it has shown, oldest first."""
    reference = last = lowest = Decimal(0)
    began: Shown | None = None  # the figure with which it vanished
    for shown in history:
        if shown.asked_for:
            reference = reference + min(Decimal(0), shown.revenue - last) if began else shown.revenue
        reference, last = max(reference, shown.revenue), shown.revenue
        has_vanished = reference > 0 and last * 2 < reference
        lowest = min(lowest, last) if began else last
        began = (began or shown) if has_vanished else None
    return Vanished(day, reference, last, lowest, began.at, began.cause) if began else None
