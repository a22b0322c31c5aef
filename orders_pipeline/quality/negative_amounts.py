"""Which orders have a negative amount?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from orders_pipeline.ledger.findings import Finding
from orders_pipeline.quality.scope import Built
from orders_pipeline.schema import SOURCE
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import examples


@dataclass(frozen=True)
class NegativeAmounts:
    """The orders of a day with a negative amount, their files and total. There is at least one."""

    day: date
    order_ids: Sequence[str]
    files: Sequence[str]
    total: Decimal

    def finding(self) -> Finding:
        """The day has this many of them, with this total."""
        count = len(self.order_ids)
        message = (
            f"{count} orders on {self.day} have a negative amount, {self.total} in total: for example"
            f" {examples(self.order_ids)}, in {len(self.files)} files: {examples(self.files)}"
        )
        return Finding(str(self.day), f"{count} {self.total}", message, self.total)


def find(lake: Lake, built: Built) -> list[NegativeAmounts]:
    """The days among these that have orders with a negative amount, in order."""
    negative = (
        lake.scan(list(built.paths.values()))
        .filter(pl.col("amount") < 0)
        .select("order_id", "amount", SOURCE, day=pl.col("order_date").dt.date())
        .collect()
    )
    return [
        NegativeAmounts(
            day=day,
            order_ids=orders["order_id"].to_list(),
            files=orders[SOURCE].unique().sort().to_list(),
            total=sum(orders["amount"].to_list(), Decimal(0)),
        )
        for (day,), orders in sorted(negative.partition_by("day", as_dict=True).items())
    ]
