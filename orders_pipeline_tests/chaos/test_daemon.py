"""A storm of files on a real daemon and a real code server, whose processes are killed meanwhile: every file is loaded
once, in few runs, and then there is rest."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from dagster._core.storage.runs.schema import RunsTable

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.ledger.locks import Lock, hold_exclusive
from orders_pipeline_tests.chaos.crew import EVERY
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
FIRST_DAY = date(2026, 3, 1)
DAYS = 20
FILES = DAYS * max(50, 250 // EVERY)
IDLE_TICKS = 3

pytestmark = pytest.mark.chaos


class Machine:
    """A code server and a daemon as processes of their own, on a Dagster instance of their own."""

    def __init__(
        self, folder: Path, environment: dict[str, str], monitoring: Mapping[str, int], stumbles: bool
    ) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
        settings["run_monitoring"] |= monitoring
        if stumbles:
            settings["run_launcher"] = {
                "module": "orders_pipeline_tests.chaos.launcher",
                "class": "StumblingRunLauncher",
                "config": {"mark": str(self.stumbled)},
            }
        (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
        workspace = {
            "load_from": [{"grpc_server": {"host": "127.0.0.1", "port": self.port, "location_name": "orders"}}]
        }
        (folder / "workspace.yaml").write_text(yaml.safe_dump(workspace))
        self.environment = {
            **environment,
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DAGSTER_HOME": str(folder),
            "PYTHONPATH": str(ROOT),
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        # A database that several processes start on at once is best made before.
        self.instance = dg.DagsterInstance.from_config(str(folder))
        self.server = self.start_server()
        self.daemon = self.start_daemon()

    @property
    def stumbled(self) -> Path:
        """The file that names the run whose launch failed."""
        return self.folder / "stumbled"

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def start_server(self) -> subprocess.Popen[bytes]:
        address = ("-h", "127.0.0.1", "-p", str(self.port))
        return self.start("dagster", "api", "grpc", "-m", "orders_pipeline.definitions", *address)

    def start_daemon(self) -> subprocess.Popen[bytes]:
        return self.start("dagster._daemon", "run", "-w", str(self.folder / "workspace.yaml"))

    def kill_daemon(self) -> None:
        self.daemon.kill()
        self.daemon.wait()

    def stop(self) -> None:
        """End every process that was started, and those that they started."""
        ours = [psutil.Process(process.pid) for process in self.processes if process.poll() is None]
        for process in [*(child for parent in ours for child in parent.children(recursive=True)), *ours]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        for started in self.processes:
            started.wait(20)
        self.instance.dispose()

    def wait_for(self, what: str, attempt: Callable[[], Any], seconds: float = 180, pause: float = 0.5) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := attempt()):
            log = (self.folder / "log").read_text(errors="replace")[-4000:]
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s\n{log}"
            time.sleep(pause)
        return found

    def ticks(self, sensor: str) -> list[InstigatorTick]:
        """The ticks of a sensor, latest first."""
        found = [state for state in self.instance.all_instigator_state() if state.instigator_name == sensor]
        return [t for state in found for t in self.instance.get_ticks(state.instigator_origin_id, state.selector_id)]

    def kill_daemon_when(self, what: str, seen: Callable[[], bool]) -> InstigatorTick:
        """Kill the daemon in the midst of a tick of the arrival sensor, and say how it had left it."""

        def is_time() -> bool:
            assert self.daemon.poll() is None, "the daemon ended by itself"
            return bool(seen_of_the_stopped(self.daemon.pid, seen))

        self.wait_for(what, is_time, pause=0.005)
        self.kill_daemon()
        return self.ticks("s3_arrival_sensor")[0]

    def status_of(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def runs(self, job: str | None = None) -> list[dg.DagsterRun]:
        """The runs of a job, or all, first to last."""
        return list(reversed(self.instance.get_runs(dg.RunsFilter(job_name=job))))

    def pid_of(self, run: dg.DagsterRun) -> int | None:
        """The process of a run, by what it told when it started."""
        for entry in self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            if event is not None and "pid" in event.engine_event_data.metadata:
                return int(str(event.engine_event_data.metadata["pid"].value))
        return None


@contextmanager
def machine(
    folder: Path, environment: dict[str, str], *, stumbles: bool = False, **monitoring: int
) -> Iterator[Machine]:
    """A machine, its processes ended at the end."""
    machine = Machine(folder / "dagster", environment, monitoring, stumbles)
    try:
        yield machine
    finally:
        machine.stop()


def order(number: int) -> tuple[str, str, Decimal, date]:
    """An order as a file of its own brings it: id, customer, amount, day."""
    amount = Decimal(number % 9_973 + 1) / 100
    return f"{number:05}", f"c{number % 37}", amount, FIRST_DAY + timedelta(days=number % DAYS)


def land_storm() -> None:
    def put(number: int) -> None:
        order_id, customer, amount, day = order(number)
        body = f"{HEADER}\n{order_id},{customer},{amount},{day}\n".encode()
        s3.client().put_object(Bucket=s3.bucket, Key=f"{s3.prefix}{number:05}.csv", Body=body)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(FILES)))


def failing(pipeline: Pipeline) -> dict[str, int]:
    """The attempts of each file that is in the hands of a run, or of one that died."""
    rows = pipeline.query("SELECT key, attempts FROM ledger.landed_files WHERE status = 'failing'")
    return {str(key): int(attempts) for key, attempts in rows}


def seen_of_the_stopped(pid: int, seen: Callable[[], Any]) -> Any:
    """What is seen while a process is stopped, so that it cannot be over by the time it is killed. Where there is
    nothing to be seen the process goes on, and so it does if it is gone."""
    if not seen():
        return None
    try:
        os.kill(pid, signal.SIGSTOP)
        if not (found := seen()):
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return None
    return found


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.0f} s")


def test_a_storm_of_files_is_loaded_once_whoever_dies_meanwhile(
    environment: dict[str, str], pipeline: Pipeline, tmp_path: Path
) -> None:
    with machine(tmp_path, environment, stumbles=True) as storm:
        weather(storm, pipeline)


def weather(machine: Machine, pipeline: Pipeline) -> None:
    """Let the storm rage, and look at what is left."""
    machine.wait_for("a tick on the empty bucket", lambda: machine.ticks("s3_arrival_sensor"))
    with timed(f"landing {FILES} files"):
        land_storm()

    with timed("everything else"):
        # The daemon dies in a tick, and again when a run is just made.
        tick = machine.kill_daemon_when(
            "a tick begins", lambda: machine.ticks("s3_arrival_sensor")[0].status is TickStatus.STARTED
        )
        assert tick.status is TickStatus.STARTED
        asked = len(machine.runs())
        machine.daemon = machine.start_daemon()
        machine.kill_daemon_when("a run is asked for", lambda: len(machine.runs()) > asked)
        machine.daemon = machine.start_daemon()

        # The launch of the first run fails.
        lost = machine.wait_for("a launch fails", lambda: machine.stumbled.exists() and machine.stumbled.read_text())

        # The next run's process dies with files in hand.
        def at_work() -> dg.DagsterRun | None:
            """A run, now stopped."""
            started = [run for run in machine.runs("s3_arrival") if run.status is dg.DagsterRunStatus.STARTED]
            pid = machine.pid_of(started[-1]) if started and failing(pipeline) else None
            return started[-1] if pid and seen_of_the_stopped(pid, lambda: failing(pipeline)) else None

        killed = machine.wait_for("a run has files in hand", at_work, pause=0.05)
        pid = machine.pid_of(killed)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        in_hand = failing(pipeline)
        assert set(in_hand.values()) == {1}
        shown = {file.key for file in pipeline.status().failing}
        assert shown >= set(in_hand)

        with timed("  noticing the dead process"):
            machine.wait_for(
                "the dead run is noticed", lambda: machine.status_of(killed.run_id) is dg.DagsterRunStatus.FAILURE, 30
            )

        def is_settled() -> bool:
            done = pipeline.query("SELECT count(*) FROM ledger.landed_files WHERE status = 'loaded'") == [(FILES,)]
            return done and pipeline.status().is_current

        machine.wait_for("everything is settled", is_settled, 600, pause=5)

    expected: dict[str, Decimal] = defaultdict(Decimal)
    spend: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for _, customer, amount, day in map(order, range(FILES)):
        expected[str(day)] += amount
        spend[str(day), customer] += amount
    per_day = FILES // DAYS
    assert pipeline.revenue() == {day: (f"{revenue:.2f}", per_day) for day, revenue in expected.items()}
    assert pipeline.spend() == {key: f"{amount:.2f}" for key, amount in spend.items()}
    assert sorted(pipeline.orders()) == sorted(pipeline.orders("daily_orders")) == [f"{n:05}" for n in range(FILES)]
    counts = "SELECT count(*), count(DISTINCT key), sum(rows), sum(attempts) FROM ledger.landed_files WHERE active"
    assert pipeline.query(counts) == [(FILES, FILES, FILES, 0)]
    assert pipeline.query("SELECT count(*) FROM ledger.landed_files WHERE NOT active") == [(0,)]

    # What died was failed and, being lost and not wrong, retried by Dagster; but a daemon that was killed before its
    # first look at the event log begins at the newest event, and misses what failed before. The work needs no retry.
    for run_id in (lost, killed.run_id):
        assert machine.status_of(run_id) is dg.DagsterRunStatus.FAILURE
        retries = [run for run in machine.runs() if run.parent_run_id == run_id]
        assert len(retries) <= 1
        # The retry of the run that was not launched may itself be the one that was killed.
        assert all(run.status is dg.DagsterRunStatus.SUCCESS or run.run_id == killed.run_id for run in retries)
    jobs = [run.job_name for run in machine.runs()]
    print({job: jobs.count(job) for job in set(jobs)})
    assert jobs.count("s3_arrival") <= FILES / 1_000 + 6  # a run takes many files
    assert jobs.count("stale_days") <= FILES / 1_000 + 6

    # Then there is rest.
    before = {sensor: machine.ticks(sensor)[0].tick_id for sensor in ("s3_arrival_sensor", "stale_days_sensor")}

    def idle_ticks(sensor: str) -> list[InstigatorTick]:
        later = [t for t in machine.ticks(sensor) if int(t.tick_id) > int(before[sensor])]
        return [tick for tick in later if tick.status is not TickStatus.STARTED]

    machine.wait_for("idle ticks", lambda: all(len(idle_ticks(sensor)) >= IDLE_TICKS for sensor in before), 180)
    assert {tick.status for sensor in before for tick in idle_ticks(sensor)} == {TickStatus.SKIPPED}
    assert len(machine.runs()) == len(jobs)
    assert json.loads(json.dumps(pipeline.status().files)) == {
        "pending": 0, "loaded": FILES, "quarantined": 0, "ignored": 0, "failing": 0,
    }  # fmt: skip


def test_a_stuck_run_is_ended_and_its_work_done_by_another(
    environment: dict[str, str], pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    with machine(tmp_path, environment, poll_interval_seconds=5, max_runtime_seconds=15) as slow:
        with hold_exclusive(postgres.ledger(), Lock.INGEST):  # the run hangs in a call that no signal interrupts

            def ended() -> list[dg.DagsterRun]:
                return [run for run in slow.runs("s3_arrival") if run.status is dg.DagsterRunStatus.FAILURE]

            stuck = slow.wait_for("the stuck run is ended", ended)[0]
        said = [entry.message for entry in slow.instance.all_logs(stuck.run_id)]
        assert any("maximum runtime of 15 seconds" in message for message in said)

        slow.wait_for("its work is done", lambda: pipeline.spend() == {("2026-03-04", "ann"): "1.50"})
        assert pipeline.revenue() == {"2026-03-04": ("1.50", 1)}
        pid = slow.pid_of(stuck)
        assert pid is not None
        slow.wait_for("its process is gone", lambda: not psutil.pid_exists(pid), 30)


def test_a_run_that_dies_with_its_code_server_makes_room_and_is_retried(
    environment: dict[str, str], pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    with machine(tmp_path, environment) as struck:
        with hold_exclusive(postgres.ledger(), Lock.INGEST):  # keeps the run from ending before it is lost
            lost = struck.wait_for("a run has begun", lambda: struck.runs("s3_arrival"))[0].run_id
            struck.wait_for("it works", lambda: struck.status_of(lost) is dg.DagsterRunStatus.STARTED)
            for process in [struck.server, *psutil.Process(struck.server.pid).children(recursive=True)]:
                process.kill()
            struck.server.wait()

        storage: Any = struck.instance.run_storage  # instead of waiting until it is five minutes old
        with storage.connect() as connection:
            this = RunsTable.update().where(RunsTable.c.run_id == lost)
            connection.execute(this.values(update_timestamp=datetime(2026, 1, 1)))
        struck.server = struck.start_server()

        struck.wait_for("it is failed", lambda: struck.status_of(lost) is dg.DagsterRunStatus.FAILURE)
        assert any("The process of this run is gone" in entry.message for entry in struck.instance.all_logs(lost))
        struck.wait_for("its work is done", lambda: pipeline.spend() == {("2026-03-04", "ann"): "1.50"})
        assert pipeline.revenue() == {"2026-03-04": ("1.50", 1)}
