"""`python -m bench.workers`: what docs/scaling.md says of runs on Celery workers, measured on the stack of
docker-compose.yml on this machine: a year's backfill on 1, 2 and 4 workers, runs a minute, and how long a file that
landed takes to be in the tables, beside Dagster's default launcher."""

import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench.deployment.engine import PYTHON, ROOT, engine, make_images
from bench.deployment.stack import Stack
from bench.orders import FIRST_DAY, Orders, last_day, write
from orders_pipeline import run_tags
from orders_pipeline.backlog import ranges
from orders_pipeline.pools import PARTITIONED_POOL

IMAGE = "orders-pipeline:measured"
YEAR = Orders(count=365_000, files=12, days=365)
CPUS = "0.25"  # of each worker while workers are counted: four take one of two cores, the rest is the servers'
WORKERS = (1, 2, 4)
LANDINGS = 4
EMPTY_RUNS = 30
UP_TO_DATE = {"dagster/partition": str(FIRST_DAY)}


def main() -> None:
    """Measure everything, and print it as JSON at the end."""
    with TemporaryDirectory(prefix="orders-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        files = write(YEAR, folder / "files")
        with engine(folder) as docker:
            make_images(docker, folder)
            docker.build(folder, f"--build-arg=PYTHON_IMAGE={PYTHON}", f"--tag={IMAGE}", str(ROOT))
            stack = Stack(docker, folder, IMAGE, ORDERS_START_DATE=str(FIRST_DAY), WORKERS="2", BACKFILL_RUNS="2")
            try:
                print(json.dumps(measure(stack, files, folder), indent=1))
            finally:
                stack.compose("down", "--volumes", "--timeout", "5")


def measure(stack: Stack, files: list[Path], folder: Path) -> dict[str, Any]:
    """Measure on a stack that is yet to be started."""
    found: dict[str, Any] = {}
    stack.up()
    with timed("first load"):
        stack.land(files)
        stack.wait_for("the first load", stack.is_settled, 900, pause=3)
    found["latency_workers"] = latency(stack, folder)
    found["empty_runs_a_minute"] = {count: empty_runs(stack, count) for count in (1, 2)}
    say(str(found))
    for count in WORKERS:
        resize(stack, count, CPUS)
        before = counters(stack)
        found[f"backfill_on_{count}"] = backfill(stack, count)
        found[f"asked_on_{count}"] = {name: value - before[name] for name, value in counters(stack).items()}
        say(f"{count} workers: {found[f'backfill_on_{count}']}")
    use_default_launcher(stack, folder)
    found["latency_default"] = latency(stack, folder)
    return found


def backfill(stack: Stack, count: int) -> dict[str, float]:
    """Rebuild a whole year, in runs of a month, with so many runs at a time."""
    days = [FIRST_DAY + timedelta(days=number) for number in range(YEAR.days)]
    return queue_and_run(
        stack, count, [{**run_tags.of_range(*asked), run_tags.FULL_REFRESH: "true"} for asked in ranges(days)]
    )


def counters(stack: Stack) -> dict[str, int]:
    """What the servers have been asked for so far."""
    query = """
    SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = 'dagster') AS dagster_transactions,
      (SELECT xact_commit FROM pg_stat_database WHERE datname = 'orders') AS ledger_transactions,
      (SELECT count(*) FROM event_logs) AS events, pg_database_size('dagster') / 1024 AS dagster_kb
    """
    found = {name: int(value) for name, value in stack.query(query, "dagster").iloc[0].items()}
    said = stack.exec("redis", "redis-cli", "info", "stats")
    found["redis_commands"] = int(said.partition("total_commands_processed:")[2].split()[0])
    log = stack.call("logs", stack.containers("s3")[0])
    return found | {f"s3_{method.lower()}": log.count(f"{method} /") for method in ("GET", "HEAD", "PUT")}


def empty_runs(stack: Stack, count: int) -> float:
    """Runs a minute in which there is nothing to do: a day each, which is up to date."""
    taken = queue_and_run(stack, count, [UP_TO_DATE] * EMPTY_RUNS)
    return EMPTY_RUNS * 60 / taken["seconds"]


def queue_and_run(stack: Stack, count: int, asked: list[dict[str, str]]) -> dict[str, float]:
    """Queue runs of the partitioned chain, then let so many go at a time."""
    limit(stack, 0)
    known = {run["run_id"] for run in stack.runs()}
    for tags in asked:
        stack.launch("stale_days", tags)
    limit(stack, count)
    started = time.time()

    def new() -> list[dict[str, Any]]:
        return [run for run in stack.runs() if run["run_id"] not in known]

    stack.wait_for("all runs", lambda: all(run["status"] == "SUCCESS" for run in new()), 1800)
    times = stack.query("SELECT run_id, start_time, end_time FROM runs", "dagster").set_index("run_id")
    mine = times.loc[[run["run_id"] for run in new()]].astype(float)
    return {
        "seconds": float(mine["end_time"].max()) - started,
        "runs": len(asked),
        "median_run": float((mine["end_time"] - mine["start_time"]).median()),
    }


def latency(stack: Stack, folder: Path) -> dict[str, Any]:
    """Seconds from a landed file of one order to its revenue in the tables: by whom they are spent, in the median."""
    say("latency")
    parts: dict[str, list[float]] = {"wait_for_tick": [], "queue_and_launch": [], "run_to_fresh": [], "in_all": []}
    for number in range(LANDINGS):
        time.sleep(random.Random(number).uniform(2, 30))  # noqa: S311 - a tick comes every half minute
        name = f"late-{stack.landed}"
        file = folder / f"{name}.csv"
        file.write_text(f"order_id,customer_id,amount,order_date\n{name},c1,1.00,{last_day(YEAR)}\n")
        before = stack.query("SELECT sum(order_count) AS orders FROM analytics.daily_revenue")["orders"][0]
        known = len(stack.runs())
        began = time.time()
        stack.land([file], "late/")
        query = "SELECT sum(order_count) AS orders FROM analytics.daily_revenue"
        stack.wait_for("a fresh table", lambda b=before, q=query: stack.query(q)["orders"][0] > b, 180, pause=0.1)
        fresh = time.time()
        run = stack.runs()[known]
        query = "SELECT extract(epoch FROM create_timestamp) AS asked, start_time FROM runs"
        query += f" WHERE run_id = '{run['run_id']}'"
        asked, started = (float(value) for value in stack.query(query, "dagster").iloc[0])
        for part, seconds in zip(parts, (asked - began, started - asked, fresh - started, fresh - began), strict=True):
            parts[part].append(round(seconds, 2))
        stack.wait_for("rest", stack.is_settled, 300, pause=2)
    return {"median": {part: median(seconds) for part, seconds in parts.items()}, "all": parts}


def limit(stack: Stack, runs: int) -> None:
    """How many runs of the partitioned chain go at a time."""
    stack.exec("daemon", "dagster", "instance", "concurrency", "set", PARTITIONED_POOL, str(runs))


def resize(stack: Stack, workers: int, cpus: str) -> None:
    """So many workers, each with so much of a CPU, warm."""
    stack.set(WORKERS=str(workers), WORKER_CPUS=cpus)
    stack.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "worker", seconds=600)
    stack.wait_until_well()
    queue_and_run(stack, workers, [UP_TO_DATE] * workers)  # until they have imported what runs need


def use_default_launcher(stack: Stack, folder: Path) -> None:
    """Let the code server start a process for each run, as Dagster does by default."""
    settings = yaml.safe_load((ROOT / "deploy/dagster.yaml").read_text())
    settings["run_launcher"] = {"module": "dagster", "class": "DefaultRunLauncher"}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
    batches = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}  # as workers have it
    mounted = {"volumes": [f"{folder / 'dagster.yaml'}:/srv/dagster/dagster.yaml:ro"], "environment": batches}
    names = ("code", "daemon", "webserver")
    (folder / "override.yml").write_text(yaml.safe_dump({"services": dict.fromkeys(names, mounted)}))
    stack.files = [ROOT / "docker-compose.yml", folder / "override.yml"]
    stack.compose("stop", "worker")
    stack.compose("up", "--detach", "--no-build", "--no-deps", *names)
    stack.wait_until_well()


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - started:.0f} s")


def say(text: str) -> None:
    """A line of progress."""
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)  # noqa: DTZ005 - for who sits here


if __name__ == "__main__":
    main()
