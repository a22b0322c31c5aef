"""Commands to try and develop the pipeline: the demo, the Dagster UI, and the embedded services."""

import sys
from typing import Any

import click

from orders_pipeline.cli.exit_status import INCOMPLETE
from orders_pipeline.errors import OrdersPipelineError


@click.command()
@click.option(
    "--on-my-services",
    is_flag=True,
    help="Write sample orders to your own services: files under demo/, and the table `orders`.",
)
def demo(on_my_services: bool) -> None:
    """Run the whole pipeline on sample orders and show the result.

    It stops the services that it started. Postgres and the lake keep their data."""
    from orders_pipeline.cli import demo_output
    from orders_pipeline.cli.demo import play
    from orders_pipeline.cli.local import local_instance, warn_of_gaps
    from orders_pipeline.cli.terminal import progress, say
    from orders_pipeline.settings import read_settings
    from orders_pipeline.storage import embedded

    settings = read_settings()
    _only_embedded(settings, "demo", on_my_services)
    with embedded.session(settings.home), local_instance(settings) as instance, progress():
        warn_of_gaps(instance)
        played = play(instance, say)
        demo_output.show(played)
    sys.exit(0 if all(act.is_complete for act in played.acts) else INCOMPLETE)


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster webserver, on this machine only.")
@click.option("--sample/--no-sample", default=True, show_default=True, help="Land sample orders if no file is loaded.")
def dev(port: int, sample: bool) -> None:
    """Start the services, land sample orders, and run `dagster dev` with sensors and schedule on.

    Ctrl-C stops everything that this command started."""
    from orders_pipeline.cli.local import run_dagster_dev
    from orders_pipeline.cli.terminal import say
    from orders_pipeline.settings import read_settings
    from orders_pipeline.storage import embedded

    settings = read_settings()
    with embedded.session(settings.home):
        if sample and settings.s3_bucket is None and settings.database_url is None:
            from orders_pipeline.cli.demo import land_sample_once

            say(land_sample_once())
        say(f"Dagster UI: http://127.0.0.1:{port} - press Ctrl-C to stop")
        status = run_dagster_dev(settings, port)
    sys.exit(status)


@click.command()
def stop() -> None:
    """Stop the embedded Postgres and S3 of ORDERS_HOME. The embedded S3 loses its objects."""
    from orders_pipeline.settings import read_settings
    from orders_pipeline.storage import embedded

    stopped = embedded.stop(read_settings().home)
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing to stop: no embedded service is running.")


def _only_embedded(settings: Any, command: str, on_my_services: bool) -> None:
    configured = [
        name
        for name, value in (("ORDERS_DATABASE_URL", settings.database_url), ("ORDERS_S3_BUCKET", settings.s3_bucket))
        if value is not None
    ]
    if configured and not on_my_services:
        raise OrdersPipelineError(
            f"{' and '.join(configured)} is set: `{command}` would write sample orders there. Unset it, or pass"
            " --on-my-services."
        )
