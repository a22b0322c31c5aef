"""Is the revenue of a day what that weekday usually brings? Pure: dates and amounts in, findings out.

The rule is the modified z-score of Iglewicz and Hoaglin ("How to Detect and Handle Outliers", ASQC, 1993): odd is what
is further from the median than 3.5 times 1.4826 median absolute deviations. A few odd weeks move neither of them, as
they would move mean and standard deviation. It is applied to logarithms, since revenue varies by ratios: half and
double are equally far. What is within a factor of two is never called odd, however alike the weeks before were.

A day that brought nothing, or less, has no logarithm. It tells nothing of what is usual (a holiday, most often), and is
odd itself where that weekday usually trades.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import exp, log
from statistics import median
from typing import Final

WEEKS: Final = 8  # how far back the same weekdays are looked at
LEAST_WEEKS: Final = 5  # of these have to have brought revenue; fewer tell nothing
_SCORE: Final = 3.5
_DEVIATIONS: Final = 1.4826  # median absolute deviations that make a standard deviation of normal values
_LEAST_RATIO: Final = log(2)


@dataclass(frozen=True)
class Usual:
    """What a weekday usually brings: the median of the weeks before, and the range that would not be odd."""

    expected: Decimal
    low: Decimal
    high: Decimal
    weeks: int


@dataclass(frozen=True)
class Odd:
    """A day whose revenue is out of the usual range."""

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


def days_needed(judged: Iterable[date]) -> set[date]:
    """The days whose revenue has to be known to judge these: themselves, and the same weekdays before."""
    return {day - timedelta(weeks=week) for day in judged for week in range(WEEKS + 1)}


def judge(revenue: Mapping[date, Decimal], days: Iterable[date]) -> tuple[list[date], list[Odd]]:
    """Those of the days that can be judged, and those of them that are odd, in order.

    Args:
        revenue: by day, for all of `days_needed`; 0 on a day that is known to have had no orders. Days that it leaves
            out are not known, and neither judged nor counted.
        days: the days to judge; finished ones, since half a day is odd by nature.
    """
    judged, odd = [], []
    for day in sorted(days):
        usual = _usual([revenue.get(day - timedelta(weeks=week), Decimal(0)) for week in range(1, WEEKS + 1)])
        if usual is None or day not in revenue:
            continue
        judged.append(day)
        if not usual.low <= revenue[day] <= usual.high:
            odd.append(Odd(day, revenue[day], usual))
    return judged, odd


def _usual(history: Iterable[Decimal]) -> Usual | None:
    """None: too few weeks brought anything."""
    logs = [log(amount) for amount in history if amount > 0]
    if len(logs) < LEAST_WEEKS:
        return None
    middle = median(logs)
    spread = median(abs(value - middle) for value in logs)
    reach = max(_LEAST_RATIO, _SCORE * _DEVIATIONS * spread)
    expected, low, high = (Decimal(f"{exp(middle + by):.2f}") for by in (0, -reach, reach))
    return Usual(expected, low, high, len(logs))
