"""Assets called directly, as one would in a notebook."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl

from orders_pipeline.assets.daily import daily_orders, daily_revenue_partitioned
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders

RAW = {
    "order_id": ["1", "2", "3", "3"],
    "customer_id": ["ann", None, "bob", "bob"],
    "amount": ["1.10", "2.00", "3.00", "4.00"],
    "order_date": ["2026-03-04 09:00:00", "2026-03-04", "2026-03-05", "2026-03-05"],
}


def test_cleaned_orders_takes_and_gives_a_pandas_frame() -> None:
    cleaned: Any = cleaned_orders(pd.DataFrame(RAW))

    assert isinstance(cleaned, pd.DataFrame)
    assert sorted(zip(cleaned["order_id"], cleaned["amount"], strict=True)) == [
        ("1", Decimal("1.10")),
        ("3", Decimal("4.00")),
    ]


def test_daily_orders_does_the_same() -> None:
    assert sorted(daily_orders(pd.DataFrame(RAW))["order_id"]) == ["1", "3"]


def test_rejected_orders_names_the_reason() -> None:
    rejected: Any = rejected_orders(pd.DataFrame(RAW))

    assert rejected[["row_number", "reason"]].to_dict("records") == [{"row_number": 2, "reason": "customer_id_missing"}]


def test_daily_revenue_partitioned_takes_a_pandas_frame() -> None:
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2", "3"],
            "customer_id": ["ann", "ann", "bob"],
            "amount": [Decimal("1.10"), Decimal("2.20"), Decimal("5.00")],
            "order_date": [datetime(2026, 3, 4, 9), datetime(2026, 3, 4, 10), datetime(2026, 3, 4, 11)],
        }
    )

    spend: Any = daily_revenue_partitioned(orders)

    assert isinstance(spend, pd.DataFrame)
    assert sorted(zip(spend["customer_id"], spend["daily_spend"], strict=True)) == [
        ("ann", Decimal("3.30")),
        ("bob", Decimal("5.00")),
    ]
    assert {str(day)[:10] for day in spend["order_date"]} == {"2026-03-04"}


def test_the_chain_works_on_polars_frames_as_well() -> None:
    revenue: Any = daily_revenue(cleaned_orders(pl.LazyFrame(RAW)))

    assert revenue.sort("order_date").collect().rows() == [
        (date(2026, 3, 4), Decimal("1.10"), 1),
        (date(2026, 3, 5), Decimal("4.00"), 1),
    ]


def test_typed_columns_are_read_by_their_text() -> None:
    typed = pd.DataFrame(
        {
            "order_id": [1, 2],
            "customer_id": [7, 8],
            "amount": [10.5, 10.125],
            "order_date": pd.to_datetime(["2026-03-04", "2026-03-05"]),
        }
    )

    cleaned: Any = cleaned_orders(typed)
    rejected: Any = rejected_orders(typed)

    assert list(zip(cleaned["order_id"], cleaned["amount"], strict=True)) == [("1", Decimal("10.50"))]
    assert list(rejected["reason"]) == ["amount_not_decimal"]
