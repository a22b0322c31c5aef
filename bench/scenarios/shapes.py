"""The shape of an arrival: how its cost grows with its files, and with the days that it touches. Each works on what the
one before has left: at most some hundred thousand orders."""

from datetime import timedelta
from time import perf_counter
from typing import Any

import polars as pl

from bench.contenders.pipeline import prepare, sync_now
from bench.measure import forget_peak, peak_mb
from bench.orders import FIRST_DAY, Orders, arrival
from bench.places import Place, land_frame

ORDERS_OF_A_FILE = 100
FILES = (1, 10, 100, 1_000)
DAYS = (1, 10, 100, 365)
Cost = tuple[int, float, int]  # how many, seconds, the most memory in MB
_DAY = Orders(0, 1, 1)


def run(place: Place) -> dict[str, Any]:
    prepare(place)
    land_frame(place, "some", arrival(_DAY, 0, 1_000))
    sync_now()
    return {"files": [_of_files(place, count) for count in FILES], "days": [_of_days(place, count) for count in DAYS]}


def _of_files(place: Place, count: int) -> Cost:
    """A sync that takes so many files of a hundred orders of one day."""
    for number in range(count):
        orders = arrival(_DAY, 1_000 + count + number, ORDERS_OF_A_FILE)
        land_frame(place, f"of-{count}/{number:04}", orders)
    return _sync(count)


def _of_days(place: Place, count: int) -> Cost:
    """A sync that takes one file of ten orders of each of so many days."""
    days = [f"{FIRST_DAY + timedelta(days=1 + number)}T12:00:00" for number in range(count)]
    orders = arrival(_DAY, 10_000 + count, 10 * count).with_columns(order_date=pl.Series(days * 10))
    land_frame(place, f"over-{count}-days", orders)
    return _sync(count)


def _sync(count: int) -> Cost:
    forget_peak()
    started = perf_counter()
    assert sync_now().is_complete
    return count, perf_counter() - started, peak_mb()
