"""What the rows of a raw object come to, as a person wants to see it before they count."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl

from orders_pipeline import repeated_ids
from orders_pipeline.ledger.records import RawObject
from orders_pipeline.schema import (
    AMOUNT,
    BLANK,
    COUNTS,
    CURRENCY,
    DAY,
    MERGED,
    ORDER_COLUMNS,
    OUTCOME,
    REASON,
    REJECTED,
    ROW_NUMBER,
    TEXT,
    VALIDATION_COLUMNS,
    VOID,
)
from orders_pipeline.settings import Settings
from orders_pipeline.transforms import clean, revenue_by_day

_FIRST_ROWS: Final = 5
_IDS_AT_ONCE: Final = 1_000_000
_ID: Final = pl.col("order_id").hash()
_MONEY: Final = pl.Decimal(38, 2)


@dataclass(frozen=True)
class Row:
    """A row as it would count. `amount`: of a row that counts, exact; of any other, as it is written."""

    row_number: int
    order_id: str | None
    customer_id: str | None
    amount: str | None
    day: date | None
    outcome: str
    reason: str | None


@dataclass(frozen=True)
class Day:
    """A business day: its rows that count, and the orders and the money that they make, the latest version of each.
    `is_in_range`: the tables have such days today."""

    day: date
    rows: int
    orders: int
    amount: Decimal
    is_in_range: bool


@dataclass(frozen=True)
class Rejects:
    """The rows that are rejected for a reason: how many, and the first one with the value or the row at fault."""

    reason: str
    rows: int
    row_number: int
    value: str | None


@dataclass(frozen=True)
class Rows:
    """What becomes of the rows of a file. `superseded`: rows that count of which a later version is in the file.
    `amounts`: of rows that count, of void and of rejected ones, where readable."""

    total: int
    by_outcome: Mapping[str, int]
    amounts: Mapping[str, Decimal]
    superseded: int
    superseded_amount: Decimal
    currencies: tuple[str, ...]
    days: tuple[Day, ...]


def first_rows(rows: pl.LazyFrame) -> Iterator[Row]:
    """The first few rows of an object."""
    for row in rows.head(_FIRST_ROWS).collect().iter_rows(named=True):
        amount = row["amount"] if row[AMOUNT] is None else str(row[AMOUNT])
        yield Row(row[ROW_NUMBER], row["order_id"], row["customer_id"], amount, row[DAY], row[OUTCOME], row[REASON])


def rejects(rows: pl.LazyFrame) -> Iterator[Rejects]:
    """The rejected rows of an object by reason, the most frequent first."""
    rejected = rows.filter(pl.col(OUTCOME) == REJECTED)
    counted = (
        rejected.group_by(REASON)
        .agg(pl.len(), first=pl.col(ROW_NUMBER).min())
        .sort("len", REASON, descending=[True, False])
    )
    for reason, count, first in counted.collect(engine="streaming").iter_rows():
        is_first = (pl.col(REASON) == reason) & (pl.col(ROW_NUMBER) == first)
        column = next((name for name in ORDER_COLUMNS if reason.startswith(f"{name}_")), None)
        column = column or (CURRENCY if reason == "currency_other" else TEXT)
        value = rejected.filter(is_first).select(column).head(1).collect(engine="streaming").item()
        yield Rejects(reason, count, first, value)


def summed(rows: pl.LazyFrame, raw: RawObject, settings: Settings) -> Rows:
    """What becomes of all rows of an object. `raw`: what the ledger would record about them."""
    days = tuple(_days(rows, raw, settings))
    orders = sum(day.orders for day in days)
    revenue = sum((day.amount for day in days), Decimal("0.00"))
    rejected = raw.rows - raw.clean_rows - raw.void_rows - raw.merged_rows - raw.blank_rows
    return Rows(
        raw.rows,
        {
            COUNTS: raw.clean_rows,
            VOID: raw.void_rows,
            MERGED: raw.merged_rows,
            BLANK: raw.blank_rows,
            REJECTED: rejected,
        },
        {COUNTS: raw.amounts.clean, VOID: raw.amounts.void, REJECTED: raw.amounts.rejected},
        raw.clean_rows - orders,
        raw.amounts.clean - revenue,
        raw.currencies,
        days,
    )


def _days(rows: pl.LazyFrame, raw: RawObject, settings: Settings) -> Iterator[Day]:
    """Each business day of the file. The latest versions are found for some ids at a time, so that memory is
    bounded."""
    counted = rows.filter(pl.col(DAY).is_not_null()).group_by(DAY).len().collect(engine="streaming")
    versions = rows.filter(pl.col(OUTCOME).is_in([COUNTS, VOID])).select(
        "order_id", "customer_id", ROW_NUMBER, *VALIDATION_COLUMNS
    )
    shares = repeated_ids.shares(_ID, raw.rows, _IDS_AT_ONCE)
    sums = pl.concat([revenue_by_day(clean(versions.filter(share).collect(engine="streaming"))) for share in shares])
    found = sums.group_by("order_date").agg(pl.col("revenue").cast(_MONEY).sum(), pl.col("order_count").sum())
    revenue = {day: (orders, amount) for day, amount, orders in found.iter_rows()}
    for day, count in sorted(counted.iter_rows()):
        orders, amount = revenue.get(day, (0, Decimal("0.00")))
        yield Day(day, count, orders, amount, settings.start_date <= day <= settings.today())
