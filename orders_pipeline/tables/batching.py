"""Batches of days or files, with as many orders as fit in memory, and the preparation of the next batch in advance."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from more_itertools import constrained_batches

_Item = TypeVar("_Item")

_ROWS_AT_ONCE: Final = 500_000  # about 100 MB; two batches are in memory at a time


def batches(items: Iterable[_Item], rows: Mapping[_Item, int]) -> Iterator[list[_Item]]:
    """The items in their order, a few at a time. `rows`: the expected number of orders of each."""
    return map(list, constrained_batches(items, _ROWS_AT_ONCE, get_len=lambda item: rows.get(item, 0), strict=False))


def prefetch(items: Iterator[_Item]) -> Iterator[_Item]:
    """The items. A thread prepares each while the caller uses the one before. An error comes in place of its item."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, items, end)
        while (item := upcoming.result()) is not end:
            upcoming = thread.submit(next, items, end)
            yield item  # type: ignore[misc]  # not the end, so an item
