"""A real `dagster dev` in a folder of its own, as a user starts it, and what a user asks it for."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from orders_pipeline.storage import embedded
from orders_pipeline_tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
BINARIES = Path(sys.executable).parent

_SENSORS = """{ sensorsOrError(repositorySelector: {repositoryName: "__repository__",
    repositoryLocationName: "orders_pipeline"}) { ... on Sensors { results { name sensorState { id
    ticks(limit: 20) { status timestamp } } } } } }"""


@dataclass(frozen=True)
class DagsterDev:
    """A `dagster dev` that runs. `home`: where it keeps its own state and that of the embedded services."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def home(self) -> Path:
        return self.folder / ".orders"

    @property
    def url(self) -> str:
        """Of its UI."""
        return f"http://127.0.0.1:{self.port}"

    def call(self, *arguments: str) -> str:
        """What `orders-pipeline` prints beside it."""
        command = [str(BINARIES / "orders-pipeline"), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=_environment(self.folder), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def land(self, name: str, content: str) -> None:
        """Land a file."""
        file = self.folder / name
        file.write_text(content)
        self.call("land", str(file))

    def status(self) -> Any:
        """What `orders-pipeline status` says."""
        return json.loads(self.call("status", "--json"))

    def graphql(self, query: str) -> Any:
        """The answer of the webserver."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def answers(self) -> bool:
        """Whether the webserver does."""
        try:
            return self.process.poll() is None and bool(self.graphql("{ version }"))
        except OSError:
            return False

    def ticks(self) -> dict[str, list[tuple[str, float]]]:
        """The last ticks of each sensor: status, and when, in seconds since 1970; the latest first."""
        sensors = self.graphql(_SENSORS)["sensorsOrError"]["results"]
        return {
            sensor["name"]: [(tick["status"], tick["timestamp"]) for tick in sensor["sensorState"]["ticks"]]
            for sensor in sensors
        }

    def stop_sensors(self) -> None:
        """Turn all of them off, as the switches of the UI do."""
        sensors = self.graphql(_SENSORS)["sensorsOrError"]["results"]
        for state in (sensor["sensorState"] for sensor in sensors):
            mutation = f'mutation {{ stopSensor(id: "{state["id"]}") {{ __typename }} }}'
            assert self.graphql(mutation)["stopSensor"]["__typename"] == "StopSensorMutationResult"

    def runs(self) -> list[tuple[str, str]]:
        """Job and status of every run, the latest first."""
        found = self.graphql("{ runsOrError { ... on Runs { results { jobName status } } } }")
        return [(run["jobName"], run["status"]) for run in found["runsOrError"]["results"]]

    def backfills(self) -> list[tuple[str, str]]:
        """The id and the status of every backfill, the latest first."""
        found = self.graphql("{ partitionBackfillsOrError { ... on PartitionBackfills { results { id status } } } }")
        return [(backfill["id"], backfill["status"]) for backfill in found["partitionBackfillsOrError"]["results"]]

    def wait_for(self, what: str, attempt: Callable[[], bool], seconds: float = 120) -> None:
        """Wait until something holds.

        Raises:
            AssertionError: it does not, in all that time.
        """
        deadline = time.monotonic() + seconds
        while not attempt():
            log = (self.folder / "log").read_text()
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s\n{log[-3000:]}"
            time.sleep(1)

    def children(self) -> list[psutil.Process]:
        """The processes that it started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> int:
        """Ctrl-C; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@contextmanager
def dagster_dev(*command: str, port_option: str = "--port") -> Iterator[DagsterDev]:
    """Start a command that runs `dagster dev`, with nothing set in its environment; at the end nothing is left."""
    with TemporaryDirectory(prefix="orders-dev-") as name:
        folder, port = Path(name), free_port()
        for file in ("dagster.yaml", "workspace.yaml"):
            shutil.copy2(ROOT / file, folder / file)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(BINARIES / command[0]), *command[1:], port_option, str(port)],
                cwd=folder, env=_environment(folder), stdout=log, stderr=log,
            )  # fmt: skip
        dev = DagsterDev(folder, port, process)
        try:
            yield dev
        finally:
            dev.end()
            embedded.stop(dev.home)


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{BINARIES}:{os.environ['PATH']}", "HOME": str(folder)}
