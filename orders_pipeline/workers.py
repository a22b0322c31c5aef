"""Runs on Celery workers: the launcher that deploy/dagster.yaml names, and the worker. Needs the extra `deploy`.

What reads and computes is imported where a run needs it: the worker forks, and a fork with Polars' threads would hang.
"""

import time
from typing import Any, Final

import dagster as dg
from celery import Celery, signals, states  # type: ignore[import-untyped]  # it has none
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from orders_pipeline.errors import SettingsError
from orders_pipeline.health import ALIVE

_PATIENCE: Final = 40.0  # seconds in which neither lock nor worker answers for a run, before it counts as lost
_ANSWER_TIME: Final = 2.0  # seconds for a worker to say what it has in hand


class WorkerRunLauncher(CeleryRunLauncher):
    """Dagster's launcher of runs as Celery tasks, which notices that a worker was lost together with its run.

    Celery takes a task for started until its worker says otherwise, which one that is gone never does; and a task that
    is handed out twice ends well at once, since Dagster lets a run begin only once. So it is asked who answers for a
    run: its process, by the lock that it holds in Postgres, or a worker, by the tasks in its hands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._silent_since: dict[str, float] = {}

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """RUNNING while somebody answers for the run, or lately did; else FAILED."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        state = self.celery.AsyncResult(task_id).state if task_id else None
        if state == states.FAILURE:  # the worker's own word
            return self._failed(run, "The process of this run died; its worker says so.")
        if self._is_at_work(run) or (task_id and self._is_in_hand(task_id)):
            self._silent_since.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        now = time.monotonic()
        silent = now - self._silent_since.setdefault(run.run_id, now)
        if silent < _PATIENCE:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return self._failed(
            run,
            f"For {silent:.0f} seconds nobody has held the lock of this run, and no worker has had its task: its worker"
            " is gone.",
        )

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run. Dagster's own launcher does not say first that this is wanted: the run would count as
        failed, and be retried."""
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
        from orders_pipeline.ledger.locks import is_run_at_work
        from orders_pipeline.postgres import database_url, engine_for
        from orders_pipeline.settings import read_settings

        with engine_for(database_url(read_settings())).connect() as connection:
            return is_run_at_work(connection, run.run_id)

    def _is_in_hand(self, task_id: str) -> bool:
        answers = self.celery.control.inspect(timeout=_ANSWER_TIME).query_task(task_id)
        return any((answers or {}).values())


def celery_app(instance: dg.DagsterInstance) -> Celery:
    """The app of the instance's launcher, with its tasks: settings are written once, in dagster.yaml.

    Raises:
        SettingsError: the instance launches its runs in another way.
    """
    launcher = instance.run_launcher
    if not isinstance(launcher, WorkerRunLauncher):
        raise SettingsError(
            f"dagster.yaml launches runs by {type(launcher).__name__}: workers need"
            f" {WorkerRunLauncher.__name__}, as in deploy/dagster.yaml."
        )
    for create in (create_execute_job_task, create_resume_job_task):
        create(launcher.celery)
    return launcher.celery


def work(runs_at_once: int) -> None:
    """Take runs until SIGTERM; then finish those in hand, and end."""
    with dg.DagsterInstance.get() as instance:
        app = celery_app(instance)
    signals.worker_process_init.connect(_warm_up)
    signals.heartbeat_sent.connect(_tell_alive)
    # A hundred workers need not know of each other.
    app.worker_main(
        ["worker", f"--concurrency={runs_at_once}", "--loglevel=INFO", "--without-gossip", "--without-mingle"]
    )


def _warm_up(**_: object) -> None:
    """Import in the process that will run what it runs, before the first run comes."""
    from orders_pipeline.definitions import defs

    defs.get_repository_def()


def _tell_alive(**_: object) -> None:
    ALIVE.touch()
