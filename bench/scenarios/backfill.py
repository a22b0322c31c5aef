"""A backfill of every partition, as the UI asks for it: runs of 31 days each; and the same once more."""

from datetime import date
from time import perf_counter
from typing import Any

import dagster as dg

from bench.contenders.pipeline import quiet
from bench.orders import FIRST_DAY, Orders, last_day
from bench.places import Place
from orders_pipeline import run_tags
from orders_pipeline.backlog import ranges
from orders_pipeline.definitions import defs
from orders_pipeline.jobs import stale_days_job
from orders_pipeline.partitions import MAX_DAYS_PER_RUN, daily


def run(place: Place, orders: dict[str, Any]) -> dict[str, Any]:
    history = Orders(**orders)
    keys = daily.get_partition_keys_in_range(dg.PartitionKeyRange(FIRST_DAY.isoformat(), last_day(history).isoformat()))
    asked = ranges(map(date.fromisoformat, keys), MAX_DAYS_PER_RUN)
    return {
        "backfill": _run(asked, {run_tags.FULL_REFRESH: "true"}),
        "backfill_again": _run(asked, {}),
        "backfill_runs": len(asked),
    }


def _run(asked: list[Any], tags: dict[str, str]) -> float:
    started = perf_counter()
    with quiet() as instance:
        for first, last in asked:
            job = defs.resolve_job_def(stale_days_job.name)
            assert job.execute_in_process(instance=instance, tags={**run_tags.of_range(first, last), **tags}).success
    return perf_counter() - started
