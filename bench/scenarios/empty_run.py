"""What Dagster itself takes for a run of the arrival job in which there is nothing to do: its five assets and its
checks, in this process, with storage in memory and on disk."""

import tempfile
from statistics import median
from time import perf_counter
from typing import Any

import dagster as dg

from bench.contenders.pipeline import prepare, quiet, sync_now
from bench.orders import Orders, arrival
from bench.places import Place, land_frame
from orders_pipeline.definitions import defs
from orders_pipeline.jobs import s3_arrival_job

TIMES = 5


def run(place: Place) -> dict[str, Any]:
    prepare(place)
    land_frame(place, "some", arrival(Orders(1_000, 1, 1), 0, 1_000))
    sync_now()
    with quiet() as memory, tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as disk:
        return {"run_in_memory": _run(memory), "run_on_disk": _run(disk)}


def _run(instance: dg.DagsterInstance) -> float:
    seconds = []
    for _ in range(TIMES + 1):
        started = perf_counter()
        assert defs.resolve_job_def(s3_arrival_job.name).execute_in_process(instance=instance).success
        seconds.append(perf_counter() - started)
    return median(seconds[1:])
