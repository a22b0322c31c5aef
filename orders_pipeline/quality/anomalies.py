"""Is the revenue of a day usual for its weekday?

The rule is the modified z-score of Iglewicz and Hoaglin ("How to Detect and Handle Outliers", ASQC, 1993): a value is
odd if it is further from the median than 3.5 times 1.4826 median absolute deviations. Unlike mean and standard
deviation, these hardly move for a few odd weeks. The rule uses logarithms, since revenue varies by ratios: half and
double are equally far. A value within a factor of two is never odd, however similar the weeks before were.

A day with revenue of zero or less has no logarithm. It is left out of the history (most often it is a holiday), and is
odd itself if that weekday usually has revenue.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import exp, log
from statistics import median
from typing import Final

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import builds
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.quality.scope import Scope
from orders_pipeline.tables import revenue as revenue_table

WEEKS: Final = 8  # how far back the same weekdays are compared
LEAST_WEEKS: Final = 5  # so many of them need revenue, or the day is not compared
_RECENT_DAYS: Final = 14  # which each run compares, so that a run of another day hides nothing
_SCORE: Final = 3.5
_DEVIATIONS: Final = 1.4826  # median absolute deviations that make a standard deviation of normal values
_LEAST_RATIO: Final = log(2)


@dataclass(frozen=True)
class Usual:
    """The usual revenue of a weekday: the median of the weeks before, and the range that is not odd."""

    expected: Decimal
    low: Decimal
    high: Decimal
    weeks: int


@dataclass(frozen=True)
class Odd:
    """A day whose revenue is outside the usual range."""

    day: date
    revenue: Decimal
    usual: Usual

    def __str__(self) -> str:
        weekday, usual = f"{self.day:%A}", self.usual
        if self.revenue > 0:
            found = f"{self.revenue:,.2f}, {self.revenue / usual.expected:.1f} times the usual {usual.expected:,.2f}"
        else:
            found = f"{self.revenue:,.2f}, where {usual.expected:,.2f} is usual"
        return f"{self.day} ({weekday}) {found} (plausible: {usual.low:,.2f} to {usual.high:,.2f})"

    def finding(self) -> Finding:
        """The day with this revenue is odd; the money at stake is what it has more or less than usual."""
        return Finding(str(self.day), str(self.revenue), str(self), self.revenue - self.usual.expected)


@dataclass(frozen=True)
class Comparison:
    """The days that were compared, the odd ones among them, and the number of days that could not be compared.
    `examined`: the subjects on which the findings say all there is to say."""

    compared: list[date]
    odd: list[Odd]
    skipped: int
    examined: set[str]


def find(engine: Engine, scope: Scope, calendar: Calendar, again: Collection[date]) -> Comparison:
    """Compare the finished days among the recent ones, those that this run built, and those to compare `again`."""
    recent = [calendar.today - timedelta(days=ago) for ago in range(1, _RECENT_DAYS + 1)]
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        built = builds.days_of_run(snapshot, "daily_revenue", scope.run_id)
        finished = sorted(day for day in {*built, *recent, *again} if calendar.start <= day < calendar.today)
        known = revenue_table.of_days(snapshot, days_needed(finished))
    compared, odd = compare(known, finished)
    # No table has these days any more; or too little is left of their history to say that they are odd.
    incomparable = {day for day in again if day not in finished or (day in known and day not in compared)}
    examined = {str(day) for day in {*compared, *incomparable}}
    return Comparison(compared, odd, len(finished) - len(compared), examined)


def days_needed(days: Iterable[date]) -> set[date]:
    """The days whose revenue is needed to compare these: themselves, and the same weekdays before."""
    return {day - timedelta(weeks=week) for day in days for week in range(WEEKS + 1)}


def compare(revenue: Mapping[date, Decimal], days: Iterable[date]) -> tuple[list[date], list[Odd]]:
    """The days that have enough history to compare, and the odd ones among them, in order.

    Args:
        revenue: by day, for all of `days_needed`; 0 for a day without orders. Days that it leaves out are unknown:
            they are not compared, and not part of the history.
        days: the days to compare. Only finished ones, since half a day is always odd.
    """
    compared, odd = [], []
    for day in sorted(days):
        usual = _usual([revenue.get(day - timedelta(weeks=week), Decimal(0)) for week in range(1, WEEKS + 1)])
        if usual is None or day not in revenue:
            continue
        compared.append(day)
        if not usual.low <= revenue[day] <= usual.high:
            odd.append(Odd(day, revenue[day], usual))
    return compared, odd


def _usual(history: Iterable[Decimal]) -> Usual | None:
    """None: too few weeks had revenue."""
    logs = [log(amount) for amount in history if amount > 0]
    if len(logs) < LEAST_WEEKS:
        return None
    middle = median(logs)
    spread = median(abs(value - middle) for value in logs)
    reach = max(_LEAST_RATIO, _SCORE * _DEVIATIONS * spread)
    expected, low, high = (Decimal(f"{exp(middle + by):.2f}") for by in (0, -reach, reach))
    return Usual(expected, low, high, len(logs))
