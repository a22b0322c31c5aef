"""Reads some rows of `rejected_orders`, never the whole table into memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.engine import Connection, Row

from orders_pipeline.ledger.models import rejected_orders
from orders_pipeline.ledger.records import pairs

_t: Final = rejected_orders.c


@dataclass(frozen=True)
class Rejects:
    """The rejects of a file for one reason: how many, and the row number and text of the first of them. `names_day`:
    whether their texts name the day that was asked for."""

    bucket: str
    key: str
    reason: str
    rows: int
    row_number: int
    text: str
    names_day: bool = False


@dataclass(frozen=True)
class Reject:
    """A listed reject."""

    bucket: str
    key: str
    row_number: int
    reason: str
    text: str


def of_file(connection: Connection, bucket: str, key: str) -> list[Rejects]:
    """The rejects of a file by reason, the most frequent first."""
    found = connection.execute(_by_reason().where(_t.bucket == bucket, _t.source == key))
    return sorted(map(_rejects, found), key=lambda one: (-one.rows, one.reason))


def about_day(connection: Connection, day: date, files: Iterable[tuple[str, str]]) -> list[Rejects]:
    """The rejects of some (bucket, key), and those of any other file whose text names the day as 2026-03-05."""
    names_day = _t.raw.contains(day.isoformat(), autoescape=True)
    is_of_file = sa.tuple_(_t.bucket, _t.source).in_(pairs(files))
    found = connection.execute(_by_reason(names_day).where(sa.or_(names_day, is_of_file)))
    return sorted(map(_rejects, found), key=lambda one: (one.key, -one.rows, one.reason))


def with_text(connection: Connection, texts: Iterable[str]) -> list[Reject]:
    """The listed rejects that have one of these texts anywhere in their row, in order of file and row."""
    holds = sa.or_(*(_t.raw.contains(text, autoescape=True) for text in texts))
    query = sa.select(_t.bucket, _t.source, _t.row_number, _t.reason, _t.raw).where(holds, _t.rows == 1)
    return [Reject(*row) for row in connection.execute(query.order_by(_t.bucket, _t.source, _t.row_number))]


def _by_reason(*names_day: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The first reject of each file and reason, and the number of all."""
    kinds = _t.bucket, _t.source, _t.reason, *names_day
    every = sa.cast(sa.func.sum(_t.rows).over(partition_by=kinds), sa.BigInteger)
    return (
        sa.select(
            *kinds[:3], every.label("every"), _t.row_number, _t.raw, *(named.label("names_day") for named in names_day)
        )
        .ext(distinct_on(*kinds))
        .order_by(*kinds, _t.row_number)
    )


def _rejects(row: Row[Any]) -> Rejects:
    return Rejects(*tuple(row))
