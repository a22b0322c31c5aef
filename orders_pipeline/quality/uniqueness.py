"""Does an order occur twice? Compares all days at once, in memory that does not grow with them."""

from typing import Final

import polars as pl

_HASHES_AT_ONCE: Final = 10_000_000


def repeated(orders: pl.LazyFrame, count: int) -> pl.DataFrame:
    """The rows of `orders` (a column order_id, and any others) whose id occurs more than once. `count`: the number of
    rows. Only hashes are in memory, and not all at once."""
    hashed, passes = pl.col("order_id").hash(), 1 + count // _HASHES_AT_ONCE
    suspects = []
    for number in range(passes):
        part = orders.select(hashed).filter(pl.col("order_id") % passes == number)
        hashes = part.collect(engine="streaming").to_series().sort()
        suspects.append(hashes.filter(hashes == hashes.shift()))
    found = orders.filter(hashed.is_in(pl.concat(suspects).implode())).collect(engine="streaming")
    return found.filter(pl.col("order_id").is_duplicated())  # not only the hash
