"""Which of the active files hold an order in common. There may be a pair too many, never one too few."""

from collections.abc import Iterable
from datetime import date

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import active
from orders_pipeline.ledger.landed import ActiveFile, active_file
from orders_pipeline.ledger.tables import landed_files, shared_orders
from orders_pipeline.postgres import copy_frame


def partners(connection: Connection, files: Iterable[ActiveFile]) -> list[ActiveFile]:
    """The active files that hold an order of one of these."""
    query = (
        sa.select(landed_files)
        .where(
            landed_files.c.active,
            landed_files.c.path.in_(sa.select(shared_orders.c.other).where(_of(shared_orders.c.path, files))),
        )
        .order_by(landed_files.c.key)
    )
    return [active_file(row) for row in connection.execute(query)]


def held_up(connection: Connection) -> set[date]:
    """The days that nobody can build: a file that is lost has rows of them, or an order in common with one that has."""
    lost = active.lost(connection)
    return {day for file in [*lost, *partners(connection, lost)] for day in file.raw.days} if lost else set()


def record(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """Tell of files that share an order, in the transaction that makes them count; each pair in both orders."""
    rows = pl.DataFrame(sorted(pairs), schema={"path": pl.String, "other": pl.String}, orient="row")
    copy_frame(connection, shared_orders.schema, shared_orders.name, rows)


def forget(connection: Connection, files: Iterable[ActiveFile]) -> None:
    """Tell no more of files that count no more."""
    for column in (shared_orders.c.path, shared_orders.c.other):
        connection.execute(sa.delete(shared_orders).where(_of(column, files)))


def _of(column: sa.Column[str], files: Iterable[ActiveFile]) -> sa.ColumnElement[bool]:
    return column == sa.func.any(sa.cast(sorted({file.raw.path for file in files}), sa.ARRAY(sa.Text)))
