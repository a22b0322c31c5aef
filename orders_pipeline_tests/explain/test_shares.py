"""Which rows of a day count, and what replaced the others."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from orders_pipeline import transforms
from orders_pipeline.explain.shares import Replaced, Share, outcomes, shares
from orders_pipeline.schema import (
    AMOUNT,
    COUNTS,
    DAY,
    LANDED_AT,
    ORDER_DATE,
    OUTCOME,
    REASON,
    ROW_NUMBER,
    SOURCE,
    UPDATED_AT,
    VOID,
)

DAY_4, DAY_5 = date(2026, 3, 4), date(2026, 3, 5)
SCHEMA: dict[str, Any] = {
    "order_id": pl.String(),
    "customer_id": pl.String(),
    AMOUNT: pl.Decimal(18, 2),
    SOURCE: pl.String(),
    ROW_NUMBER: pl.Int64(),
    OUTCOME: pl.String(),
    DAY: pl.Date(),
    LANDED_AT: pl.Datetime("us", "UTC"),
    UPDATED_AT: pl.Datetime("us", "UTC"),
    REASON: pl.String(),
    ORDER_DATE: pl.Datetime("us"),
}


def row(order_id: str, amount: str, source: str, number: int, day: date | None = DAY_4, landed: int = 1) -> Any:
    """A version of an order; without a day, one that is void."""
    time = None if day is None else datetime(day.year, day.month, day.day)
    outcome = VOID if day is None else COUNTS
    landed_at = datetime(2026, 3, landed, tzinfo=UTC)
    return (order_id, "ann", Decimal(amount), source, number, outcome, day, landed_at, None, None, time)


def of_day_4(*rows: Any) -> tuple[list[Share], list[Replaced]]:
    frame = pl.LazyFrame(rows, schema=SCHEMA, orient="row")
    return shares(outcomes(frame, DAY_4).collect().iter_rows(named=True), {"z": "s3://other/z"})


def test_each_row_of_the_day_counts_or_is_replaced_by_the_latest_version_of_its_order() -> None:
    rows = [
        row("1", "1.00", "a", 2),
        row("2", "2.00", "a", 3),
        row("2", "2.50", "a", 4),
        row("3", "3.00", "a", 5),
        row("3", "3.50", "b", 2, landed=2),
        row("4", "4.00", "a", 6),
        row("4", "4.00", "b", 3, DAY_5, landed=2),
        row("5", "-5.00", "a", 7),
        row("5", "0.00", "b", 4, None, landed=2),
        row("6", "6.00", "b", 5, DAY_5),  # of another day, and so is all of its order
    ]

    files, replaced = of_day_4(*rows)

    assert files == [Share("a", 6, 2, Decimal("3.50")), Share("b", 1, 1, Decimal("3.50"))]
    assert replaced == [
        Replaced("a", "b", "deleted", 1, Decimal("-5.00")),
        Replaced("a", "b", "moved", 1, Decimal("4.00")),
        Replaced("a", "b", "superseded", 1, Decimal("3.00")),
        Replaced("a", "a", "superseded", 1, Decimal("2.00")),
    ]
    orders = transforms.clean(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    counted = orders.filter(pl.col("order_date").dt.date() == DAY_4)
    assert sum(file.amount for file in files) == counted["amount"].sum()
    assert sum(file.orders for file in files) == counted.height


def test_files_of_the_same_key_in_two_buckets_are_told_apart_by_when_they_landed() -> None:
    files, replaced = of_day_4(row("1", "1.00", "a", 2), row("1", "2.00", "a", 2, landed=2))

    assert files == [Share("a", 2, 1, Decimal("2.00"))]
    assert replaced == [Replaced("a", "a", "superseded", 1, Decimal("1.00"))]
