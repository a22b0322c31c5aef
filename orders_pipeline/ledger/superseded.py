"""How many rows of each built day other versions of their orders replaced, and what those were worth."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import superseded


@dataclass(frozen=True)
class Superseded:
    """Rows of a file and day that versions from one file replaced: how many, what they were worth in the currency of
    their source, and how many name another customer than the version that wins. `winner`, `loser`: keys of files."""

    day: date
    winner: str
    loser: str
    orders: int
    amount: Decimal
    other_customer: int


def replace(connection: Connection, days: Iterable[date], found: Iterable[Superseded]) -> list[Superseded]:
    """Record what was superseded on these days and on no others, in the transaction that commits them. Returns what was
    recorded."""
    replaced = set(days)
    connection.execute(sa.delete(superseded).where(superseded.c.day.in_(sorted(replaced))))
    recorded = [entry for entry in found if entry.day in replaced]
    if recorded:
        connection.execute(sa.insert(superseded), [asdict(entry) for entry in recorded])
    return recorded


def total_amount(connection: Connection) -> Decimal:
    """What all superseded rows of built days were worth."""
    return Decimal(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(superseded.c.amount), 0))).scalar_one())
