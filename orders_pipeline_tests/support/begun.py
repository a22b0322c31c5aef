"""Runs that came so far and no further, for tests of what is taken from that."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.execution.api import create_execution_plan
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.runs.schema import RunsTable

from orders_pipeline.definitions import defs
from orders_pipeline_tests.support.driver import Pipeline


def begin_run(
    pipeline: Pipeline,
    job: str,
    status: dg.DagsterRunStatus,
    minutes: int,
    definitions: dg.Definitions = defs,
    location: str = "orders",
    steps: Sequence[str] | None = None,
    **how: Any,
) -> str:
    """A run of a code location, of some steps or all, that came so far, so many minutes ago."""
    of_job = definitions.resolve_job_def(job)
    plan = create_execution_plan(of_job, step_keys_to_execute=steps)
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "r").get_job_origin(job)
    run = pipeline.instance.create_run_for_job(of_job, plan, remote_job_origin=origin, **how)
    then = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes)
    storage: Any = pipeline.instance.run_storage
    with storage.connect() as connection:
        this = RunsTable.update().where(RunsTable.c.run_id == run.run_id)
        connection.execute(this.values(status=status.value, create_timestamp=then, update_timestamp=then))
    return run.run_id
