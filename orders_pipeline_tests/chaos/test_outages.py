"""S3, Postgres and the disk fail under a run: nothing is loaded in part, no file is blamed, and work goes on."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import psutil
import pytest

from orders_pipeline.storage import embedded
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.chaos.crew import EVERY, Fault, end, seconds, start
from orders_pipeline_tests.chaos.proxy import FAULTS, proxy_to
from orders_pipeline_tests.chaos.scenarios import Inject, Scenario, at, corrections
from orders_pipeline_tests.chaos.verdict import assert_exact, assert_nothing_held_against_files, assert_whole
from orders_pipeline_tests.support.places import migrated_database

pytestmark = pytest.mark.chaos

OUTAGES_EACH = max(2, 5 // EVERY)
RESTARTS = max(8, 24 // EVERY)
SIZES = ["0", "4k", "8k", "12k", "16k", "24k", "32k", "48k"]


@pytest.mark.parametrize("name", ["first load", "corrections"])
@pytest.mark.parametrize("fault", FAULTS)
def test_s3_fails_from_some_request_on_and_comes_back(
    fault: str,
    name: str,
    scenarios: dict[str, Scenario],
    instance: dg.DagsterInstance,
    tmp_path: Path,
    injected: Inject,
) -> None:
    """The lake is on S3 too: every second scenario's requests are mostly its own."""
    scenario, none = scenarios[name], Fault("none", 0, tmp_path / "points")
    with proxy_to(embedded.s3_endpoint(scenario.services)) as (proxy, endpoint):
        with scenario.again_on_s3(tmp_path, endpoint) as environment:
            assert end(start("sync", environment, none)) == 0, none.log.read_text()
            total = len(proxy.requests)
        assert total > 40
        for step in range(OUTAGES_EACH):
            first = step * total // OUTAGES_EACH
            with (
                scenario.again_on_s3(tmp_path, endpoint) as environment,
                at(environment, tmp_path, instance) as pipeline,
            ):
                proxy.fail(fault, first=first)
                end(start("sync", environment, none))
                request = proxy.requests[first]
                proxy.heal()
                try:
                    assert_whole(pipeline, scenario)
                    assert_nothing_held_against_files(pipeline)
                    assert_exact(pipeline, scenario)
                except AssertionError as error:
                    error.add_note(f"{fault} from request {first} on: {request}\n{none.log.read_text()[-3000:]}")
                    raise
            injected(f"S3 answers every request with: {fault}", "whole, no file blamed, exact when it is back")


@pytest.mark.parametrize("seed", range(4))
def test_postgres_is_killed_and_started_again(
    seed: int, instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """kill -9 of the whole server at a random moment: what it had committed is there, what it had not is done again."""
    moments = random.Random(seed)
    with own_servers() as services, corrections(services, migrated_database(services), tmp_path) as scenario:
        took = seconds("sync", scenario, tmp_path / "measured")
        for number in range(RESTARTS // 4):
            none = Fault("none", 0, tmp_path / f"points-{number}")
            folder = tmp_path / str(number)
            with scenario.again(folder) as environment, at(environment, folder, instance) as pipeline:
                process, after = start("sync", environment, none), moments.uniform(0.1, 0.9) * took
                process.join(after)
                struck = process.is_alive()
                kill_postgres(services)
                embedded.postgres_url(services)
                end(process)
                engine_for(environment["ORDERS_DATABASE_URL"]).dispose()
                try:
                    assert_whole(pipeline, scenario)
                    assert_nothing_held_against_files(pipeline)
                    assert_exact(pipeline, scenario)
                except AssertionError as error:
                    error.add_note(f"Postgres killed after {after:.3f} s (seed {seed})\n{none.log.read_text()[-3000:]}")
                    raise
            if struck:
                injected("kill -9 of Postgres, restart", "whole, no file blamed, exact after the next sync")


@pytest.mark.parametrize("size", SIZES)
def test_the_disk_is_full(
    size: str, scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """Spool and lake share a disk with room for so much: the sync fails, and goes on when there is more."""
    scenario, none = scenarios["first load"], Fault("none", 0, tmp_path / "points")
    with small_disk(tmp_path / "disk", size) as disk, scenario.again(tmp_path) as places:
        environment = {**places, "ORDERS_LAKE_URI": str(disk / "lake"), "TMPDIR": str(disk)}
        with at(environment, tmp_path, instance) as pipeline:
            end(start("sync", environment, none))
            assert "No space left" in none.log.read_text()
            assert_whole(pipeline, scenario)
            assert_nothing_held_against_files(pipeline)
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            assert_exact(pipeline, scenario)
    injected(f"disk full with room for {size}", "whole, no file blamed, exact when there is room")


@contextmanager
def own_servers() -> Iterator[Path]:
    """Postgres and S3 that no other test uses."""
    with TemporaryDirectory(prefix="orders-outage-") as folder:
        home = Path(folder)
        embedded.postgres_url(home)
        embedded.s3_endpoint(home)
        try:
            yield home
        finally:
            embedded.stop(home)


def kill_postgres(home: Path) -> None:
    """End the server and all that it started, without a word."""
    postmaster = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=30)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size."""
    folder.mkdir()
    blocks = "4k" if size == "0" else size  # 0 would be without a limit
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={blocks}", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("no right to mount a small file system here")
    if size == "0":
        (folder / "full").write_bytes(b"x" * 4096)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
