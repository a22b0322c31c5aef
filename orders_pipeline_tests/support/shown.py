"""Which days have lost their revenue, by the figures that the oracle predicts and by who changed what: a model of the
check `no_revenue_vanishes` that shares no line with it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

Figure = tuple[Decimal, int]  # revenue and orders
Asked = frozenset[bool]  # whether a person asked for a change: both, if that is not known

BY_A_PERSON: Asked = frozenset({True})
BY_THE_SENDER: Asked = frozenset({False})
BY_EITHER: Asked = BY_A_PERSON | BY_THE_SENDER
NONE: Figure = (Decimal("0.00"), 0)


@dataclass
class ShownFigures:
    """What `daily_revenue` has shown for each day. A change waits until `cleaned_orders` has it, then until
    `daily_revenue` has."""

    changed: defaultdict[date, Asked] = field(default_factory=lambda: defaultdict(frozenset))
    cleaned: dict[date, tuple[Figure, Asked]] = field(default_factory=dict)
    shown: defaultdict[date, list[tuple[Figure, Asked]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, published: Iterable[tuple[date, Decimal, int, bool]], built: Iterable[date]) -> "ShownFigures":
        """What was published, oldest first, and is shown on the days that are built."""
        found = cls()
        for day, revenue, orders, asked in published:
            found.shown[day].append(((revenue, orders), frozenset({asked})))
        for day in built:
            found.cleaned[day] = (found.shown[day][-1][0] if found.shown[day] else NONE), Asked()
        return found

    def copy(self) -> "ShownFigures":
        """Those that go on from here by themselves."""
        shown = defaultdict(list, {day: list(history) for day, history in self.shown.items()})
        return ShownFigures(self.changed.copy(), dict(self.cleaned), shown)

    def assert_continues(self, before: "ShownFigures") -> None:
        """These begin with all that was shown before."""
        for day, history in before.shown.items():
            own = self.shown[day][: len(history)]
            assert [figure for figure, _ in own] == [figure for figure, _ in history]
            assert all(asked <= asked_before for (_, asked), (_, asked_before) in zip(own, history, strict=True))

    def change(self, days: Iterable[date], asked: Asked) -> None:
        """The rows of these days change, by a person or by a sender."""
        for day in days:
            self.changed[day] |= asked

    def clean(self, days: Iterable[date], revenue: Mapping[str, tuple[str, int]]) -> None:
        """The orders of these days are built. `revenue`: what they are worth, by day."""
        for day in days:
            amount, orders = revenue.get(str(day), ("0.00", 0))
            waiting = self.cleaned.get(day, (NONE, Asked()))[1]
            self.cleaned[day] = (Decimal(amount), orders), waiting | self.changed.pop(day, Asked())

    def show(self, days: Iterable[date]) -> None:
        """`daily_revenue` shows what these days are worth."""
        for day in days:
            figure, asked = self.cleaned[day]
            self.cleaned[day] = figure, Asked()
            before = self.shown[day][-1][0] if self.shown[day] else NONE
            if figure != before:
                self.shown[day].append((figure, asked or BY_THE_SENDER))

    def have_vanished(self) -> tuple[set[str], set[str]]:
        """The days that must be findings, and those that may be, as it is not known who changed them."""
        verdicts = {str(day): _verdicts(history) for day, history in self.shown.items()}
        return {day for day, found in verdicts.items() if found == {True}}, {
            day for day, found in verdicts.items() if True in found
        }


def _verdicts(history: Collection[tuple[Figure, Asked]]) -> set[bool]:
    """Whether less than half is left of the most that should be there, for all that is possible."""
    possible = {(Decimal(0), Decimal(0))}  # what should be there, and what is
    for (now, _), asked in history:
        possible = {
            (_due(due, before, now) if is_asked else max(due, now), now)
            for due, before in possible
            for is_asked in asked
        }
    return {due > 0 and now < due / 2 for due, now in possible}


def _due(due: Decimal, before: Decimal, now: Decimal) -> Decimal:
    """What should be there after a change that a person asked for."""
    if due <= 0 or before >= due / 2:
        return now
    return max(now, due - max(Decimal(0), before - now))
