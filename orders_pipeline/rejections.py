"""How many rejects there are, which files have too large a share of them, and why. Read from the ledger and from
`rejected_orders`."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_REASONS_NAMED: Final = 3


@dataclass(frozen=True)
class Rejected:
    """A file and its rejects. `reasons`: the most common ones that `rejected_orders` lists by now."""

    key: str
    rows: int
    rejected: int
    reasons: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        why = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons) or "not listed yet"
        return f"{self.key}: {self.rejected:,} of {self.rows:,} ({why})"


def listed(connection: Connection) -> int:
    """The rows of `rejected_orders`, by the ledger's count of each file."""
    query = sa.text(
        """
        SELECT coalesce(sum(file.rows - file.clean_rows), 0)
        FROM ledger.built_files built
        JOIN ledger.landed_files file ON file.path = built.path AND file.bucket = built.bucket AND file.key = built.key
            AND file.active
        WHERE built.asset = 'rejected_orders'
        """
    )
    return int(connection.execute(query).scalar_one())


def above(connection: Connection, share: Decimal, least_rows: int) -> tuple[int, list[Rejected]]:
    """How many active files have enough rows to be judged, and those with a larger share of rejects, worst first."""
    judged = connection.execute(
        sa.text("SELECT count(*) FROM ledger.landed_files WHERE active AND rows >= :least_rows"),
        {"least_rows": least_rows},
    ).scalar_one()
    query = sa.text(
        """
        SELECT file.id, file.key, file.rows, file.rows - file.clean_rows AS rejected, listed.reason, count(listed.*)
        FROM ledger.landed_files file
        LEFT JOIN analytics.rejected_orders listed ON listed.bucket = file.bucket AND listed.source = file.key
        WHERE file.active AND file.rows >= :least_rows AND file.rows - file.clean_rows > :share * file.rows
        GROUP BY file.id, listed.reason
        """
    )
    reasons: dict[tuple[int, str, int, int], Counter[str]] = {}
    for id_, key, rows, rejected, reason, count in connection.execute(
        query, {"least_rows": least_rows, "share": share}
    ):
        counted = reasons.setdefault((id_, key, rows, rejected), Counter())
        if reason is not None:
            counted[reason] += count
    found = [
        Rejected(key, rows, rejected, tuple(counted.most_common(_REASONS_NAMED)))
        for (_, key, rows, rejected), counted in reasons.items()
    ]
    return judged, sorted(found, key=lambda file: (-file.rejected / file.rows, file.key))
