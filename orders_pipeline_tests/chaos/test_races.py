"""Several processes at the same work at once, some of them killed, some of another release; Dagster's memory gone."""

import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from orders_pipeline.ledger.files import MAX_ATTEMPTS
from orders_pipeline.schema import CODE_VERSIONS, UPSTREAM
from orders_pipeline_tests.chaos.crew import EVERY, Fault, end, seconds, start
from orders_pipeline_tests.chaos.scenarios import Inject, Scenario, at
from orders_pipeline_tests.chaos.verdict import assert_exact, assert_whole
from orders_pipeline_tests.support.driver import Pipeline

pytestmark = pytest.mark.chaos

ROUNDS = max(4, 10 // EVERY)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["first load", "corrections"])
def test_processes_that_do_the_same_at_once_do_it_once(
    name: str, seed: int, scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """Two or three at once, begun at random moments; in every second round one of them is killed at some moment."""
    moments, scenario = random.Random(seed), scenarios[name]
    took = seconds("sync", scenario, tmp_path / "measured")
    for number in range(ROUNDS // 2):
        faults = [Fault("none", 0, tmp_path / f"{number}-{each}") for each in range(moments.choice([2, 2, 3]))]
        with scenario.again(tmp_path) as environment, at(environment, tmp_path, instance) as pipeline:
            processes = []
            for fault in faults:
                processes.append(start("sync", environment, fault))
                time.sleep(moments.uniform(0, 0.2) * took)
            if number % 2 == 1:
                time.sleep(moments.uniform(0, 0.7) * took)
            if kills := number % 2 == 1 and processes[0].is_alive():
                processes[0].kill()
            codes = [end(process) for process in processes]
            try:
                assert kills or codes == [0] * len(codes)
                assert_whole(pipeline, scenario)
                assert_exact(pipeline, scenario)
            except AssertionError as error:
                error.add_note(f"round {number} of seed {seed}\n{_said(faults)}")
                raise
        injected(
            f"{len(faults)} processes at once{', one killed' if kills else ''}", "whole, exact, none in the other's way"
        )


@pytest.mark.parametrize("seed", range(4))
def test_a_process_killed_at_a_random_moment_again_and_again(
    seed: int, scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """Three deaths in a row, then a sync: less often than would make a file look guilty."""
    moments, scenario = random.Random(seed), scenarios["corrections"]
    took = seconds("sync", scenario, tmp_path / "measured")
    for number in range(ROUNDS // 2):
        faults = [Fault("none", 0, tmp_path / f"{number}-{each}") for each in range(3)]
        with scenario.again(tmp_path) as environment, at(environment, tmp_path, instance) as pipeline:
            for fault in faults:
                process = start("sync", environment, fault)
                process.join(moments.uniform(0.1, 0.9) * took)
                if process.is_alive():
                    process.kill()
                    injected("kill at a random moment", "whole at once, exact after the next sync")
                end(process)
                assert_whole(pipeline, scenario)
            try:
                assert_exact(pipeline, scenario)
            except AssertionError as error:
                error.add_note(f"round {number} of seed {seed}\n{_said(faults)}")
                raise


def test_a_file_that_kills_its_reader_is_set_aside_in_the_end(
    scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """It is tried alone, a bounded number of times; the others are loaded meanwhile."""
    scenario = scenarios["first load"]
    with scenario.again(tmp_path) as environment, at(environment, tmp_path, instance) as pipeline:
        guilty = "landing/c.csv"
        deaths = 0
        while end(start("sync, dying of c.csv", environment, Fault("none", 0, tmp_path / "points"))) != 0:
            deaths += 1
            assert deaths <= MAX_ATTEMPTS
            injected("a file kills the process that reads it", "the others load; it is quarantined after 5 deaths")
        assert deaths == MAX_ATTEMPTS
        assert [(file.key, file.reason) for file in pipeline.status().quarantined] == [(guilty, "gave_up")]
        loaded = pipeline.query("SELECT key FROM ledger.landed_files WHERE active AND bucket <> '' ORDER BY key")
        assert loaded == [("landing/a.csv",), ("landing/b.csv",)]
        assert pipeline.revenue()["2026-03-06"] == ("8.60", 2)


@pytest.mark.parametrize("seed", range(3))
def test_two_releases_side_by_side(
    seed: int, scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """The newer one has higher rules for every table; the older never takes its work back, and never waits for it."""
    moments, scenario = random.Random(seed), scenarios["corrections"]
    newer = {(table, rules + 1) for table, rules in CODE_VERSIONS.items() if table in UPSTREAM}
    faults = [Fault("none", 0, tmp_path / name) for name in ("older", "newer", "older again")]
    with scenario.again(tmp_path) as environment, at(environment, tmp_path, instance) as pipeline:
        processes = []
        for task, fault in zip(["sync", "sync, newer release", "sync"], faults, strict=True):
            processes.append(start(task, environment, fault))
            time.sleep(moments.uniform(0, 1))
        assert [end(process) for process in processes] == [0, 0, 0], _said(faults)
        assert_whole(pipeline, scenario)
        assert end(start("sync, newer release", environment, faults[1])) == 0
        assert _rules(pipeline) == newer
        try:
            assert_exact(pipeline, scenario)
        except AssertionError as error:
            error.add_note(_said(faults))
            raise
        assert _rules(pipeline) == newer
    injected("an older and a newer release at once", "exact; the newer one's days stand")


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_clock_of_a_worker_is_off(
    hours: int, scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """Another worker's clock is right, and both are at work at once."""
    scenario = scenarios["corrections"]
    faults = [Fault("none", 0, tmp_path / name) for name in ("off", "right")]
    with scenario.again(tmp_path) as environment, at(environment, tmp_path, instance) as pipeline:
        processes = [
            start(f"sync, clock {hours:+} h", environment, faults[0]),
            start("sync", environment, faults[1]),
        ]
        assert [end(process) for process in processes] == [0, 0], _said(faults)
        assert_exact(pipeline, scenario)
    injected("a worker's clock is an hour off", "no effect")


@pytest.mark.parametrize("seed", range(2))
def test_dagsters_own_storage_is_deleted_under_a_run(
    seed: int, scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    moments, scenario = random.Random(seed), scenarios["corrections"]
    took = seconds("sync", scenario, tmp_path / "measured")
    for number in range(ROUNDS // 2):
        home = tmp_path / f"dagster-{number}"
        home.mkdir()
        with scenario.again(tmp_path) as environment, at(environment, tmp_path, instance) as pipeline:
            fault = Fault("none", 0, tmp_path / f"points-{number}")
            process = start("sync, remembered", {**environment, "DAGSTER_HOME": str(home)}, fault)
            process.join(moments.uniform(0.2, 0.9) * took)
            struck = process.is_alive()
            shutil.rmtree(home, ignore_errors=True)
            end(process)
            assert_whole(pipeline, scenario)
            assert_exact(pipeline, scenario)
        if struck:
            injected("Dagster's storage deleted under a run", "whole at once, exact after the next sync")


def _said(faults: Sequence[Fault]) -> str:
    return "\n".join(f"{fault.trace.name}: {fault.log.read_text()[-2000:]}" for fault in faults)


def _rules(pipeline: Pipeline) -> set[tuple[str, int]]:
    """By which code versions the days of each table were built."""
    return {(asset, rules) for asset, rules in pipeline.query("SELECT DISTINCT asset, rules FROM ledger.built_days")}
