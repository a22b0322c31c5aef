"""`orders-pipeline findings` and `accept`: what is wrong, or may be, and what a person says to it."""

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import click

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.text import printable

if TYPE_CHECKING:
    from orders_pipeline.ledger.findings import Recorded

_WIDTH: Final = 80
_ID: Final = click.IntRange(min=1, max=2**63 - 1)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--all", "with_accepted", is_flag=True, help="Also show findings that are accepted.")
def findings(as_json: bool, with_accepted: bool) -> None:
    """Show what is wrong, or may be: the findings of the checks, the oldest first.

    A finding disappears when its cause is gone, or when you accept it with `orders-pipeline accept`."""
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger.findings import open_findings, unsettled

    with postgres.ledger().connect() as connection:
        found = unsettled(connection) if with_accepted else open_findings(connection)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], indent=2, default=str))
    elif found:
        click.echo("\n".join(_table(found)))
    else:
        click.echo("No finding." if with_accepted else "No finding is open.")


@click.command()
@click.argument("ids", nargs=-1, type=_ID, metavar="ID...")
@click.option("--kind", help="Accept all open findings of this check.")
@click.option("--by", metavar="NAME", help="Who accepts them. Default: your user name on this machine.")
def accept(ids: tuple[int, ...], kind: str | None, by: str | None) -> None:
    """Accept findings that are as they should be, by their numbers in `orders-pipeline findings`.

    They are no longer reported, and their check passes again if it has no other finding. If what you accepted changes,
    for example the amount or the version of the file, the finding is open again. A blocked day stays blocked."""
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger.findings import accept as accept_findings
    from orders_pipeline.ledger.findings import open_findings

    if bool(ids) == bool(kind):
        raise click.UsageError("Name findings by their numbers, or a check by --kind.")
    with postgres.ledger().begin() as transaction:
        if kind and not (ids := tuple(one.id for one in open_findings(transaction) if one.kind == kind)):
            raise OrdersPipelineError(f"No finding of {kind} is open. `orders-pipeline findings` lists those that are.")
        accepted = accept_findings(transaction, ids, by or _user())
    for one in accepted:
        click.echo(f"Accepted: {one.id}, {printable(one.message)}")


def money_at_stake(found: "Sequence[Recorded]") -> Decimal | None:
    """The sum of all amounts that are known, of each without its sign. None: none is known."""
    amounts = [abs(one.amount) for one in found if one.amount is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise OrdersPipelineError("This machine does not know your name. Say who accepts: --by NAME.") from error


def _table(found: "Sequence[Recorded]") -> Iterator[str]:
    """A line of figures for each finding, and what it says below."""
    digits = max(2, *(len(str(one.id)) for one in found))
    money = ["" if one.amount is None else f"{one.amount:,}" for one in found]
    wide = max(5, *map(len, money))
    yield f"{'id':>{digits}}  since       {'money':>{wide}}  kind, subject"
    for one, amount in zip(found, money, strict=True):
        figures = f"{one.id:>{digits}}  {one.since:%Y-%m-%d}  {amount:>{wide}}  "
        margin = " " * (digits + 2)
        yield from _folded(f"{one.kind}, {printable(one.subject)}", figures, " " * len(figures))
        said = (
            f" Accepted by {printable(one.accepted_by or '')}, {one.accepted_at:%Y-%m-%d}." if one.accepted_at else ""
        )
        yield from _folded(f"{printable(one.message)}.{said}", margin, margin)


def _folded(text: str, first: str, further: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=further, break_on_hyphens=False)
