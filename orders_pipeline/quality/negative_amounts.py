"""Which senders write negative amounts? Returns are written so, and mistakes look the same."""

from collections import defaultdict
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
from orders_pipeline.text import counted

_t = landed_files.c


@dataclass(frozen=True)
class WithAmounts:
    """An active file with negative amounts: its clean rows, and those of them with one."""

    bucket: str
    key: str
    rows: int
    negative: int
    amount: Decimal  # of the negative ones


@dataclass(frozen=True)
class NegativeAmounts:
    """A sender's files with negative amounts, of which there is at least one."""

    sender: str
    files: list[WithAmounts]

    @property
    def rows(self) -> int:
        """The rows of these files."""
        return sum(file.rows for file in self.files)

    @property
    def negative(self) -> int:
        """The rows with a negative amount."""
        return sum(file.negative for file in self.files)

    def finding(self) -> Finding:
        """The sender writes negative amounts. A person accepts that once: a new return changes nothing about it, unless
        most rows become negative."""
        total = sum((file.amount for file in self.files), Decimal(0))
        message = (
            f"{self.sender} has a negative amount in {self.negative:,} of {counted(self.rows, 'row')}, {total:,} in"
            f" total, {where([file.key for file in self.files])}"
        )
        return Finding(self.sender, "most rows" if self.negative * 2 > self.rows else "some rows", message, total)


@dataclass(frozen=True)
class Comparison:
    """The number of rows that were compared, and the senders with negative amounts."""

    rows: int
    negative: list[NegativeAmounts]


def find(engine: Engine) -> Comparison:
    """Look at every active file, by what was counted when it landed."""
    columns = _t.bucket, _t.key, _t.clean_rows, _t.negative_rows, _t.negative_amount
    with engine.connect() as connection:
        sources = declarations.current(connection)
        rows = connection.execute(sa.select(sa.func.coalesce(sa.func.sum(_t.clean_rows), 0)).where(_t.active))
        negative = connection.execute(sa.select(*columns).where(_t.active, _t.negative_rows > 0).order_by(_t.key))
        return Comparison(int(rows.scalar_one()), by_sender([WithAmounts(*row) for row in negative], sources))


def by_sender(files: Iterable[WithAmounts], sources: Sources) -> list[NegativeAmounts]:
    """The senders with negative amounts."""
    found: defaultdict[str, list[WithAmounts]] = defaultdict(list)
    for file in files:
        found[sender_of(sources, file.bucket, file.key)].append(file)
    return [NegativeAmounts(sender, files) for sender, files in sorted(found.items())]
