"""Commands for every day: land files, process the backlog, show what is left."""

import dataclasses
import json
import sys
from pathlib import Path

import click

from orders_pipeline.cli.exit_status import INCOMPLETE
from orders_pipeline.errors import OrdersPipelineError


@click.command()
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


@click.command()
def sync() -> None:
    """Process the whole backlog now, as Dagster runs in this process.

    The exit status is 0 only if nothing is left pending, failing or stale. A failed check is reported, but does not
    change the exit status."""
    from orders_pipeline.cli import output
    from orders_pipeline.cli.local import local_instance, warn_of_gaps
    from orders_pipeline.cli.sync import sync as run_sync
    from orders_pipeline.cli.terminal import progress, say
    from orders_pipeline.settings import read_settings

    with local_instance(read_settings()) as instance, progress():
        warn_of_gaps(instance)
        synced = run_sync(instance, say)
    output.synced(synced)
    sys.exit(0 if synced.is_complete else INCOMPLETE)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option(
    "--retention",
    "days",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="Instead: which landed objects older than that are no longer needed on S3.",
)
def status(as_json: bool, days: int | None) -> None:
    """Show files (pending, loaded, quarantined, ignored, failing), stale days and totals."""
    from orders_pipeline.cli import output
    from orders_pipeline.cli.local import last_ticks
    from orders_pipeline.cli.status import read_status
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.settings import read_settings

    if days is not None:
        _retention(days, as_json)
        return
    with postgres.ledger().connect() as connection:
        found = read_status(connection, s3, read_settings())
    ticking = last_ticks(read_settings())
    if as_json:
        ticks = None
        if ticking is not None:
            ticks = {one.name: dataclasses.asdict(one.ticks[0]) if one.ticks else None for one in ticking}
        click.echo(json.dumps({**dataclasses.asdict(found), "last_ticks": ticks}, indent=2, default=str))
    else:
        output.status(found)
        output.last_ticks(ticking)


def _retention(days: int, as_json: bool) -> None:
    from datetime import UTC, datetime, timedelta

    from orders_pipeline.cli import output
    from orders_pipeline.cli.terminal import progress
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.landing import retention

    before = datetime.now(UTC) - timedelta(days=days)
    with progress():
        found = retention.find(postgres.ledger(), s3.lake(), s3.list_pages(), before)
    if as_json:
        keys = [version.key for version in found.expendable]
        click.echo(json.dumps({"expendable": keys, "bytes": found.size, "kept": dict(found.kept)}, indent=2))
    else:
        output.retention(found, days)


def _key(landing_prefix: str, folder: str, file: Path) -> str:
    folder = f"{folder.strip('/')}/".removeprefix(landing_prefix).strip("/")  # with the landing prefix or without
    return f"{landing_prefix}{folder}{'/' if folder else ''}{file.name}"
