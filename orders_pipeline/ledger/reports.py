"""Reports on landed files: their number by status, their rows, and those that are not loaded."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import Amounts, latest_of_keys, version_of
from orders_pipeline.ledger.versions import ARCHIVED, RELOCATED, FileVersion, Status

_t: Final = landed_files.c


@dataclass(frozen=True)
class UnloadedFile:
    """A version that is not loaded, and why. `attempts`: how often it was tried; outages do not count. `still_counts`:
    whether the last readable version of its key is active. `amount`: what that is worth, None if unknown."""

    version: FileVersion
    status: Status
    reason: str
    message: str
    attempts: int
    still_counts: bool
    amount: Decimal | None


def unloaded(connection: Connection, *, ignored: bool = False) -> tuple[int, list[UnloadedFile]]:
    """The number of keys, and the latest versions that are quarantined, failing, or empty while an earlier version is
    active. `ignored`: also all other ignored versions."""
    latest = latest_of_keys(landed_files, without=RELOCATED)
    total = connection.execute(sa.select(sa.func.count()).select_from(latest)).scalar_one()
    of_key = _t.bucket == latest.c.bucket, _t.key == latest.c.key, _t.active
    still_counts = sa.exists().where(*of_key)
    amount = sa.select(_t.clean_amount).where(*of_key).scalar_subquery()
    bad = latest.c.status.in_([Status.QUARANTINED, Status.FAILING])
    replaces_nothing = sa.and_(still_counts, latest.c.reason.is_distinct_from(ARCHIVED))
    empty = sa.and_(latest.c.status == Status.IGNORED, sa.or_(replaces_nothing, sa.literal(ignored)))
    query = sa.select(latest, still_counts.label("still_counts"), amount.label("amount")).where(sa.or_(bad, empty))
    return total, [
        UnloadedFile(
            version_of(r),
            Status(r.status),
            r.reason or "",
            r.message or r.reason or "",
            r.attempts,
            r.still_counts,
            r.amount,
        )
        for r in connection.execute(query.order_by(latest.c.key))
    ]


def active_rows(connection: Connection) -> int:
    """The rows of all active versions."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(_t.rows), 0)).where(_t.active)).scalar_one())


@dataclass(frozen=True)
class Counts:
    """Keys by the status of their latest version, and the rows of the active versions and their amounts, by outcome."""

    by_status: dict[str, int]
    rows: int
    clean_rows: int
    void_rows: int
    merged_rows: int
    blank_rows: int
    amounts: Amounts


def counts(connection: Connection) -> Counts:
    """The number of files of each status, and of the rows that count."""
    latest = latest_of_keys(_t.status, without=RELOCATED)
    by_status: dict[str, int] = dict(
        connection.execute(sa.select(latest.c.status, sa.func.count()).group_by(latest.c.status)).all()
    )
    outcomes = (_t.clean_rows, _t.void_rows, _t.merged_rows, _t.blank_rows)
    summed = (_t.rows, *outcomes, _t.clean_amount, _t.void_amount, _t.rejected_amount)
    sums = sa.select(*(sa.func.coalesce(sa.func.sum(column), 0) for column in summed)).where(_t.active)
    rows, clean_rows, void_rows, merged_rows, blank_rows, *amounts = connection.execute(sums).one()
    return Counts(
        {status.value: by_status.get(status.value, 0) for status in Status},
        int(rows),
        int(clean_rows),
        int(void_rows),
        int(merged_rows),
        int(blank_rows),
        Amounts(*map(Decimal, amounts)),
    )
