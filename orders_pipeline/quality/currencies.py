"""Are amounts in several currencies added up?"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.quality.wording import where
from orders_pipeline.sources.declaration import Sources
from orders_pipeline.sources.senders import sender_of
from orders_pipeline.text import examples

_t = landed_files.c


@dataclass(frozen=True)
class InCurrencies:
    """An active file with clean rows that say their currency."""

    bucket: str
    key: str
    currencies: frozenset[str]
    rows: int
    amount: Decimal


@dataclass(frozen=True)
class OtherCurrencies:
    """The files of a sender with amounts in another currency than the usual one. There is at least one."""

    sender: str
    usual: str
    files: list[InCurrencies]

    def finding(self) -> Finding:
        """The sender has these currencies beside the usual one."""
        others = sorted(frozenset[str]().union(*(file.currencies for file in self.files)) - {self.usual})
        message = (
            f"{self.sender} has amounts in {examples(others)} beside {self.usual},"
            f" {where([file.key for file in self.files])}"
        )
        amount = sum((file.amount for file in self.files), Decimal(0))
        return Finding(self.sender, f"{', '.join(others)} beside {self.usual}", message, amount)


@dataclass(frozen=True)
class Comparison:
    """Every currency that counts, and the senders with another one than the usual one."""

    currencies: list[str]
    others: list[OtherCurrencies]


def find(engine: Engine) -> Comparison:
    """Compare the currencies of all active files."""
    columns = _t.bucket, _t.key, _t.currencies, _t.clean_rows, _t.clean_amount
    says_one = _t.active, _t.clean_rows > 0, sa.func.cardinality(_t.currencies) > 0
    with engine.connect() as connection:
        found = sorted(
            connection.execute(sa.select(sa.func.unnest(_t.currencies)).where(*says_one).distinct()).scalars()
        )
        if len(found) < 2:
            return Comparison(found, [])
        sources = declarations.current(connection)
        rows = connection.execute(sa.select(*columns).where(*says_one).order_by(_t.key))
        files = [InCurrencies(row[0], row[1], frozenset(row[2]), row[3], row[4] or Decimal(0)) for row in rows]
    return Comparison(found, others(files, sources))


def others(files: Iterable[InCurrencies], sources: Sources) -> list[OtherCurrencies]:
    """The senders with another currency than that of the most rows."""
    listed = list(files)
    usual = _most_common(listed)
    by_sender: defaultdict[str, list[InCurrencies]] = defaultdict(list)
    for file in listed:
        if file.currencies != {usual}:
            by_sender[sender_of(sources, file.bucket, file.key)].append(file)
    return [OtherCurrencies(sender, usual, found) for sender, found in sorted(by_sender.items())]


def _most_common(files: Iterable[InCurrencies]) -> str:
    rows = Counter[str]()
    for file in files:
        rows.update(dict.fromkeys(file.currencies, file.rows))
    return min(rows, key=lambda currency: (-rows[currency], currency))
