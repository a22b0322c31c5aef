"""Days in portions of about as many orders as memory may hold at a time."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final

_ROWS_AT_ONCE: Final = 500_000  # 100 MB or so


def portions(days: Iterable[date], rows: Mapping[date, int]) -> Iterator[list[date]]:
    """The days in order, a few at a time; `rows`: how many orders are expected of each."""
    portion: list[date] = []
    size = 0
    for day in sorted(days):
        if portion and size + rows.get(day, 0) > _ROWS_AT_ONCE:
            yield portion
            portion, size = [], 0
        portion.append(day)
        size += rows.get(day, 0)
    if portion:
        yield portion
