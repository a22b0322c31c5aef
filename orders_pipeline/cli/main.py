"""The command `orders-pipeline`: the group of all commands, and how it reports errors."""

import os
import warnings
from typing import Any

import click

from orders_pipeline.cli.commands import (
    corrections,
    development,
    everyday,
    explain,
    findings,
    inspect,
    maintenance,
    sources,
    worker,
)
from orders_pipeline.cli.exit_status import ERROR
from orders_pipeline.errors import OrdersPipelineError


class _Commands(click.Group):
    """Commands whose expected errors end in a sentence, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OrdersPipelineError as error:
            raise _Failure(str(error)) from error
        except Exception as error:
            if (reason := _lost_connection(error)) is None:
                raise
            raise _Failure(f"Postgres ended the connection: {reason}. Try again once it answers.") from error


class _Failure(click.ClickException):
    exit_code = ERROR


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="orders-pipeline")
def main() -> None:
    """Turn orders that arrive on S3 and in Postgres into daily revenue, with Dagster.

    If you set nothing in the environment, an embedded Postgres and S3 start under ORDERS_HOME (.orders) when they are
    needed. Set ORDERS_DATABASE_URL and ORDERS_S3_BUCKET to use your own.
    """
    warnings.filterwarnings("ignore", module="dagster")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")


for _command in (
    corrections.rebuild,
    corrections.relocate,
    corrections.retract,
    corrections.retry,
    development.demo,
    development.dev,
    development.stop,
    everyday.land,
    everyday.status,
    everyday.sync,
    explain.explain,
    findings.accept,
    findings.findings,
    inspect.inspect,
    maintenance.migrate,
    maintenance.recover,
    maintenance.report_to_dagster,
    maintenance.vacuum,
    sources.sources,
    worker.worker,
):
    main.add_command(_command)


def _lost_connection(error: Exception) -> str | None:
    """Why a connection ended. None for other errors: a failed statement is a bug and keeps its traceback."""
    from sqlalchemy.exc import DBAPIError

    if not isinstance(error, DBAPIError) or (error.statement is not None and not error.connection_invalidated):
        return None
    return str(error.orig).strip().splitlines()[0].rstrip(".")
