"""Waiting orders: the number and amount of orders that no table holds because their day is out of range."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

import polars as pl
from sqlalchemy.engine import Connection

from orders_pipeline import transforms
from orders_pipeline.errors import MissingInputError
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger import active, overlaps, staleness
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.schema import SOURCE
from orders_pipeline.storage.lake import Lake
from orders_pipeline.tables.batching import batches

_UNREADABLE: Final = (MissingInputError, OSError, *raw_objects.DAMAGE)


class Side(StrEnum):
    """On which side of the calendar a day is."""

    BEFORE_START = "before_start"
    AFTER_TODAY = "after_today"


@dataclass(frozen=True)
class Waiting:
    """Waiting orders on one side of the calendar, each in its current version. The amount is in the shop's currency.

    `problem`: why their number and amount are unknown; empty if they are known."""

    side: Side
    days: list[date]
    orders: int | None
    amount: Decimal | None
    files: list[str]
    problem: str = ""


def waiting_orders(connection: Connection, lake: Lake, calendar: Calendar) -> list[Waiting]:
    """The waiting orders, the earlier side first. Reads the lake only if there are any."""
    found = staleness.out_of_range_unbuilt(connection, calendar)
    sides = {
        Side.BEFORE_START: [day for day in found if day < calendar.start],
        Side.AFTER_TODAY: [day for day in found if day > calendar.today],
    }
    waiting = [_measure(connection, lake, calendar, side, its_days) for side, its_days in sides.items() if its_days]
    return [orders for orders in waiting if orders.days]


def _measure(connection: Connection, lake: Lake, calendar: Calendar, side: Side, its_days: list[date]) -> Waiting:
    held, files, count, amount = set[date](), set[str](), 0, Decimal(0)
    try:
        for orders in _orders(connection, lake, calendar, its_days):
            held.update(orders["order_date"].dt.date())
            files.update(orders[SOURCE])
            count += orders.height
            amount += Decimal(orders["amount"].cast(pl.Decimal(38, 2)).sum())
    except _UNREADABLE as error:
        return Waiting(side, its_days, None, None, [], str(error))
    return Waiting(side, sorted(held), count, amount, sorted(files))


def _orders(connection: Connection, lake: Lake, calendar: Calendar, its_days: list[date]) -> Iterator[pl.DataFrame]:
    """The orders of these days as they would be built, a few days at a time."""
    for batch in batches(its_days, active.expected_rows(connection, its_days)):
        holding = active.holding(connection, batch)
        if holding:
            rows = raw_objects.candidates(lake, batch, holding, overlaps.partners(connection, holding))
            orders: pl.LazyFrame = transforms.clean(rows, calendar.zone)
            yield orders.filter(pl.col("order_date").dt.date().is_in(batch)).collect(engine="streaming")
