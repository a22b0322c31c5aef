"""Overlaps: which active files hold the same order. There can be a pair too many, never one too few."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import id_hashes, landed_files, shared_orders
from orders_pipeline.ledger.records import ActiveFile, active_file
from orders_pipeline.ledger.versions import LOST
from orders_pipeline.storage.postgres import copy_frame


def partners(connection: Connection, files: Iterable[ActiveFile]) -> list[ActiveFile]:
    """The active files that overlap with any of these."""
    other = sa.collate(shared_orders.c.other, "default")  # that of the index on `landed_files.path`
    query = (
        sa.select(landed_files)
        .where(
            landed_files.c.active,
            landed_files.c.path.in_(sa.select(other).where(_of(shared_orders.c.path, files))),
        )
        .order_by(landed_files.c.key)
    )
    return [active_file(row) for row in connection.execute(query)]


def is_unrecoverable(file: Any) -> sa.ColumnElement[bool]:
    """Whether a version is an unrecoverable file. `file`: columns of `landed_files`."""
    return sa.and_(file.active, file.reason == LOST)


def dependent_days(which: Callable[[Any], sa.ColumnElement[bool]], name: str) -> sa.Subquery:
    """A query for the days that depend on some files, with the keys of those `files`. These are the days of their rows,
    and all days of files that overlap with them. `which`: the condition on columns of `landed_files`."""
    file, held = landed_files.alias("file"), landed_files.alias("held")
    dependent = sa.union(
        sa.select(file.c.key, file.c.path).where(which(file.c)),
        sa.select(file.c.key, shared_orders.c.other)
        .join(shared_orders, shared_orders.c.path == file.c.path)
        .where(which(file.c)),
    ).subquery()
    each = (
        sa.select(dependent.c.key, sa.func.unnest(held.c.days).label("day"))
        .join(held, sa.and_(held.c.path == dependent.c.path, held.c.active))
        .subquery()
    )
    keys = sa.func.array_agg(sa.distinct(each.c.key), type_=sa.ARRAY(sa.Text))
    return sa.select(each.c.day, keys.label("files")).group_by(each.c.day).subquery(name)


def unreadable_days(connection: Connection) -> set[date]:
    """The days that depend on unrecoverable files, or on files that are to be read again, stale or not."""

    def is_unreadable(file: Any) -> sa.ColumnElement[bool]:
        return sa.or_(is_unrecoverable(file), sa.and_(file.active, file.rules == 0))

    return set(connection.execute(sa.select(dependent_days(is_unreadable, "unreadable").c.day)).scalars())


def record(connection: Connection, pairs: Iterable[tuple[str, str]], hashes: Mapping[str, Collection[int]]) -> None:
    """Record overlaps, in the transaction that activates the files. Each pair comes in both directions. `hashes`: of
    all order ids of some of the files, by path; `active.overlapping` finds them by these."""
    rows = pl.DataFrame(sorted(pairs), schema={"path": pl.String, "other": pl.String}, orient="row")
    copy_frame(connection, shared_orders.schema, shared_orders.name, rows)
    arrays = [(path, f"{{{','.join(map(str, sorted(some)))}}}") for path, some in hashes.items()]
    indexed = pl.DataFrame(arrays, schema={"path": pl.String, "hashes": pl.String}, orient="row")
    copy_frame(connection, id_hashes.schema, id_hashes.name, indexed)


def forget(connection: Connection, files: Iterable[ActiveFile]) -> None:
    """Remove what is recorded about the order ids of files that are no longer active."""
    for column in (shared_orders.c.path, shared_orders.c.other, id_hashes.c.path):
        connection.execute(sa.delete(column.table).where(_of(column, files)))


def forget_inactive(connection: Connection) -> None:
    """Remove the hashes of files that an older release replaced or retracted: it does not know of them. Nothing finds
    an inactive file by these."""
    is_active = sa.exists().where(landed_files.c.active, landed_files.c.path == id_hashes.c.path)
    connection.execute(sa.delete(id_hashes).where(~is_active))


def _of(column: sa.Column[str], files: Iterable[ActiveFile]) -> sa.ColumnElement[bool]:
    return column == sa.func.any(sa.cast(sorted({file.raw.path for file in files}), sa.ARRAY(sa.Text)))
