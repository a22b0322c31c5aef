"""The command that executes runs from a Celery queue."""

import click

from orders_pipeline.errors import OrdersPipelineError


@click.command()
@click.option("--runs", default=1, show_default=True, help="How many runs to execute at once.")
def worker(runs: int) -> None:
    """Execute runs from the Celery queue of DAGSTER_HOME's dagster.yaml.

    On SIGTERM, the worker finishes the runs in progress, then exits."""
    try:
        from orders_pipeline.runs.celery_launcher import work
    except ImportError as error:
        raise OrdersPipelineError("Workers need Celery: `pip install 'orders-pipeline[deploy]'`.") from error

    work(runs)
