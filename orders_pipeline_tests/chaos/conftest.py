"""Counts the injected faults and prints them."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest

from orders_pipeline_tests.chaos.scenarios import SCENARIOS, Inject, Scenario


@pytest.fixture
def injected(record_property: Callable[[str, object], None]) -> Inject:
    """Say that a fault of a kind was injected and that what should hold held."""

    def count(fault: str, held: str) -> None:
        record_property("fault", (fault, held))

    return count


@pytest.fixture(scope="module")
def scenarios(services: Path, template_database: str) -> Iterator[dict[str, Scenario]]:
    """States of a pipeline with much to do, by name."""
    with ExitStack() as stack, TemporaryDirectory(prefix="orders-chaos-") as folder:
        found = {}
        for name, make in SCENARIOS.items():
            place = Path(folder) / name.replace(" ", "-")
            place.mkdir()
            found[name] = stack.enter_context(make(services, template_database, place))
        yield found


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage, which remembers nothing of what went before."""
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of docs/faults.md."""
    passed = terminalreporter.stats.get("passed", [])
    faults = Counter(fault for report in passed for name, fault in report.user_properties if name == "fault")
    histories = sum(count for report in passed for name, count in report.user_properties if name == "histories")
    if not faults and not histories:
        return
    terminalreporter.section("faults injected, and what held after each")
    terminalreporter.line("| fault | times | what held |\n| --- | --- | --- |")
    for fault, held in sorted(tuple(key) for key in faults):
        terminalreporter.line(
            f"| {fault} | {sum(n for key, n in faults.items() if tuple(key) == (fault, held))} | {held} |"
        )
    terminalreporter.line(f"| in all | {faults.total()} | |")
    terminalreporter.line(f"| random histories | {histories} | all tables equal the oracle, the stale days the model |")
