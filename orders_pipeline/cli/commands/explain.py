"""`orders-pipeline explain`: why a day, an order or a file is as it is."""

import json
import sys

import click

from orders_pipeline.cli.exit_status import INCOMPLETE


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def explain(what: tuple[str, ...], as_json: bool) -> None:
    """Show why a day, an order or a file is as it is: what it is made of, what is missing, what to do next.

    Each WHAT is a day (2026-03-05, today or yesterday)."""
    from orders_pipeline.cli import explained
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.explain.meaning import day_of
    from orders_pipeline.explain.read_day import read_day
    from orders_pipeline.settings import read_settings

    settings = read_settings()
    days = {text: day_of(text, settings.today()) for text in what}
    if wrong := [text for text, day in days.items() if day is None]:
        raise click.UsageError(f"{wrong[0]!r} is no day. Write it like 2026-03-05, or today or yesterday.")
    engine = postgres.ledger()
    found = [read_day(engine, s3, settings, day) for day in days.values() if day]
    if as_json:
        click.echo(json.dumps([explained.as_json(one) for one in found], indent=2, default=str))
    else:
        click.echo("\n\n".join("\n".join(explained.lines(one)) for one in found))
    sys.exit(0 if all(one.is_well for one in found) else INCOMPLETE)
