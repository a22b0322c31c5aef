"""Days or files in portions of about as many orders as memory may hold at a time, and the next one made while one is
used."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from more_itertools import constrained_batches

_Item = TypeVar("_Item")

_ROWS_AT_ONCE: Final = 500_000  # 100 MB or so; two portions are held at a time


def batches(items: Iterable[_Item], rows: Mapping[_Item, int]) -> Iterator[list[_Item]]:
    """The items in their order, a few at a time; `rows`: how many orders are expected of each."""
    return map(list, constrained_batches(items, _ROWS_AT_ONCE, get_len=lambda item: rows.get(item, 0), strict=False))


def prefetch(items: Iterator[_Item]) -> Iterator[_Item]:
    """The items, each made in a thread while the one before it is used. An error of one comes in its place."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item  # type: ignore[misc]  # not the end, so an item
