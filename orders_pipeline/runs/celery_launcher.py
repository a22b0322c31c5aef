"""Runs on Celery workers: the launcher that deploy/dagster.yaml names, and the worker. Needs the extra `deploy`.

What reads and computes is imported where a run needs it: the worker forks, and a fork with Polars' threads would hang.
"""

import time
from typing import Any, Final

import dagster as dg
from celery import Celery, Task, signals, states  # type: ignore[import-untyped]  # it has none
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import unpack_value
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task
from sqlalchemy.engine import Engine

from orders_pipeline.errors import SettingsError
from orders_pipeline.runs.health import ALIVE

_PATIENCE: Final = 40.0  # seconds in which no process holds a run's lock, before the run is failed


class WorkerRunLauncher(CeleryRunLauncher):
    """Dagster's launcher of runs as Celery tasks, which notices that a worker was lost together with its run.

    Celery's task states do not show it. A task stays started until its worker reports otherwise, and a dead worker
    reports nothing. A task that is delivered twice succeeds at once, since Dagster starts a run only once. So the
    launcher checks the lock that each run's process holds in Postgres (`RunTask`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._silent_since: dict[str, float] = {}

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """RUNNING while the run's process holds its lock, or lately did; else FAILED."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        state = self.celery.AsyncResult(task_id).state if task_id else None
        if state == states.FAILURE:  # the worker reported it
            return self._failed(run, "The process of this run died, as its worker reported.")
        if self._is_at_work(run):
            self._silent_since.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        now = time.monotonic()
        silent = now - self._silent_since.setdefault(run.run_id, now)
        if silent < _PATIENCE:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return self._failed(
            run,
            f"No process has held the lock of this run in Postgres for {silent:.0f} seconds: its worker is gone. No"
            " action needed: Dagster retries the run.",
        )

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run. Dagster's own launcher does not mark it as canceling first: the run would count as failed
        and be retried."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        if run.status is not dg.DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        return bool(super().terminate(run_id))

    def _failed(self, run: dg.DagsterRun, message: str) -> CheckRunHealthResult:
        self._silent_since.pop(run.run_id, None)
        return CheckRunHealthResult(WorkerStatus.FAILED, message)

    def _is_at_work(self, run: dg.DagsterRun) -> bool:
        from orders_pipeline.ledger.locks import is_run_alive

        with _engine().connect() as connection:
            return is_run_alive(connection, run.run_id)


class RunTask(Task):  # type: ignore[misc]  # Celery has no types
    """A run as a task. It holds the run's lock from before the run starts until after it has ended, whatever the run
    executes: a run of checks alone, or of assets of your own, takes no lock itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from orders_pipeline.ledger.locks import hold_run_lock

        (packed,) = (*args, *kwargs.values())
        of_run: Any = unpack_value(packed)  # the arguments of one of Dagster's two tasks
        with hold_run_lock(_engine(), of_run.run_id):
            return self.run(*args, **kwargs)


def celery_app(instance: dg.DagsterInstance) -> Celery:
    """The app of the instance's launcher, with its tasks: settings are written once, in dagster.yaml.

    Raises:
        SettingsError: the instance launches its runs in another way.
    """
    launcher = instance.run_launcher
    if not isinstance(launcher, WorkerRunLauncher):
        raise SettingsError(
            f"dagster.yaml launches runs with {type(launcher).__name__}, but workers need"
            f" {WorkerRunLauncher.__name__}. Configure it as in deploy/dagster.yaml."
        )
    for create in (create_execute_job_task, create_resume_job_task):
        create(launcher.celery, base=RunTask)  # type: ignore[arg-type]  # its annotation is that of all options
    return launcher.celery


def work(runs_at_once: int) -> None:
    """Execute runs until SIGTERM; then finish those in progress, and exit."""
    with dg.DagsterInstance.get() as instance:
        app = celery_app(instance)
    signals.worker_process_init.connect(_warm_up)
    signals.heartbeat_sent.connect(_tell_alive)
    # A hundred workers need not know of each other.
    app.worker_main(
        ["worker", f"--concurrency={runs_at_once}", "--loglevel=INFO", "--without-gossip", "--without-mingle"]
    )


def _engine() -> Engine:
    from orders_pipeline.settings import read_settings
    from orders_pipeline.storage.postgres import database_url, engine_for

    return engine_for(database_url(read_settings()))


def _warm_up(**_: object) -> None:
    """Import in the process that will run what it runs, before the first run comes."""
    from orders_pipeline.definitions import defs

    defs.get_repository_def()


def _tell_alive(**_: object) -> None:
    ALIVE.touch()
