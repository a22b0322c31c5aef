"""Commands that correct what was loaded: retry, retract, relocate, rebuild."""

from datetime import date, datetime, timedelta
from typing import Final

import click

from orders_pipeline.errors import OrdersPipelineError


class _Day(click.ParamType[date]):
    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            self.fail(f"{value!r} is not a day like '2026-03-05'.", param, ctx)


_DAY: Final = _Day()


@click.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--loaded", is_flag=True, help="Also read files again that are loaded.")
def retry(keys: tuple[str, ...], loaded: bool) -> None:
    """Read quarantined, failing or archived files again, at the next sync or tick.

    Each of KEYS is a whole key, a full name like s3://bucket/key, or a pattern of either like 'landing/2026-03-*' (in
    quotes; * also matches slashes). You can also name a loaded file whose object is missing from the lake. With
    --loaded you can name any loaded file, for example after you change ORDERS_COLUMN_ALIASES. Files are read again from
    S3."""
    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.landing import operator_actions

    pending = operator_actions.retry(postgres.ledger(), s3, keys, loaded=loaded)
    output.each(pending, "is pending again. Run `orders-pipeline sync`, or wait for the sensor's next tick.")


@click.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Restore retracted files.")
def retract(keys: tuple[str, ...], undo: bool) -> None:
    """Remove the rows of files from every table, without an upload.

    Each of KEYS is a whole key, a full name like s3://bucket/key (of another bucket, too), or a pattern of either like
    'landing/_temporary/*' (in quotes; * also matches slashes). A quarantined or failing version is dismissed: it is no
    longer reported. If you upload a new version, it counts.

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
            counting, pending, changed_days = operator_actions.undo_retract(ingest, s3, keys)
            output.each(counting, "counts again.")
            output.each(pending, "is pending again. Run `orders-pipeline sync`, or wait for the sensor's next tick.")
        else:
            retracted, changed_days = operator_actions.retract(ingest, s3, keys)
            output.each(retracted, "no longer counts.")
    output.to_be_rebuilt(changed_days)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
def relocate(source: str, target: str, dry_run: bool) -> None:
    """Say that files moved to another bucket or prefix: what lands in the new place are new versions of the same files.

    FROM and TO are full names: of folders, with a slash at the end (s3://old-bucket/landing/), or of single files. TO
    is in the landing zone as it is configured now. It does not matter whether the new place has been loaded before. No
    object on S3 is moved or read."""
    import logging

    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.landing import relocate as relocation
    from orders_pipeline.landing.ingest import ingesting
    from orders_pipeline.settings import read_settings

    settings, log = read_settings(), logging.getLogger(__name__)
    with ingesting(postgres.ledger(), s3.lake(), settings.timezone, "relocate", log) as ingest:
        found = relocation.relocate(ingest, settings.landing_zone, source, target, dry_run=dry_run)
    output.relocated(found, is_made=not dry_run)


@click.command()
@click.argument("first_day", type=_DAY, metavar="FIRST_DAY")
@click.argument("last_day", type=_DAY, required=False, metavar="[LAST_DAY]")
def rebuild(first_day: date, last_day: date | None) -> None:
    """Rebuild the days from FIRST_DAY to LAST_DAY, in every table that is kept by day. Without LAST_DAY: one day.

    The next sync or the sensors build them. No other day changes, and no file is read from S3 again: for that, use
    `orders-pipeline retry --loaded KEY`."""
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger import staleness
    from orders_pipeline.ledger.staleness import Calendar
    from orders_pipeline.settings import read_settings
    from orders_pipeline.text import list_days

    calendar = Calendar.of(read_settings())
    first, last = first_day, last_day or first_day
    if first > last:
        raise OrdersPipelineError(f"FIRST_DAY ({first}) is after LAST_DAY ({last}). Swap them.")
    begin, end = max(first, calendar.start), min(last, calendar.today)
    requested = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
    with postgres.ledger().begin() as transaction:
        delivered = staleness.delivered_days(transaction, requested)
        staleness.bump_versions(transaction, delivered)
    if not delivered:
        days = first if first == last else f"{first} to {last}"
        raise OrdersPipelineError(
            f"There is nothing to build for {days}: no orders were ever delivered for it, or it is before"
            f" ORDERS_START_DATE ({calendar.start}) or after today."
        )
    click.echo(f"{list_days(delivered)} will be rebuilt by `orders-pipeline sync` or the sensors.")
