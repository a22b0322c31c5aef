"""How many rejects there are, which files have too many, and why. Reads the ledger and `rejected_orders`."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.schema import UNREADABLE_FILE_ROWS

_REASONS_NAMED: Final = 3


@dataclass(frozen=True)
class Rejected:
    """A file and its rejects. `reasons`: the most common ones in `rejected_orders` so far."""

    key: str
    rows: int
    rejected: int
    reasons: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        why = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons) or "not listed yet"
        return f"{self.key}: {self.rejected:,} of {self.rows:,} ({why})"


def listed(connection: Connection) -> int:
    """The number of rows in `rejected_orders`, according to the ledger."""
    query = sa.text(
        """
        SELECT coalesce(sum(file.rows - file.clean_rows - coalesce(file.void_rows, 0)), 0)
        FROM ledger.built_files built
        JOIN ledger.landed_files file ON file.path = built.path AND file.bucket = built.bucket AND file.key = built.key
            AND file.active
        WHERE built.asset = 'rejected_orders'
        """
    )
    return int(connection.execute(query).scalar_one())


def above(connection: Connection, share: Decimal) -> tuple[int, list[Rejected]]:
    """The number of active files with rows, and the files with too many rejects, worst first. Those are files without
    any clean row, and files with a larger share of rejects than `share`. A small file may have half of its rows
    rejected even if `share` is less, since a few rows prove little."""
    compared = connection.execute(sa.text("SELECT count(*) FROM ledger.landed_files WHERE active AND rows > 0"))
    query = sa.text(
        """
        WITH files AS (
            SELECT id, bucket, key, rows, clean_rows + coalesce(void_rows, 0) AS versions,
                rows - clean_rows - coalesce(void_rows, 0) AS rejected
            FROM ledger.landed_files WHERE active
        )
        SELECT file.id, file.key, file.rows, file.rejected, listed.reason, count(listed.*)
        FROM files file
        LEFT JOIN analytics.rejected_orders listed ON listed.bucket = file.bucket AND listed.source = file.key
        WHERE file.rejected > 0 AND (file.versions = 0 OR file.rejected
            > file.rows * CASE WHEN file.rows < :few THEN greatest(:share, 0.5) ELSE :share END)
        GROUP BY file.id, file.key, file.rows, file.rejected, listed.reason
        """
    )
    reasons: dict[tuple[int, str, int, int], Counter[str]] = {}
    for id_, key, rows, rejected, reason, count in connection.execute(
        query, {"few": UNREADABLE_FILE_ROWS, "share": share}
    ):
        counted = reasons.setdefault((id_, key, rows, rejected), Counter())
        if reason is not None:
            counted[reason] += count
    found = [
        Rejected(key, rows, rejected, tuple(sorted(counted.items(), key=_most_common)[:_REASONS_NAMED]))
        for (_, key, rows, rejected), counted in reasons.items()
    ]
    worst = sorted(found, key=lambda file: (-file.rejected / file.rows, -file.rejected, file.key))
    return int(compared.scalar_one()), worst


def _most_common(counted: tuple[str, int]) -> tuple[int, str]:
    reason, count = counted
    return -count, reason
