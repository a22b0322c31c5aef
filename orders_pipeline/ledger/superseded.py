"""How many rows of each built day other versions of their orders replaced, and what those were worth."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import landed_files, superseded
from orders_pipeline.ledger.versions import TABLE
from orders_pipeline.schema import TABLE_PREFIX

_t: Final = superseded.c
_IDS: Final = sa.ARRAY(sa.Text)


@dataclass(frozen=True)
class Replaced:
    """Rows of a file that versions from one file replaced: how many, and what they were worth in the currency of their
    source. `winner`, `loser`: keys of files. `repeated`: rows that their own file repeats with another amount;
    `repeated_other_customer`: those of them that name another customer than the version that wins; `other_customer`:
    those of all others that do; `unchanged`: those that say the same as it does; `smaller`: those that are worth more
    than a winner in another file, and `smaller_amount`: by how much. `repeated_ids`: a few order ids;
    `other_ids`: of rows that are neither repeated nor unchanged. None where there are none."""

    winner: str
    loser: str
    orders: int
    amount: Decimal
    other_customer: int
    other_customer_amount: Decimal
    repeated: int
    repeated_amount: Decimal
    repeated_other_customer: int
    repeated_other_customer_amount: Decimal
    unchanged: int
    unchanged_amount: Decimal
    smaller: int
    smaller_amount: Decimal
    repeated_ids: Sequence[str] | None
    other_ids: Sequence[str] | None


@dataclass(frozen=True)
class Superseded(Replaced):
    """Those of a day."""

    day: date


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


def by_file(connection: Connection, days: Iterable[date]) -> list[Replaced]:
    """What files replaced on these days, by winner and loser, in order."""
    kinds = ("other_customer", "repeated", "repeated_other_customer", "unchanged", "smaller")
    sums = _t.orders, _t.amount, *(_t[f"{kind}{what}"] for kind in kinds for what in ("", "_amount"))
    of_other_customer = sa.func.min(_t.other_ids).filter(_t.other_customer > 0)
    query = sa.select(
        _t.winner,
        _t.loser,
        *(sa.cast(sa.func.sum(column), column.type).label(column.name) for column in sums),
        sa.func.min(_t.repeated_ids).label("repeated_ids"),
        sa.func.coalesce(of_other_customer, sa.func.min(_t.other_ids)).label("other_ids"),
    )
    of_days = query.where(_t.day == sa.any_(sa.literal(sorted(days), sa.ARRAY(sa.Date))))
    grouped = of_days.group_by(_t.winner, _t.loser).order_by(_t.winner, _t.loser)
    return [Replaced(**row) for row in connection.execute(grouped).mappings()]


def buckets(connection: Connection, keys: Iterable[str]) -> dict[str, str | None]:
    """The bucket of each key: of a key in several, the one with the latest active version; TABLE for the days of the
    source table. None: the ledger has forgotten the key."""
    wanted, files = set(keys), landed_files.c
    unknown = {key: TABLE if key.startswith(TABLE_PREFIX) else None for key in wanted}
    known = sa.select(files.key, files.bucket).where(files.key == sa.any_(sa.literal(sorted(wanted), _IDS)))
    latest_last = known.order_by(files.active, files.id)
    return unknown | {row.key: row.bucket for row in connection.execute(latest_last)}
