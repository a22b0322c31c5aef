"""Portions of days, and the next one made while one is used."""

from collections.abc import Iterator
from datetime import date
from threading import Event

import pytest

from orders_pipeline.tables.batching import batches, prefetch

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (2, 3, 4))


def test_portions_hold_what_memory_may_hold_and_at_least_a_day() -> None:
    days = [MONDAY, TUESDAY, WEDNESDAY]
    assert list(batches(days, {MONDAY: 1, TUESDAY: 1})) == [[MONDAY, TUESDAY, WEDNESDAY]]
    assert list(batches(days, {MONDAY: 3, TUESDAY: 1, WEDNESDAY: 1})) == [[MONDAY], [TUESDAY, WEDNESDAY]]
    assert list(batches([], {})) == []


def test_the_next_is_made_while_one_is_used_and_no_further() -> None:
    begun = [Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(begun):
            event.set()
            yield number

    for number in (ahead := prefetch(items())):
        if number < 3:
            assert begun[number + 1].wait(timeout=60)
        assert not any(event.is_set() for event in begun[number + 2 :])
    assert list(ahead) == []


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no room")

    ahead = prefetch(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="no room"):
        next(ahead)
