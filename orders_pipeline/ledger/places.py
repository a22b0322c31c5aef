"""In which places the files are that the ledger knows."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.versions import RELOCATED, TABLE
from orders_pipeline.s3_settings import Place

_t: Final = landed_files.c


@dataclass(frozen=True)
class Held:
    """The active files of a bucket in a folder of its top level, or in none. `folder`: the innermost that has them all.
    `orders`: their clean rows. `amount`: what those are worth, None if unknown."""

    top: Place
    folder: Place
    files: int
    orders: int
    amount: Decimal | None


def within(file: Any, place: Place) -> sa.ColumnElement[bool]:
    """`Place.holds` in a query. `file`: columns of `landed_files`."""
    has_name = file.key.startswith(place.prefix, autoescape=True) if place.is_folder else file.key == place.prefix
    return sa.and_(file.bucket == place.bucket, has_name)


def outside(connection: Connection, zone: Place) -> list[Held]:
    """The active files outside the landing zone, by place. Days of the source table are in no place."""
    return _held(connection, _t.active, ~within(_t, zone))


def known(connection: Connection) -> list[Place]:
    """The places of all files that the ledger knows, but for names that were relocated."""
    return [held.folder for held in _held(connection, _t.reason.is_distinct_from(RELOCATED))]


def _held(connection: Connection, *which: sa.ColumnElement[bool]) -> list[Held]:
    top = sa.func.left(_t.key, sa.func.strpos(_t.key, "/")).label("top")
    is_known = sa.func.bool_and(_t.clean_amount.is_not(None))
    query = (
        sa.select(
            _t.bucket,
            top,
            sa.func.min(_t.key).label("first"),
            sa.func.max(_t.key).label("last"),
            sa.func.count().label("files"),
            sa.func.coalesce(sa.func.sum(_t.clean_rows), 0).label("orders"),
            sa.case((is_known, sa.func.sum(_t.clean_amount))).label("amount"),
        )
        .where(_t.bucket != TABLE, *which)
        .group_by(_t.bucket, top)
        .order_by(_t.bucket, top)
    )
    return [
        Held(
            Place(row.bucket, row.top),
            Place(row.bucket, _common_folder(row.first, row.last)),
            row.files,
            int(row.orders),
            row.amount,
        )
        for row in connection.execute(query)
    ]


def _common_folder(first: str, last: str) -> str:
    """The innermost folder of keys, the first and last of which are these; empty for the whole bucket."""
    folders = zip(first.split("/")[:-1], last.split("/")[:-1], strict=False)
    return "".join(f"{name}/" for name, _ in takewhile(lambda pair: pair[0] == pair[1], folders))
