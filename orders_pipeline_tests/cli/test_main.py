"""The command line explains itself."""

from pathlib import Path

import pytest

from orders_pipeline.cli.main import main
from orders_pipeline_tests.support.command import call

COMMANDS = {
    "demo",
    "dev",
    "land",
    "sync",
    "status",
    "findings",
    "inspect",
    "explain",
    "accept",
    "retry",
    "retract",
    "relocate",
    "rebuild",
    "vacuum",
    "recover",
    "report-to-dagster",
    "sources",
    "stop",
    "migrate",
    "worker",
}


def test_the_commands_are_these_and_each_explains_itself() -> None:
    assert set(main.commands) == COMMANDS
    overview = call("--help").output
    for name in COMMANDS:
        assert name in overview
        shown = call(name, "--help")
        assert shown.exit_code == 0
        assert len(shown.output.split("\n\n")) >= 3


def test_migrate_brings_the_ledger_and_dagster_s_storage_up_to_date(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    for _time in ("the first", "again"):
        done = call("migrate")
        assert done.exit_code == 0, done.output
        assert "The ledger and Dagster's storage are up to date." in done.output


def test_a_worker_says_what_its_dagster_yaml_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    done = call("worker")

    assert done.exit_code == 2
    assert "workers need WorkerRunLauncher" in done.output
