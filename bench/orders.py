"""Orders to measure with: CSV files as a shop would export them, in order of time, made from a seed.

A file holds some days' orders; one row in a hundred corrects an order of the file before, and one in a thousand has no
amount. So every contender has rows to leave out and older versions to replace, and all must come to the same totals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

FIRST_DAY = date(2016, 1, 1)
_CORRECTED, _BROKEN = 0.01, 0.001


@dataclass(frozen=True)
class Orders:
    """Which orders: so many, in so many files, over so many days, of so many customers."""

    count: int
    files: int
    days: int
    customers: int = 20_000
    random_ids: bool = False
    seed: int = 7

    @property
    def name(self) -> str:
        """What the files' folder is called."""
        ids = "-uuid" if self.random_ids else ""
        return f"{self.count}-in-{self.files}-files-{self.days}-days{ids}-{self.seed}"


def write(orders: Orders, folder: Path) -> list[Path]:
    """The files of these orders, made where they are not there yet."""
    target = folder / orders.name
    if not target.is_dir():
        draft = target.with_suffix(".unfinished")
        draft.mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(frames(orders)):
            frame.write_csv(draft / f"orders-{number:04}.csv")
        draft.rename(target)
    return sorted(target.iterdir())


def frames(orders: Orders) -> Iterator[pl.DataFrame]:
    """The rows of each file, as text."""
    random = np.random.default_rng(orders.seed)
    edges = np.linspace(0, orders.count, orders.files + 1).astype(int)
    before: pl.DataFrame | None = None
    for first, last in pairwise(edges):
        fresh = _rows(orders, random, np.arange(first, last))
        corrections = int(fresh.height * _CORRECTED) if before is not None else 0
        if before is not None and corrections:
            old = before[random.choice(before.height, corrections, replace=False)]
            fresh = pl.concat([fresh, old.with_columns(_amounts(random, corrections))])
        yield fresh
        before = fresh.head(last - first)


def _rows(orders: Orders, random: np.random.Generator, numbers: np.ndarray) -> pl.DataFrame:
    """Orders by their number, which is their place in time."""
    size = len(numbers)
    seconds = numbers * (orders.days * 86_400) // orders.count
    start = pl.lit(FIRST_DAY).cast(pl.Datetime("us"))
    broken = random.random(size) < _BROKEN
    return pl.DataFrame(
        {"_s": seconds, "_c": random.integers(1, orders.customers + 1, size), "_broken": broken}
    ).select(
        order_id=_uuids(random, size) if orders.random_ids else _rising(numbers),
        customer_id=pl.format("c{}", pl.col("_c").cast(pl.String).str.zfill(6)),
        amount=pl.when(pl.col("_broken")).then(pl.lit("")).otherwise(_amounts(random, size)),
        order_date=(start + pl.duration(seconds=pl.col("_s"))).dt.strftime("%Y-%m-%dT%H:%M:%S"),
    )


def _rising(numbers: np.ndarray) -> pl.Series:
    return pl.Series(numbers).cast(pl.String).str.zfill(10)


def _amounts(random: np.random.Generator, size: int) -> pl.Series:
    cents = pl.Series("amount", random.integers(100, 50_000, size))
    return (cents // 100).cast(pl.String) + "." + (cents % 100).cast(pl.String).str.zfill(2)


def _uuids(random: np.random.Generator, size: int) -> pl.Series:
    halves = pl.DataFrame({"a": random.integers(0, 1 << 63, size), "b": random.integers(0, 1 << 63, size)})
    digits = [pl.Series(name, np.char.mod("%016x", halves[name].to_numpy())) for name in ("a", "b")]
    text = digits[0] + digits[1]
    cuts = [(0, 8), (8, 4), (12, 4), (16, 4), (20, 12)]
    parts = [text.str.slice(start, length).alias(str(start)) for start, length in cuts]
    return pl.DataFrame(parts).select(pl.concat_str(pl.all(), separator="-"))["0"]


def last_day(orders: Orders) -> date:
    """The day of the latest order."""
    return FIRST_DAY + timedelta(days=orders.days - 1)


def arrival(orders: Orders, number: int, size: int) -> pl.DataFrame:
    """A file of new orders of the last hour; `number` tells it from other such files."""
    random = np.random.default_rng((orders.seed, number))
    ids = _uuids(random, size) if orders.random_ids else _rising(orders.count + number * size + np.arange(size))
    evening = f"{last_day(orders)}T23:00:00"
    customers = pl.Series([f"c{customer:06}" for customer in random.integers(1, orders.customers + 1, size)])
    return pl.DataFrame(
        {"order_id": ids, "customer_id": customers, "amount": _amounts(random, size), "order_date": [evening] * size}
    )


def rows_of_day(orders: Orders, day: date) -> pl.DataFrame:
    """The orders of one day, each as it was first."""
    rows = pl.concat(frame.filter(pl.col("order_date").str.starts_with(str(day))) for frame in frames(orders))
    return rows.filter(pl.col("amount") != "").unique("order_id", keep="first", maintain_order=True)


def corrected(rows: pl.DataFrame) -> pl.DataFrame:
    """One in a hundred of these orders, for another amount."""
    return rows.gather_every(100).with_columns(amount=pl.lit("0.01"))
