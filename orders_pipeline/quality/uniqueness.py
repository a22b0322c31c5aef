"""Does an order occur twice? Compares all days at once, in memory that does not grow with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
from sqlalchemy.engine import Engine

from orders_pipeline import repeated_ids
from orders_pipeline.ledger import builds
from orders_pipeline.quality.scope import Built
from orders_pipeline.storage.lake import Lake

_HASHES_AT_ONCE: Final = 10_000_000


@dataclass(frozen=True)
class Repeated:
    """The orders that occur more than once, and their days."""

    order_ids: Sequence[str]
    days: Sequence[date]


def find(lake: Lake, built: Built) -> Repeated:
    """The orders that occur more than once on these days."""
    orders = lake.scan(list(built.paths.values())).select("order_id", day=pl.col("order_date").dt.date())
    found = repeated(orders, built.rows)
    return Repeated(found["order_id"].unique().to_list(), sorted(found["day"].unique()))


def block(engine: Engine, found: Repeated) -> None:
    """Keep the days of repeated orders from being read downstream."""
    with engine.begin() as transaction:
        builds.block(transaction, "cleaned_orders", found.days, "order_ids_are_unique")


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
