"""Is an order there twice? Asked of all days at a time, so in memory that does not grow with them."""

from typing import Final

import polars as pl

_HASHES_AT_ONCE: Final = 10_000_000


def repeated(orders: pl.LazyFrame, count: int) -> pl.DataFrame:
    """The rows of `orders` (a column order_id, and any others) whose id is there more than once; `count`: how many rows
    there are. Only hashes are held in memory, and not all at a time."""
    hashed, passes = pl.col("order_id").hash(), 1 + count // _HASHES_AT_ONCE
    suspects = []
    for number in range(passes):
        part = orders.select(hashed).filter(pl.col("order_id") % passes == number)
        hashes = part.collect(engine="streaming").to_series().sort()
        suspects.append(hashes.filter(hashes == hashes.shift()))
    found = orders.filter(hashed.is_in(pl.concat(suspects).implode())).collect(engine="streaming")
    return found.filter(pl.col("order_id").is_duplicated())  # and not just the hash
