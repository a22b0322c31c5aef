"""Processes to be killed: forked from a warm parent that has imported everything and opened nothing."""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import psycopg2
import time_machine
from botocore.retries.standard import ExponentialBackoff

from bench.variables import OF_THE_PIPELINE
from orders_pipeline.cli.main import main
from orders_pipeline.cli.sync import sync
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger.migrate import migrate
from orders_pipeline.ledger.vacuum import vacuum
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.chaos.points import Reached, watched
from orders_pipeline_tests.chaos.scenarios import Scenario

SECONDS = 120
EVERY = int(os.environ.get("ORDERS_EVERY", "1"))  # so many faults of a kind are taken for one
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])
# As no test has changed it: what the forks inherit is that of the first test that forked.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_PIPELINE)}


def _sync() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        print(sync(instance, print))


def _sync_remembered() -> None:
    """With storage in DAGSTER_HOME, as `orders-pipeline sync` has it."""
    with dg.DagsterInstance.get() as instance:
        print(sync(instance, print))


def _sync_by_newer_rules() -> None:
    with mock.patch.dict(CODE_VERSIONS, {table: rules + 1 for table, rules in CODE_VERSIONS.items()}):
        _sync()


def _sync_dying() -> None:
    """One file makes whatever reads it crash."""

    def make_object(lake: Any, file: Path, origin: Any, *, original: Any = raw_objects.write_object) -> Any:
        if origin.version.key.endswith("/c.csv"):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(lake, file, origin)

    with mock.patch.object(raw_objects, "write_object", make_object):
        _sync()


def _sync_at_another_time(hours: int) -> None:
    """All Python code sees another time; Postgres and S3 do not."""
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        _sync()


TASKS: Mapping[str, Callable[[], object]] = {
    "sync": _sync,
    "sync, remembered": _sync_remembered,
    "sync, newer release": _sync_by_newer_rules,
    "sync, dying of c.csv": _sync_dying,
    "sync, clock -1 h": partial(_sync_at_another_time, -1),
    "sync, clock +1 h": partial(_sync_at_another_time, 1),
    "vacuum": lambda: vacuum(postgres.ledger(), s3.lake(), age=timedelta()),
    "recover": lambda: main(["recover"]),
    "migrate": lambda: migrate(engine_for(os.environ["ORDERS_DATABASE_URL"])),
}


@dataclass(frozen=True)
class Fault:
    """What happens at the n-th point that a process reaches, counted from 0. The points are written to `trace`."""

    kind: str
    number: int
    trace: Path

    @property
    def log(self) -> Path:
        """What the process said."""
        return self.trace.with_suffix(".log")

    @property
    def points(self) -> list[str]:
        """The points that the process reached."""
        return self.trace.read_text().splitlines()


def _striking(fault: Fault) -> Reached:
    numbers, lock = count(), threading.Lock()

    def reached(point: str, connection: Any) -> None:
        with lock:
            number = next(numbers)
            with fault.trace.open("a") as trace:
                trace.write(f"{point}\n")
        if number == fault.number:
            _KINDS[fault.kind](point, connection)

    return reached


def _kill(_point: str, _connection: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _drop(point: str, connection: Any) -> None:
    """The server drops every connection of this pipeline. Where a commit has just been made, its answer is lost."""
    with contextlib.closing(psycopg2.connect(os.environ["ORDERS_DATABASE_URL"])) as other, other.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    if point == "after COMMIT":
        raise psycopg2.OperationalError("server closed the connection unexpectedly")


_KINDS: Mapping[str, Callable[[str, Any], None]] = {
    "none": lambda _point, _connection: None,
    "kill": _kill,
    "drop": _drop,
}


def _play(task: str, variables: Mapping[str, str], fault: Fault) -> None:
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = variables.get("TMPDIR")  # also where it is full: Python itself would look for another place
    with fault.log.open("w") as said:
        os.dup2(said.fileno(), sys.stdout.fileno())
        os.dup2(said.fileno(), sys.stderr.fileno())
    at_once = mock.patch.object(ExponentialBackoff, "delay_amount", return_value=0)  # no waiting for a test
    with watched(_striking(fault)), at_once:
        TASKS[task]()


def start(task: str, variables: Mapping[str, str], fault: Fault) -> ForkServerProcess:
    """A process that begins a task and meets a fault on the way."""
    process = _FORKS.Process(target=_play, args=(task, {**_ENVIRONMENT, **variables}, fault))
    process.start()
    return process


def end(process: ForkServerProcess) -> int:
    """Wait for a process; returns its exit code, negative for a signal."""
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"Still at work after {SECONDS} s.")
    return process.exitcode


def seconds(task: str, scenario: Scenario, folder: Path) -> float:
    """How long a task takes when nothing goes wrong: moments are chosen within it."""
    folder.mkdir()
    with scenario.again(folder) as environment:
        started = time.monotonic()
        fault = Fault("none", 0, folder / "points")
        assert end(start(task, environment, fault)) == 0, fault.log.read_text()
        return time.monotonic() - started
