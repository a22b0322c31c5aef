"""What became of the rows of a day: which count, and which another version of their order replaced. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import narwhals as nw
import polars as pl

from orders_pipeline.schema import AMOUNT, COUNTS, DAY, LANDED_AT, OUTCOME, ROW_NUMBER, SOURCE, VOID
from orders_pipeline.transforms import latest

SUPERSEDED: Final = "superseded"
MOVED: Final = "moved"  # superseded by a version of another day
DELETED: Final = "deleted"  # superseded by a void row

_WINNER: Final = {SOURCE: "winner", ROW_NUMBER: "_winners_row", LANDED_AT: "_winners_landing"}


@dataclass(frozen=True)
class Share:
    """What a file has of a day: its clean rows of that day, how many of them count, and what those are worth."""

    file: str
    rows: int
    orders: int
    amount: Decimal


@dataclass(frozen=True)
class Replaced:
    """Rows of a file that do not count, since a row of `winner` is the latest of their orders: how many, and what they
    are worth. `how`: SUPERSEDED, MOVED or DELETED."""

    file: str
    winner: str
    how: str
    rows: int
    amount: Decimal


def outcomes(candidates: pl.LazyFrame, day: date) -> pl.LazyFrame:
    """The clean rows of a day, counted by file, by what became of them, and by the file that has the latest version of
    their orders.

    `candidates`: all clean and void rows of the orders that have a row of this day."""
    held = candidates.filter(pl.col(DAY) == day).select("order_id", AMOUNT, *_WINNER)
    newest: Any = latest(nw.from_native(candidates)).to_native()
    winners = newest.select("order_id", DAY, OUTCOME, *(pl.col(column).alias(name) for column, name in _WINNER.items()))
    is_winner = pl.all_horizontal(*(pl.col(column).eq_missing(pl.col(name)) for column, name in _WINNER.items()))
    how = (
        pl.when(is_winner)
        .then(pl.lit(COUNTS))
        .when(pl.col(OUTCOME) == VOID)
        .then(pl.lit(DELETED))
        .when(pl.col(DAY) != day)
        .then(pl.lit(MOVED))
        .otherwise(pl.lit(SUPERSEDED))
    )
    return (
        held.join(winners, on="order_id", how="left")
        .group_by(key=SOURCE, winner="winner", how=how)
        .agg(rows=pl.len(), amount=pl.col(AMOUNT).cast(pl.Decimal(38, 2)).sum())
    )


def shares(counted: Iterable[dict[str, Any]], names: Mapping[str, str]) -> tuple[list[Share], list[Replaced]]:
    """The rows of `outcomes`: what each file has of the day, and what was replaced; the largest amounts first. `names`:
    how the files of some keys are shown; all others are by their keys."""
    rows, orders, amounts = dict[str, int](), dict[str, int](), dict[str, Decimal]()
    replaced = []
    for one in counted:
        key, winner = (names.get(one[column], one[column]) for column in ("key", "winner"))
        rows[key] = rows.get(key, 0) + one["rows"]
        if one["how"] == COUNTS:
            orders[key], amounts[key] = one["rows"], one["amount"]
        else:
            replaced.append(Replaced(key, winner, one["how"], one["rows"], one["amount"]))
    nothing = Decimal("0.00")
    found = [Share(key, count, orders.get(key, 0), amounts.get(key, nothing)) for key, count in rows.items()]
    return (
        sorted(found, key=lambda one: (-abs(one.amount), one.file)),
        sorted(replaced, key=lambda one: (-abs(one.amount), one.file, one.winner, one.how)),
    )
