"""Which orders have a negative amount?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from orders_pipeline.quality.scope import Built
from orders_pipeline.schema import SOURCE
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class NegativeAmounts:
    """The orders with a negative amount, their days, files and total."""

    order_ids: Sequence[str]
    days: Sequence[date]
    files: Sequence[str]
    total: Decimal


def find(lake: Lake, built: Built) -> NegativeAmounts:
    """The orders of these days with a negative amount."""
    negative = (
        lake.scan(list(built.paths.values()))
        .filter(pl.col("amount") < 0)
        .select("order_id", "amount", SOURCE, day=pl.col("order_date").dt.date())
        .collect()
    )
    return NegativeAmounts(
        order_ids=negative["order_id"].to_list(),
        days=negative["day"].unique().to_list(),
        files=negative[SOURCE].unique().sort().to_list(),
        total=sum(negative["amount"].to_list(), Decimal(0)),
    )
