"""The command `orders-pipeline`: a thin shell that parses, calls, prints and sets the exit status."""

import dataclasses
import json
import os
import sys
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from orders_pipeline.errors import OrdersPipelineError

FAILED: Final = 1  # done, but something stays to be done
WRONG: Final = 2  # could not be done
_DAY: Final = click.DateTime(["%Y-%m-%d"])


class _Commands(click.Group):
    """Commands whose expected errors end in a sentence, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OrdersPipelineError as error:
            raise _Failure(str(error)) from error
        except Exception as error:
            if (reason := _connection_failure(error)) is None:
                raise
            raise _Failure(
                f"Postgres did not answer: {reason}\n"
                "Check ORDERS_DATABASE_URL and ORDERS_SOURCE_URL, and that the server is running."
            ) from error


class _Failure(click.ClickException):
    exit_code = WRONG


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="orders-pipeline")
def main() -> None:
    """Turn orders that arrive on S3 and in Postgres into daily revenue, with Dagster.

    If you set nothing in the environment, an embedded Postgres and S3 start under ORDERS_HOME (.orders) when they are
    needed. Set ORDERS_DATABASE_URL and ORDERS_S3_BUCKET to use your own.
    """
    warnings.filterwarnings("ignore", module="dagster")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    # Imports below wait for their command: `--help` answers at once.


@main.command()
@click.option(
    "--on-my-services",
    is_flag=True,
    help="Write sample orders to your own services: files under demo/, and the table `orders`.",
)
def demo(on_my_services: bool) -> None:
    """Run the whole pipeline on sample orders and show the result.

    It stops the services that it started. Postgres and the lake keep their data."""
    from orders_pipeline.cli import output
    from orders_pipeline.cli.demo import play
    from orders_pipeline.cli.local import local_instance
    from orders_pipeline.settings import read_settings
    from orders_pipeline.storage import embedded

    settings = read_settings()
    _only_embedded(settings, "demo", on_my_services)
    with embedded.session(settings.home), local_instance(settings) as instance, output.progress():
        played = play(instance, output.say)
        output.demo(played)
    sys.exit(0 if all(act.is_complete for act in played.acts) else FAILED)


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster webserver, on this machine only.")
@click.option("--sample/--no-sample", default=True, show_default=True, help="Land sample orders if no file is loaded.")
def dev(port: int, sample: bool) -> None:
    """Start the services, land sample orders, and run `dagster dev` with sensors and schedule on.

    Ctrl-C stops everything that this command started."""
    from orders_pipeline.cli import output
    from orders_pipeline.cli.local import run_dagster_dev
    from orders_pipeline.settings import read_settings
    from orders_pipeline.storage import embedded

    settings = read_settings()
    with embedded.session(settings.home):
        if sample and settings.s3_bucket is None and settings.database_url is None:
            from orders_pipeline.cli.demo import land_sample_once

            output.say(land_sample_once())
        output.say(f"Dagster UI: http://127.0.0.1:{port} - press Ctrl-C to stop")
        status = run_dagster_dev(settings, port)
    sys.exit(status)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--prefix", default="", help="Folder under the landing prefix for the files.")
def land(files: tuple[Path, ...], prefix: str) -> None:
    """Upload FILES to the landing zone, each under its own name."""
    from orders_pipeline.cli import output
    from orders_pipeline.definitions import s3
    from orders_pipeline.landing.side_files import WHY
    from orders_pipeline.ledger.versions import is_side_file

    if len({file.name for file in files}) < len(files):
        raise OrdersPipelineError(
            "Two of the files have the same name, so one would overwrite the other. Land them in separate commands,"
            " each with its own --prefix."
        )
    keys = {file: _key(s3.prefix, prefix, file) for file in files}
    if left_out := [key for key in keys.values() if is_side_file(key, s3.prefix)]:
        raise OrdersPipelineError(f"{left_out[0]!r} would not be loaded: {WHY}. Land it under another name.")
    output.uploads(keys, s3.bucket, s3.upload)


@main.command()
def sync() -> None:
    """Process the whole backlog now, as Dagster runs in this process.

    The exit status is 0 only if nothing is left pending, failing or stale. A failed check is reported, but does not
    change the exit status."""
    from orders_pipeline.cli import output
    from orders_pipeline.cli.local import local_instance
    from orders_pipeline.cli.sync import sync as run_sync
    from orders_pipeline.settings import read_settings

    with local_instance(read_settings()) as instance, output.progress():
        synced = run_sync(instance, output.say)
    output.synced(synced)
    sys.exit(0 if synced.is_complete else FAILED)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def status(as_json: bool) -> None:
    """Show files (pending, loaded, quarantined, ignored, failing), stale days and totals."""
    from orders_pipeline.cli import output
    from orders_pipeline.cli.status import read_status
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.settings import read_settings

    with postgres.ledger().connect() as connection:
        found = read_status(connection, s3, read_settings())
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2, default=str))
    else:
        output.status(found)


@main.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--loaded", is_flag=True, help="Also read files again that are loaded.")
def retry(keys: tuple[str, ...], loaded: bool) -> None:
    """Read quarantined, failing or archived files again, at the next sync or tick.

    Each of KEYS is a whole key, or a pattern like 'landing/2026-03-*' (in quotes; * also matches slashes). You can also
    name a loaded file whose object is missing from the lake. With --loaded you can name any loaded file, for example
    after you change ORDERS_COLUMN_ALIASES. Files are read again from S3."""
    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.landing import operator_actions

    pending = operator_actions.retry(postgres.ledger(), s3, keys, loaded=loaded)
    output.each(pending, "is pending again. Run `orders-pipeline sync`, or wait for the sensor's next tick.")


@main.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Restore retracted files.")
def retract(keys: tuple[str, ...], undo: bool) -> None:
    """Remove the rows of files from every table, without an upload.

    Each of KEYS is a whole key, or a pattern like 'landing/_temporary/*' (in quotes; * also matches slashes). A
    quarantined or failing version is dismissed: it is no longer reported. If you upload a new version, it counts.

    With --undo, files count again as before: from the lake, or read again from S3 if the lake no longer has them. A
    dismissed version is read again."""
    import logging

    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.landing import operator_actions
    from orders_pipeline.landing.ingest import ingesting
    from orders_pipeline.settings import read_settings

    zone, log = read_settings().timezone, logging.getLogger(__name__)
    with ingesting(postgres.ledger(), s3.lake(), zone, "retract", log) as ingest:
        if undo:
            counting, pending, touched = operator_actions.undo_retract(ingest, s3, keys)
            output.each(counting, "counts again.")
            output.each(pending, "is pending again. Run `orders-pipeline sync`, or wait for the sensor's next tick.")
        else:
            retracted, touched = operator_actions.retract(ingest, s3, keys)
            output.each(retracted, "no longer counts.")
    output.to_be_rebuilt(touched)


@main.command()
@click.argument("first_day", type=_DAY)
@click.argument("last_day", type=_DAY, required=False)
def rebuild(first_day: datetime, last_day: datetime | None) -> None:
    """Rebuild the days from FIRST_DAY to LAST_DAY, in every table that is kept by day. Without LAST_DAY: one day.

    The next sync or the sensors build them. No other day changes, and no file is read from S3 again: for that, use
    `orders-pipeline retry --loaded KEY`."""
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger import staleness
    from orders_pipeline.ledger.staleness import Calendar
    from orders_pipeline.settings import read_settings
    from orders_pipeline.text import list_days

    calendar = Calendar.of(read_settings())
    first = first_day.date()
    last = last_day.date() if last_day else first
    if first > last:
        raise OrdersPipelineError(f"FIRST_DAY ({first}) is after LAST_DAY ({last}). Swap them.")
    begin, end = max(first, calendar.start), min(last, calendar.today)
    requested = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
    with postgres.ledger().begin() as transaction:
        delivered = staleness.delivered_days(transaction, requested)
        staleness.bump_versions(transaction, delivered)
    if not delivered:
        raise OrdersPipelineError(
            f"There is nothing to build from {first} to {last}: no orders were ever delivered for these days, or the"
            f" days are before ORDERS_START_DATE ({calendar.start}) or after today."
        )
    click.echo(f"{list_days(delivered)} will be rebuilt by `orders-pipeline sync` or the sensors.")


@main.command()
def vacuum() -> None:
    """Delete lake objects that the ledger has not named for ORDERS_VACUUM_AGE (7d)."""
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.ledger.vacuum import vacuum as run_vacuum
    from orders_pipeline.settings import read_settings

    done = run_vacuum(postgres.ledger(), s3.lake(), read_settings().vacuum_age)
    click.echo(
        f"{done.deleted} objects deleted; {done.named} are in use; {done.waiting} are unused but not old enough to"
        f" delete, {done.marked} of them newly marked."
    )


@main.command()
def recover() -> None:
    """Complete a ledger that was restored from a backup, from the objects in the lake.

    Run `orders-pipeline sync` afterwards: it loads what S3 holds, reads the source table and builds stale days. The
    exit status is 1 if something is left that no command can restore."""
    import logging

    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.landing.ingest import ingesting
    from orders_pipeline.landing.recovery import recover as run_recover
    from orders_pipeline.settings import read_settings

    settings, log = read_settings(), logging.getLogger(__name__)
    with ingesting(postgres.ledger(), s3.lake(), settings.timezone, "recover", log) as ingest, output.progress():
        found = run_recover(ingest, s3, settings)
    output.recovered(found)
    sys.exit(0 if found.is_complete else FAILED)


@main.command()
def migrate() -> None:
    """Bring the ledger and Dagster's own storage up to date. Run it once before you start services that share them.

    It also creates the roles orders_pipeline and orders_reader and grants their privileges, so run it as the owner."""
    from orders_pipeline.cli.local import local_instance
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger.roles import make_roles
    from orders_pipeline.settings import read_settings

    missing = make_roles(postgres.ledger())
    with local_instance(read_settings()) as instance:
        instance.upgrade(click.echo)
        instance.reindex(click.echo)
    click.echo("The ledger and Dagster's storage are up to date.")
    if missing:
        statements = "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in missing)
        click.echo(
            f"This Postgres user may not create roles, and {' and '.join(missing)} are missing. The owner does not need"
            f" them. To give others access, have a superuser run `{statements}`, then repeat this command."
        )


@main.command()
@click.option("--runs", default=1, show_default=True, help="How many runs to execute at once.")
def worker(runs: int) -> None:
    """Execute runs from the Celery queue of DAGSTER_HOME's dagster.yaml.

    On SIGTERM, the worker finishes the runs in progress, then exits."""
    try:
        from orders_pipeline.runs.celery_launcher import work
    except ImportError as error:
        raise OrdersPipelineError("Workers need Celery: `pip install 'orders-pipeline[deploy]'`.") from error

    work(runs)


@main.command()
def stop() -> None:
    """Stop the embedded Postgres and S3 of ORDERS_HOME. The embedded S3 loses its objects."""
    from orders_pipeline.settings import read_settings
    from orders_pipeline.storage import embedded

    stopped = embedded.stop(read_settings().home)
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing to stop: no embedded service is running.")


def _key(landing_prefix: str, folder: str, file: Path) -> str:
    folder = folder.removeprefix(landing_prefix).strip("/")
    return f"{landing_prefix}{folder}{'/' if folder else ''}{file.name}"


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


def _connection_failure(error: Exception) -> str | None:
    """Why no connection could be made. None for other errors: a failed statement is a bug and keeps its traceback."""
    from sqlalchemy.exc import DBAPIError

    if not isinstance(error, DBAPIError) or (error.statement is not None and not error.connection_invalidated):
        return None
    return str(error.orig).strip().splitlines()[0]
