"""The launcher for Celery workers: a run lives while its process holds its lock."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
import yaml
from billiard.exceptions import WorkerLostError
from celery import states
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import WorkerStatus
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import pack_value
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from orders_pipeline.definitions import defs, postgres
from orders_pipeline.errors import SettingsError
from orders_pipeline.ledger.locks import hold_run_lock, is_run_alive
from orders_pipeline.pools import PARTITIONED_POOL, UNPARTITIONED_POOL
from orders_pipeline.resources import S3Resource
from orders_pipeline.runs import celery_launcher, health
from orders_pipeline.runs.celery_launcher import WorkerRunLauncher, celery_app
from orders_pipeline_tests.support.driver import Pipeline

ROOT = Path(__file__).parents[2]


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance of deploy/dagster.yaml, but for its storage and its broker."""
    settings = yaml.safe_load((ROOT / "deploy/dagster.yaml").read_text())
    del settings["storage"]
    settings["run_launcher"]["config"] |= {"broker": "memory://", "backend": "cache+memory://"}
    settings["local_artifact_storage"]["config"]["base_dir"] = str(tmp_path)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


def launcher_of(instance: dg.DagsterInstance) -> WorkerRunLauncher:
    launcher = instance.run_launcher
    assert isinstance(launcher, WorkerRunLauncher)
    return launcher


def begin(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    return instance.create_run_for_job(
        defs.resolve_job_def("s3_arrival"),
        status=dg.DagsterRunStatus.STARTED,
        tags={DAGSTER_CELERY_TASK_ID_TAG: uuid4().hex} if tags is None else tags,
    )


def task_of(run: dg.DagsterRun) -> str:
    return run.tags[DAGSTER_CELERY_TASK_ID_TAG]


def origin_of(run: dg.DagsterRun) -> JobPythonOrigin:
    pointer = ModuleCodePointer("orders_pipeline.definitions", "defs", None)
    return JobPythonOrigin(run.job_name, RepositoryPythonOrigin("python", pointer))


def celery_says(instance: dg.DagsterInstance, run: dg.DagsterRun, state: str) -> None:
    result: object = WorkerLostError("killed") if state == states.FAILURE else {"hostname": "celery@gone"}
    launcher_of(instance).celery.backend.store_result(task_of(run), result, state)


def health_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WorkerStatus:
    return launcher_of(instance).check_run_worker_health(run).status


@pytest.mark.parametrize("state", [states.STARTED, states.SUCCESS, states.PENDING])
def test_a_run_that_no_process_answers_for_is_failed_after_a_while_whatever_celery_says(
    environment: dict[str, str], instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    run = begin(instance)
    celery_says(instance, run, state)
    assert health_of(instance, run) is WorkerStatus.RUNNING

    monkeypatch.setattr(celery_launcher, "_PATIENCE", 0.0)
    found = launcher_of(instance).check_run_worker_health(run)
    assert found.status is WorkerStatus.FAILED
    assert "its worker is gone" in str(found.msg)


@pytest.mark.parametrize("tags", [None, {}], ids=["with its task", "whose task is not known"])
def test_a_run_that_holds_its_lock_lives(
    environment: dict[str, str],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tags: dict[str, str] | None,
) -> None:
    monkeypatch.setattr(celery_launcher, "_PATIENCE", 0.0)
    run, other = begin(instance, tags), begin(instance, tags)
    with hold_run_lock(postgres.ledger(), run.run_id):
        assert health_of(instance, run) is WorkerStatus.RUNNING
        assert health_of(instance, other) is WorkerStatus.FAILED
    assert health_of(instance, run) is WorkerStatus.FAILED


@pytest.mark.parametrize(
    ("task", "arguments", "body"),
    [
        ("execute_job", ExecuteRunArgs, "_execute_run_command_body"),
        ("resume_job", ResumeRunArgs, "_resume_run_command_body"),
    ],
)
@pytest.mark.parametrize("ends", [0, RuntimeError("It fails.")], ids=["in order", "with an error"])
def test_a_run_on_a_worker_holds_its_lock_whatever_it_executes(
    environment: dict[str, str],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    arguments: Any,
    body: str,
    ends: Any,
) -> None:
    """Here it executes nothing: neither the IO manager's lock nor anything else answers for it."""
    monkeypatch.setattr(celery_launcher, "_PATIENCE", 0.0)
    run, seen = begin(instance), []

    def execute(instance: dg.DagsterInstance, run_id: str, **_: object) -> int:
        seen.append((run_id, health_of(instance, run)))
        if ends:
            raise ends
        return 0

    monkeypatch.setattr(f"dagster_celery.tasks.{body}", execute)
    packed = pack_value(arguments(job_origin=origin_of(run), run_id=run.run_id, instance_ref=instance.get_ref()))
    celery_app(instance).tasks[task].apply(kwargs={f"{task}_args_packed": packed})

    assert seen == [(run.run_id, WorkerStatus.RUNNING)]
    assert health_of(instance, run) is WorkerStatus.FAILED


def test_silence_that_ends_is_forgotten(
    environment: dict[str, str], instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(celery_launcher, "time", SimpleNamespace(monotonic=lambda: clock.now))
    run = begin(instance)
    assert health_of(instance, run) is WorkerStatus.RUNNING
    clock.now = 30.0
    with hold_run_lock(postgres.ledger(), run.run_id):
        assert health_of(instance, run) is WorkerStatus.RUNNING
    clock.now = 60.0
    assert health_of(instance, run) is WorkerStatus.RUNNING
    clock.now = 101.0
    assert health_of(instance, run) is WorkerStatus.FAILED


def test_a_worker_s_word_that_the_process_died_counts_at_once(
    environment: dict[str, str], instance: dg.DagsterInstance
) -> None:
    run = begin(instance)
    celery_says(instance, run, states.FAILURE)
    assert health_of(instance, run) is WorkerStatus.FAILED


def test_what_a_person_ends_is_cancelled_and_not_taken_for_a_failure(instance: dg.DagsterInstance) -> None:
    run, unknown = begin(instance), begin(instance, {})
    revoked: list[Any] = []
    launcher_of(instance).celery.control.revoke = lambda *task, **how: revoked.append((task, how))

    assert launcher_of(instance).terminate(run.run_id)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.CANCELING
    assert [task for task, _ in revoked] == [(task_of(run),)]
    assert revoked[0][1]["terminate"]
    assert not launcher_of(instance).terminate(unknown.run_id)
    assert not launcher_of(instance).terminate("no-run-of-ours")


def test_a_run_holds_its_own_lock_for_as_long_as_it_runs(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    seen = []
    download = S3Resource.download

    def look(resource: Any, *arguments: Any) -> None:
        run = pipeline.instance.get_runs()[0]
        with pipeline.connect() as connection:
            seen.append((run.run_id, is_run_alive(connection, run.run_id), is_run_alive(connection, "another")))
        download(resource, *arguments)

    monkeypatch.setattr(S3Resource, "download", look)
    pipeline.run("s3_arrival")
    [(run_id, held, others)] = seen
    assert (held, others) == (True, False)
    with pipeline.connect() as connection:
        assert not is_run_alive(connection, run_id)


def test_workers_and_launcher_share_the_settings_of_dagster_yaml(instance: dg.DagsterInstance) -> None:
    app = celery_app(instance)
    assert {"execute_job", "resume_job"} <= set(app.tasks)
    assert app.conf.task_acks_late
    assert app.conf.worker_prefetch_multiplier == 1
    assert not app.conf.task_reject_on_worker_lost


def test_a_worker_needs_the_launcher_for_workers() -> None:
    with dg.DagsterInstance.ephemeral() as plain, pytest.raises(SettingsError, match="workers need WorkerRunLauncher"):
        celery_app(plain)


def test_every_asset_is_in_the_pool_of_its_chain() -> None:
    pools = {key.to_user_string(): node.pools for key, node in asset_pools().items()}
    partitioned = {"daily_orders", "daily_revenue_partitioned"}
    assert pools == {name: {PARTITIONED_POOL if name in partitioned else UNPARTITIONED_POOL} for name in pools}


def asset_pools() -> Any:
    graph = defs.resolve_asset_graph()
    return {key: graph.get(key) for key in graph.materializable_asset_keys}


def test_a_worker_is_alive_while_its_word_is_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = tmp_path / "alive"
    monkeypatch.setattr(health, "ALIVE", alive)
    monkeypatch.setattr(celery_launcher, "ALIVE", alive)
    assert not health.worker()
    celery_launcher._tell_alive()
    assert health.worker()
    long_ago = time.time() - 61
    os.utime(alive, (long_ago, long_ago))
    assert not health.worker()
