"""Does an order occur twice? Compares all days at once, in memory that does not grow with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl
from sqlalchemy.engine import Engine

from orders_pipeline import repeated_ids
from orders_pipeline.ledger import builds
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.quality.scope import Built
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import counted, examples

_HASHES_AT_ONCE: Final = 10_000_000


@dataclass(frozen=True)
class Repeated:
    """The rows of a day whose order occurs more than once, on this day or another one: their ids, and what they are
    worth in total."""

    day: date
    order_ids: Sequence[str]
    amount: Decimal

    def finding(self) -> Finding:
        """The day has these rows."""
        ids = sorted(set(self.order_ids))
        orders = f"{counted(len(ids), 'order')} occur{'s' if len(ids) == 1 else ''}"
        message = f"{orders} more than once, on {self.day}, for example {examples(ids)}"
        return Finding(str(self.day), f"{len(self.order_ids)} {self.amount}", message, self.amount)


def find(lake: Lake, built: Built) -> list[Repeated]:
    """The days among these with orders that occur more than once, in order."""
    orders = lake.scan(list(built.paths.values())).select("order_id", "amount", day=pl.col("order_date").dt.date())
    found = repeated(orders, built.rows)
    return [
        Repeated(day, rows["order_id"].to_list(), sum(rows["amount"].to_list(), Decimal(0)))
        for (day,), rows in sorted(found.partition_by("day", as_dict=True).items())
    ]


def block(engine: Engine, found: Sequence[Repeated]) -> None:
    """Keep the days of repeated orders from being read downstream, until they are rebuilt. Accepting the finding does
    not change that: the day would count an order twice, which is wrong, whoever knows about it."""
    if found:
        with engine.begin() as transaction:
            builds.block(transaction, "cleaned_orders", [repeated.day for repeated in found], "order_ids_are_unique")


def repeated(orders: pl.LazyFrame, count: int) -> pl.DataFrame:
    """The rows of `orders` (a column order_id, and any others) whose id occurs more than once. `count`: the number of
    rows. Only hashes are in memory, and not all at once."""
    hashed = pl.col("order_id").hash()
    suspects = [
        repeated_ids.repeated(orders.select(hashed).filter(share).collect(engine="streaming").to_series())
        for share in repeated_ids.shares(pl.col("order_id"), count, _HASHES_AT_ONCE)
    ]
    found = orders.filter(hashed.is_in(pl.concat(suspects).implode())).collect(engine="streaming")
    return found.filter(pl.col("order_id").is_duplicated())  # not only the hash
