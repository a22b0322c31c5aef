"""Which files have ids that look damaged, by a spreadsheet for example?"""

from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from orders_pipeline.ledger.findings import Finding, of_file
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.text import counted, printable

_t = landed_files.c


@dataclass(frozen=True)
class DamagedIds:
    """An active file with clean rows whose ids look damaged: how many, what they are worth, and some of the ids."""

    bucket: str
    key: str
    etag: str
    rows: int
    amount: Decimal
    examples: tuple[str, ...]

    def finding(self) -> Finding:
        """These bytes have this many."""
        ids = ", ".join(f"'{printable(one)}'" for one in self.examples)
        message = f"{printable(self.key)}: {counted(self.rows, 'row')}, for example {ids}"
        return Finding(of_file(self.bucket, self.key), f"{self.etag} {self.rows}", message, self.amount)


@dataclass(frozen=True)
class Comparison:
    """The number of active files with clean rows, and those with ids that look damaged."""

    files: int
    damaged: list[DamagedIds]


def find(engine: Engine) -> Comparison:
    """Look at every active file. `landing.suspects` has the rule, applied when a file lands."""
    columns = _t.bucket, _t.key, _t.etag, _t.damaged_rows, _t.damaged_amount, _t.damaged_examples
    active = _t.active, _t.clean_rows > 0
    with engine.connect() as connection:
        files = connection.execute(sa.select(sa.func.count()).where(*active)).scalar_one()
        damaged = connection.execute(sa.select(*columns).where(*active, _t.damaged_rows > 0).order_by(_t.key))
        return Comparison(int(files), [DamagedIds(*row[:5], tuple(row.damaged_examples)) for row in damaged])
