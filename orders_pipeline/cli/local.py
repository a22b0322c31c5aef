"""Dagster on this machine: where its instance keeps its state if DAGSTER_HOME is not set."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg

from orders_pipeline.settings import Settings

# Warnings that Dagster repeats at each start of each process. You cannot act on them.
_KNOWN: Final = "ignore:Parameter `backfill_policy`,ignore:Function `dev_command`"


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME, or a folder under ORDERS_HOME with the dagster.yaml of the working directory."""
    if home := os.environ.get("DAGSTER_HOME"):
        return Path(home)
    folder = settings.home.absolute() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    if (config := Path("dagster.yaml")).is_file():
        shutil.copyfile(config, folder / config.name)
    return folder


@contextmanager
def local_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance in which this process runs jobs."""
    os.environ["DAGSTER_HOME"] = str(dagster_home(settings))
    with dg.DagsterInstance.get() as instance:
        yield instance


def run_dagster_dev(settings: Settings, port: int) -> int:
    """Run `dagster dev` on this machine's own address until it ends or Ctrl-C; its exit status."""
    command = [sys.executable, "-m", "dagster", "dev", "-m", "orders_pipeline.definitions", "-h", "127.0.0.1"]
    environment = {"PYTHONWARNINGS": _KNOWN, **os.environ, "DAGSTER_HOME": str(dagster_home(settings))}
    # In a separate process group: Ctrl-C reaches this process alone, which then ends the child in order.
    child = subprocess.Popen([*command, "-p", str(port)], env=environment, start_new_session=True)

    def forward(_number: int, _frame: object) -> None:
        child.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if child.returncode in (0, -signal.SIGINT, -signal.SIGTERM, 130) else child.returncode
