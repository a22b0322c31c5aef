"""Files of a thousand orders of the last day, and a correction of one in a hundred orders of a day long past."""

from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any

from bench.contenders.pipeline import sync_now
from bench.orders import FIRST_DAY, Orders, arrival, corrected, rows_of_day
from bench.places import Place, land_frame

TIMES = 5


def run(place: Place, orders: dict[str, Any]) -> dict[str, Any]:
    history = Orders(**orders)
    seconds = []
    for number in range(TIMES + 1):
        file = arrival(history, number, 1_000)
        land_frame(place, f"arrival-{number}", file)
        started = perf_counter()
        synced = sync_now()
        seconds.append(perf_counter() - started)
        assert synced.is_complete
        touched = set(file["order_date"].str.slice(0, 10))
        assert {str(day) for day in synced.rebuilt["daily_revenue"]} == touched, "not exactly the days touched"
    day = FIRST_DAY + timedelta(days=history.days // 2)
    land_frame(place, "correction", corrected(rows_of_day(history, day)))
    started = perf_counter()
    synced = sync_now()
    corrected_in = perf_counter() - started
    assert synced.rebuilt["daily_revenue"] == [day]
    return {"arrival": median(seconds[1:]), "correction": corrected_in}
