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

from orders_pipeline.alerts.ticks import Ticking, read
from orders_pipeline.cli.terminal import warn
from orders_pipeline.errors import SettingsError
from orders_pipeline.runs.in_process import LOCATION
from orders_pipeline.settings import Settings

_WORKSPACE: Final = Path(__file__).with_name("workspace.yaml")  # `-m` would name the code location after the module

# Warnings that Dagster repeats at each start of each process. You cannot act on them.
_KNOWN: Final = "ignore:Parameter `backfill_policy`,ignore:Function `dev_command`"


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME, else `dagster` under ORDERS_HOME. The latter is made, with the dagster.yaml of the working
    directory.

    Raises:
        SettingsError: DAGSTER_HOME is no folder, or a relative path.
    """
    own = settings.home.absolute() / "dagster"
    home = Path(os.environ.get("DAGSTER_HOME") or own).expanduser()
    if home == own:
        home.mkdir(parents=True, exist_ok=True)
        if (config := Path("dagster.yaml")).is_file():
            shutil.copyfile(config, home / config.name)
    elif not home.is_absolute():
        raise SettingsError(
            f"DAGSTER_HOME ({home}) is a relative path, and Dagster needs an absolute one: {home.absolute()}"
        )
    elif not home.is_dir():
        raise SettingsError(f"DAGSTER_HOME ({home}) is no folder. Make it (`mkdir -p {home}`), or unset the variable.")
    return home


@contextmanager
def local_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance in which this process runs jobs."""
    os.environ["DAGSTER_HOME"] = str(dagster_home(settings))
    with dg.DagsterInstance.get() as instance:
        yield instance


def last_ticks(settings: Settings) -> list[Ticking] | None:
    """The sensors and schedules that are on, and their last ticks. Empty where no Dagster was started yet. None:
    Dagster's storage did not answer, which must not hide what the ledger knows."""
    from orders_pipeline.definitions import defs

    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster")
    if not home.is_dir():
        return []
    try:
        with local_instance(settings) as instance:
            return sorted(read(instance, defs.get_repository_def(), LOCATION), key=lambda one: one.name)
    except Exception:  # each kind of storage has errors of its own
        return None


def warn_of_gaps(instance: dg.DagsterInstance) -> None:
    """Say what Dagster does not do with the configuration in its home, but would with the dagster.yaml of this project,
    and the fix."""
    features = {
        "run_monitoring (ends runs that hang or never start)": instance.run_monitoring_enabled,
        "run_retries (starts runs again whose process died)": instance.run_retries_enabled,
        "freshness (marks tables that are too old)": instance.freshness_enabled,
    }
    gaps = [name for name, is_on in features.items() if not is_on]
    if not gaps:
        return
    ours, home = Path("dagster.yaml").absolute(), Path(os.environ["DAGSTER_HOME"])
    source = str(ours) if ours.is_file() else "the dagster.yaml of this project"
    theirs = home / "dagster.yaml"
    fix = f"Add what {source} has of it to {theirs}" if theirs.is_file() else f"Copy {source} to {home}"
    warn(f"Dagster's configuration in {home} lacks {' and '.join(gaps)}. {fix}.")


def run_dagster_dev(settings: Settings, port: int) -> int:
    """Run `dagster dev` on this machine's own address until it ends or Ctrl-C; its exit status."""
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(_WORKSPACE), "-h", "127.0.0.1"]
    with local_instance(settings) as instance:
        warn_of_gaps(instance)
        environment = {"PYTHONWARNINGS": _KNOWN, **os.environ}
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
