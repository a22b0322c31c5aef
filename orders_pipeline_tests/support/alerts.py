"""Runs that fail or succeed, and what an alert says of them."""

import logging

import dagster as dg
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

KEY = "orders_pipeline/alerts/"
NO_POSTGRES = "postgresql://127.0.0.1:1/none"
UI = "http://127.0.0.1:3000"


def run(instance: dg.DagsterInstance, job: str = "s3_arrival", location: str = "", **tags: str) -> dg.DagsterRun:
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "r").get_job_origin(job)
    return instance.add_run(dg.DagsterRun(job, tags=tags, remote_job_origin=origin if location else None))


def fail(instance: dg.DagsterInstance, error: str = "It was lost", job: str = "s3_arrival", **tags: str) -> str:
    """A run that failed for this reason."""
    failed = run(instance, job, **tags)
    instance.report_run_failed(failed, error)
    return failed.run_id


def succeed(instance: dg.DagsterInstance, job: str = "s3_arrival", **tags: str) -> None:
    done = run(instance, job, **tags)
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job)
    instance.report_dagster_event(event, done.run_id, logging.INFO)


def why(text: str) -> str:
    return text.splitlines()[1]
