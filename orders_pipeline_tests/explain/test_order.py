"""Which version of an order counts, and why, in words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from orders_pipeline.explain.order import Order, Row, in_order


def row(file: str, number: int, landed: int | None, updated: int | None = None, *, is_latest: bool = False) -> Row:
    times = (datetime(2026, 3, day, tzinfo=UTC) if day else None for day in (updated, landed))
    amount, day = Decimal("1.00"), date(2026, 3, 4)
    return Row(
        file, "shop", number, "counts", None, "ann", amount, "1", day, *times, text=None, gone=None, is_latest=is_latest
    )


def order(rows: Sequence[Row]) -> Order:
    return Order("1", in_order(rows), None, None, [], 1, 1, [], 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (row("a", 2, 1, 3), row("z", 9, 2), "its updated_at (2026-03-03 00:00:00 UTC) is later than 2026-03-02"),
        (row("a", 2, 3), row("z", 9, 1, 2), "its landing (2026-03-03 00:00:00 UTC) is later than 2026-03-02"),
        (row("é", 2, 1), row("z", 9, 1), "its key is the last one by bytes"),
        (row("a", 10, 1), row("a", 9, 1), "it is the last row of its file with this id"),
        (row("a", 2, 1), row("table:orders/2026-03-04", 3, None), "later than a row of the source table of the next"),
    ],
)
def test_the_latest_version_comes_first_and_the_next_one_says_why(first: Row, second: Row, why: str) -> None:
    latest = Row(**{**vars(first), "is_latest": True})

    for rows in ([latest, second], [second, latest]):
        assert order(rows).versions == [latest, second]
        assert why in order(rows).why
    # the same order without the mark of the one that counts: the rule is that of `transforms.latest`
    assert in_order([second, first]) == [first, second]


def test_without_a_row_that_can_be_used_nothing_counts() -> None:
    found = order([])

    assert (found.latest, found.is_well) == (None, False)
    assert found.next[0].command == "orders-pipeline status"


def test_an_order_whose_file_has_a_newer_version_that_is_not_loaded_is_not_well() -> None:
    found = order([row("a b", 2, 1, is_latest=True)])

    assert found.is_well
    newer = replace(found, newer_unread=["a b"])
    assert (newer.is_well, newer.next[0].command) == (False, "orders-pipeline explain --file 'a b'")
