"""Runs in this process that the UI shows like any other.

`JobDefinition.execute_in_process` does not record which code location a run is of. Timeline and the pages of jobs list
only runs that have one."""

from collections.abc import Mapping
from typing import Final

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run_iterator
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

LOCATION: Final = "orders_pipeline"  # the name of the code location, as the workspace files give it
_REPOSITORY: Final = "__repository__"  # Dagster's name for what one Definitions object has


def execute(
    instance: dg.DagsterInstance, job: dg.JobDefinition, config: dg.RunConfig, tags: Mapping[str, str]
) -> tuple[str, list[dg.DagsterEvent]]:
    """Run a job of the code location `orders_pipeline`, whether it succeeds or not: the run's id, and its events."""
    run_config = config.to_config_dict()  # type: ignore[no-untyped-call]  # Dagster does not type it
    location = RegisteredCodeLocationOrigin(LOCATION)
    run = instance.create_run_for_job(
        job,
        create_execution_plan(job, run_config),
        run_config=run_config,
        tags={**job.run_tags, **tags},
        remote_job_origin=RemoteRepositoryOrigin(location, _REPOSITORY).get_job_origin(job.name),
    )
    return run.run_id, list(execute_run_iterator(InMemoryJob(job), run, instance))
