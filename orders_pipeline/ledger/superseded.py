"""How many rows of each built day other versions of their orders replaced, and what those were worth."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import landed_files, superseded

_t: Final = superseded.c
_IDS: Final = sa.ARRAY(sa.Text)


@dataclass(frozen=True)
class Superseded:
    """Rows of a file and day that versions from one file replaced: how many, and what they were worth in the currency
    of their source. `winner`, `loser`: keys of files. `repeated`: rows that their own file repeats with another amount;
    `other_customer`: those of the others that name another customer than the version that wins; `unchanged`: those that
    say the same as it does. `repeated_ids`: a few order ids; `other_ids`: of rows that are neither repeated nor
    unchanged. None where there are none."""

    day: date
    winner: str
    loser: str
    orders: int
    amount: Decimal
    other_customer: int
    other_customer_amount: Decimal
    repeated: int
    repeated_amount: Decimal
    unchanged: int
    unchanged_amount: Decimal
    repeated_ids: list[str] | None
    other_ids: list[str] | None


@dataclass(frozen=True)
class Replaced:
    """The superseded rows of a file, of whatever day, that versions from one file replaced, as in `Superseded`."""

    winner: str
    loser: str
    orders: int
    amount: Decimal
    other_customer: int
    other_customer_amount: Decimal
    repeated: int
    repeated_amount: Decimal
    unchanged: int
    unchanged_amount: Decimal
    repeated_ids: Sequence[str]
    other_ids: Sequence[str]


def replace(connection: Connection, days: Iterable[date], found: Iterable[Superseded]) -> list[Superseded]:
    """Record what was superseded on these days and on no others, in the transaction that commits them. Returns what was
    recorded."""
    replaced = set(days)
    connection.execute(sa.delete(superseded).where(_t.day.in_(sorted(replaced))))
    recorded = [entry for entry in found if entry.day in replaced]
    if recorded:
        connection.execute(sa.insert(superseded), [asdict(entry) for entry in recorded])
    return recorded


def total_amount(connection: Connection) -> Decimal:
    """What all superseded rows of built days were worth."""
    return Decimal(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(_t.amount), 0))).scalar_one())


def by_file(connection: Connection) -> list[Replaced]:
    """What files replaced on all built days, by winner and loser, in order."""
    kinds = ("other_customer", "repeated", "unchanged")
    sums = _t.orders, _t.amount, *(_t[f"{kind}{what}"] for kind in kinds for what in ("", "_amount"))
    none = sa.literal([], _IDS)
    of_other_customer = sa.func.min(_t.other_ids).filter(_t.other_customer > 0)
    query = sa.select(
        _t.winner,
        _t.loser,
        *(sa.cast(sa.func.sum(column), column.type).label(column.name) for column in sums),
        sa.func.coalesce(sa.func.min(_t.repeated_ids), none).label("repeated_ids"),
        sa.func.coalesce(of_other_customer, sa.func.min(_t.other_ids), none).label("other_ids"),
    )
    grouped = query.group_by(_t.winner, _t.loser).order_by(_t.winner, _t.loser)
    return [Replaced(**row) for row in connection.execute(grouped).mappings()]


def buckets(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """The bucket of each key. Of a key in several, the one with the latest active version."""
    files = landed_files.c
    known = sa.select(files.key, files.bucket).where(files.key == sa.any_(sa.literal(sorted(set(keys)), _IDS)))
    return {row.key: row.bucket for row in connection.execute(known.order_by(files.active, files.id))}  # the last holds
