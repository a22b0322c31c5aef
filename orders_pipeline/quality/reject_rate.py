"""How many rejects there are, which files have too many, and why. Reads the ledger and `rejected_orders`."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.findings import Finding, of_file
from orders_pipeline.ledger.models import built_files, landed_files, rejected_orders
from orders_pipeline.ledger.records import pairs, rejects_in, versions_in
from orders_pipeline.schema import UNREADABLE_FILE_ROWS

_REASONS_NAMED: Final = 3
_HALF: Final = Decimal("0.5")


@dataclass(frozen=True)
class Rejected:
    """A file and its rejects. `reasons`: the most common ones in `rejected_orders` so far."""

    key: str
    rows: int
    rejected: int
    reasons: tuple[tuple[str, int], ...]
    bucket: str
    etag: str
    amount: Decimal | None  # of the rejects that have a readable one

    def finding(self) -> Finding:
        """These bytes have this many rejects."""
        fingerprint = f"{self.etag} {self.rejected} of {self.rows}"
        return Finding(of_file(self.bucket, self.key), fingerprint, str(self), self.amount)

    def __str__(self) -> str:
        why = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons) or "not listed yet"
        return f"{self.key}: {self.rejected:,} of {self.rows:,} ({why})"


def listed(connection: Connection) -> int:
    """The number of rejects in `rejected_orders`, according to the ledger."""
    built, file = built_files.c, landed_files.c
    read = sa.and_(file.path == built.path, file.bucket == built.bucket, file.key == built.key, file.active)
    joined = built_files.join(landed_files, read)
    total = sa.func.coalesce(sa.func.sum(rejects_in(file)), 0)
    query = sa.select(total).select_from(joined).where(built.asset == "rejected_orders")
    return int(connection.execute(query).scalar_one())


def newest(connection: Connection, count: int) -> list[dict[str, Any]]:
    """A few listed rejects, by file, row number and reason: the first ones of the files that landed last."""
    file, reject = landed_files.c, rejected_orders.c
    with_rejects = sa.select(file.id, file.bucket, file.key).where(file.active, rejects_in(file) > 0)
    last = with_rejects.order_by(file.id.desc()).limit(count).subquery()
    query = (
        sa.select(reject.source.label("file"), reject.row_number.label("row"), reject.reason)
        .join(last, sa.and_(reject.bucket == last.c.bucket, reject.source == last.c.key))
        .order_by(last.c.id.desc(), reject.row_number)
        .limit(count)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def above(connection: Connection, share: Decimal) -> tuple[int, list[Rejected]]:
    """The number of active files with rows, and the files with too many rejects, worst first. Those are files of which
    no row is a version of an order, and files with a larger share of rejects than their source declares, or `share`. A
    small file may have half of its rows rejected even if the share is less, since a few rows prove little."""
    file = landed_files.c
    compared = connection.execute(sa.select(sa.func.count()).where(file.active, file.rows > 0))
    rejects, versions = rejects_in(file).label("rejected"), versions_in(file).label("versions")
    columns = file.bucket, file.key, file.rows, rejects, file.etag, file.rejected_amount, versions
    query = sa.select(*columns).where(file.active, rejects > 0)
    sources = declarations.current(connection)

    def is_above(bucket: str, key: str, rows: int, rejected: int) -> bool:
        declared = sources.of(bucket, key).max_reject_share
        limit = share if declared is None else declared
        return rejected > rows * (max(limit, _HALF) if rows < UNREADABLE_FILE_ROWS else limit)

    found = [row for row in connection.execute(query) if row.versions == 0 or is_above(*row[:4])]
    reasons = _reasons(connection, [(row.bucket, row.key) for row in found])
    rejected = [
        Rejected(
            row.key,
            row.rows,
            row.rejected,
            tuple(reasons.get((row.bucket, row.key), ())),
            row.bucket,
            row.etag,
            row.rejected_amount,
        )
        for row in found
    ]
    worst = sorted(rejected, key=lambda file: (-file.rejected / file.rows, -file.rejected, file.key))
    return int(compared.scalar_one()), worst


def _reasons(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """The most common reasons of the rejects of some files, as far as they are listed."""
    if not keys:
        return {}
    listed = rejected_orders.c
    query = (
        sa.select(
            listed.bucket, listed.source, listed.reason, sa.cast(sa.func.sum(listed.rows), sa.BigInteger).label("rows")
        )
        .where(sa.tuple_(listed.bucket, listed.source).in_(pairs(keys)))
        .group_by(listed.bucket, listed.source, listed.reason)
        .order_by(sa.desc("rows"), listed.reason)
    )
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for row in connection.execute(query):
        reasons = found.setdefault((row.bucket, row.source), [])
        if len(reasons) < _REASONS_NAMED:
            reasons.append((row.reason, row.rows))
    return found
