"""A contender in a process of its own, so that what it takes is its own."""

import importlib
import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.places import Place

PIPELINE = "pipeline"


@dataclass(frozen=True)
class Taken:
    """What a contender took and made. `seconds`: without starting Python and importing."""

    seconds: float
    peak_mb: int
    totals: tuple[str, ...]


def contend(contender: str, place: Place) -> Taken:
    """Let a contender do its work.

    Raises:
        CalledProcessError: it failed; its output is on the terminal.
    """
    found = play(f"contenders.{contender}", place)
    return Taken(found["seconds"], found["peak_mb"], totals(place, "analytics" if contender == PIPELINE else "public"))


def play(module: str, place: Place, **given: Any) -> dict[str, Any]:
    """Call a module's `run` in a new process. Returns its figures, or else `seconds` and `peak_mb`."""
    sent = json.dumps({"place": {**asdict(place), "folder": str(place.folder)}, **given}, default=str)
    done = subprocess.run(
        [sys.executable, "-m", "bench.measure", module, sent],
        env={**os.environ, **place.environment()},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def totals(place: Place, schema: str) -> tuple[str, ...]:
    """What the marts come to: all contenders must agree on it."""
    query = (
        f"SELECT (SELECT sum(revenue) FROM {schema}.daily_revenue), (SELECT sum(order_count) FROM"
        f" {schema}.daily_revenue), sum(daily_spend), count(*) FROM {schema}.daily_revenue_partitioned"
    )
    with place.connect() as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return tuple(str(value) for value in cursor.fetchone() or ())


def main(name: str, sent: str) -> None:
    """Run in the child process."""
    given: dict[str, Any] = json.loads(sent)
    fields = given.pop("place")
    place = Place(**{**fields, "folder": Path(fields["folder"])})
    module = importlib.import_module(f"bench.{name}")
    started = time.perf_counter()
    found = module.run(place, **given)
    seconds = time.perf_counter() - started
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(json.dumps(found or {"seconds": seconds, "peak_mb": max(peak_mb(), children)}))


def forget_peak() -> None:
    """Let `peak_mb` count from here on, and not from the start of the process."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> int:
    """The most memory that this process has had since. Not `getrusage`: that begins with what its parent had."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) // 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
