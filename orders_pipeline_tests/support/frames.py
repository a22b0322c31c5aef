"""Small frames of every kind that narwhals reads, and what they hold as plain Python."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl

KINDS: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars-lazy": pl.LazyFrame,
}


def frame(kind: str, *rows: tuple[Any, ...], columns: str = "order_id customer_id amount order_date") -> Any:
    names = columns.split()
    return KINDS[kind]({name: [row[i] for row in rows] for i, name in enumerate(names)})


def dicts(result: Any) -> list[dict[str, Any]]:
    collected = nw.from_native(result).lazy().collect(backend="polars").to_native()
    return sorted(collected.to_dicts(), key=str)


def amounts(result: Any) -> dict[str, Decimal]:
    return {row["order_id"]: row["amount"] for row in dicts(result)}
