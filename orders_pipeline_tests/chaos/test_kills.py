"""Death and lost connections at every point of a run: whatever was under way is done again, once."""

import signal
from pathlib import Path

import dagster as dg
import pytest

from orders_pipeline_tests.chaos.crew import EVERY, Fault, end, start
from orders_pipeline_tests.chaos.scenarios import Inject, Scenario
from orders_pipeline_tests.chaos.verdict import assert_exact, assert_nothing_held_against_files, assert_whole
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.histories import SEED

pytestmark = pytest.mark.chaos
SLICES = 8
FACTOR = {"corrections": 1, "first load": 2}
SQL = ("INSERT", "UPDATE", "DELETE", "COPY", "before COMMIT", "after COMMIT")


@pytest.fixture(scope="module")
def points(scenarios: dict[str, Scenario], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The points that a sync reaches when nothing goes wrong, by scenario."""
    found = {}
    for name, scenario in scenarios.items():
        folder = tmp_path_factory.mktemp("points")
        fault = Fault("none", 0, folder / "points")
        with scenario.again(folder) as environment:
            assert end(start("sync", environment, fault)) == 0, fault.log.read_text()
        assert len(fault.points) > 100
        found[name] = fault.points
    return found


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize(("name", "kind"), [("corrections", "kill"), ("corrections", "drop"), ("first load", "kill")])
def test_a_fault_at_any_point_of_a_sync_loses_nothing_and_doubles_nothing(
    name: str,
    kind: str,
    part: int,
    scenarios: dict[str, Scenario],
    points: dict[str, list[str]],
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    injected: Inject,
) -> None:
    scenario = scenarios[name]
    every = EVERY * FACTOR[name]
    for number in range(SEED % every, len(points[name]), every)[part::SLICES]:
        if kind == "drop" and not points[name][number].startswith(SQL):
            continue
        fault = Fault(kind, number, tmp_path / f"{kind}-{number}")
        with scenario.again(tmp_path) as environment, monkeypatch.context() as patched:
            code = end(start("sync", environment, fault))
            for variable, value in environment.items():
                patched.setenv(variable, value)
            pipeline = Pipeline(tmp_path, instance)
            if number >= len(fault.points):
                continue  # threads took another turn, and there were fewer points
            point = fault.points[number]
            assert (code == -signal.SIGKILL) is (kind == "kill")
            try:
                assert_whole(pipeline, scenario)
                if kind == "drop":
                    assert_nothing_held_against_files(pipeline)
                assert_exact(pipeline, scenario)
            except AssertionError as error:
                error.add_note(f"After {kind} at point {number}, {point}; exit code {code}\n{fault.log.read_text()}")
                raise
        injected(f"{kind} at: {point}", "whole at once, exact after the next sync")
