"""`orders-pipeline explain`: why a day, an order or a file is as it is."""

import json
import sys
from contextlib import nullcontext

import click

from orders_pipeline.cli.exit_status import INCOMPLETE


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@click.option("--day", "meant", flag_value="day", help="WHAT is a day.")
@click.option("--order", "meant", flag_value="order", help="WHAT is an order id.")
@click.option("--file", "meant", flag_value="file", help="WHAT is the name of a file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def explain(what: tuple[str, ...], meant: str | None, as_json: bool) -> None:
    """Show why a day, an order or a file is as it is: what it is made of, what is missing, what to do next.

    Each WHAT is a day (2026-03-05, today or yesterday), the key of a file (whole, below the landing prefix, its last
    part, or a full name like s3://bucket/key), a day of the source table (table:orders/2026-03-05) or an order id.

    Nothing is changed. The exit status is 0 only if all is well: 1 if something needs you, or is unknown."""
    from orders_pipeline.cli import explained
    from orders_pipeline.cli.terminal import console, progress
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.explain.lookup import look_up
    from orders_pipeline.explain.meaning import Kind
    from orders_pipeline.settings import read_settings

    if any(not text.strip() for text in what):
        raise click.UsageError("A WHAT is blank. Write a day, an order id or the name of a file.")
    settings, engine = read_settings(), postgres.ledger()
    kind = Kind(meant) if meant else None
    with progress() if console.is_terminal and not as_json else nullcontext():
        answers = [answer for text in what for answer in look_up(engine, s3, settings, text, kind)]
    if as_json:
        click.echo(json.dumps([explained.as_json(answer) for answer in answers], indent=2, default=str))
    else:
        click.echo("\n\n".join("\n".join(explained.lines(answer)) for answer in answers))
    sys.exit(0 if all(answer.found.is_well for answer in answers) else INCOMPLETE)
