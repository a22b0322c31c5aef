"""A real `dagster dev`, its daemon and its sensors: what lands shows up without a click, and Ctrl-C ends all of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from orders_pipeline import embedded
from orders_pipeline_tests.driver import HEADER
from orders_pipeline_tests.servers import free_port

ROOT = Path(__file__).parents[2]
BINARIES = Path(sys.executable).parent


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="orders-dev-") as name:
        folder = Path(name)
        for file in ("dagster.yaml", "workspace.yaml"):
            shutil.copy2(ROOT / file, folder / file)
        yield folder
        embedded.stop(folder / ".orders")


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{BINARIES}:{os.environ['PATH']}", "HOME": str(folder)}


def call(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [str(BINARIES / "orders-pipeline"), *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def wait_for(what: str, attempt: Callable[[], bool], log: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not attempt():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s\n{log.read_text()[-3000:]}"
        time.sleep(1)


def graphql(port: int, query: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["data"]


def answers(port: int) -> bool:
    try:
        return bool(graphql(port, "{ version }"))
    except OSError:
        return False


def children_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_make_dev_picks_up_what_lands_and_ends_with_ctrl_c(folder: Path) -> None:
    port, log = free_port(), folder / "log"
    with log.open("wb") as output:
        dev = subprocess.Popen(
            [str(BINARIES / "orders-pipeline"), "dev", "--no-sample", "--port", str(port)],
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=output,
        )
    try:
        wait_for("the webserver answers", lambda: dev.poll() is None and answers(port), log)
        file = folder / "my.csv"
        file.write_text(f"{HEADER}\n1,ann,1.50,2026-03-04\n2,bob,2.00,2026-03-06\n")
        call(folder, "land", str(file))

        def is_all_there() -> bool:
            status = json.loads(call(folder, "status", "--json"))
            return bool(status["totals"]["spend"] == "3.50" and status["totals"]["revenue"] == "3.50")

        wait_for("both chains hold the orders", is_all_there, log)
        location = graphql(port, "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
        assert location["workspaceOrError"]["locationEntries"] == [{"loadStatus": "LOADED"}]
        runs = graphql(port, "{ runsOrError { ... on Runs { results { jobName status } } } }")["runsOrError"]["results"]
        assert sorted((run["jobName"], run["status"]) for run in runs) == [
            ("s3_arrival", "SUCCESS"),
            ("stale_days", "SUCCESS"),
        ]
        started = children_of(dev)
        assert started
    finally:
        dev.send_signal(signal.SIGINT)
        dev.wait(60)

    assert dev.returncode == 0
    assert [process for process in started if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    assert embedded.running(folder / ".orders") == []


def test_plain_dagster_dev_with_nothing_set_starts_what_it_needs(folder: Path) -> None:
    port, log = free_port(), folder / "log"
    with log.open("wb") as output:
        dev = subprocess.Popen(
            [str(BINARIES / "dagster"), "dev", "-h", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(
            "a sensor starts the services", lambda: embedded.running(folder / ".orders") == ["postgres", "s3"], log
        )
        ticks = '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName:'
        ticks += ' "orders_pipeline.definitions"}) { ... on Sensors { results { name sensorState { status ticks(limit:'
        ticks += " 1) { status skipReason } } } } } }"

        def all_ticked() -> bool:
            if not answers(port):
                return False
            sensors = graphql(port, ticks)["sensorsOrError"]["results"]
            last = {(sensor["name"], tick["status"]) for sensor in sensors for tick in sensor["sensorState"]["ticks"]}
            names = ("s3_arrival_sensor", "stale_days_sensor", "run_failure_sensor")
            return last == {(name, "SKIPPED") for name in names}

        wait_for("every sensor finds nothing to do", all_ticked, log)
    finally:
        dev.send_signal(signal.SIGINT)
        dev.wait(60)

    assert sorted(embedded.stop(folder / ".orders")) == ["postgres", "s3"]
