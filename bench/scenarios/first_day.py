"""The first load of one day's orders, by a process that has loaded another file before."""

from datetime import timedelta
from time import perf_counter
from typing import Any

from bench.contenders.pipeline import prepare, sync_now
from bench.orders import FIRST_DAY, Orders, arrival, rows_of_day
from bench.places import Place, land_frame


def run(place: Place, orders: dict[str, Any]) -> dict[str, Any]:
    history = Orders(**orders)
    prepare(place)
    land_frame(place, "another", arrival(history, 0, 1_000))
    sync_now()
    land_frame(place, "day", rows_of_day(history, FIRST_DAY + timedelta(days=history.days // 2)))
    started = perf_counter()
    sync_now()
    return {"first_day": perf_counter() - started}
