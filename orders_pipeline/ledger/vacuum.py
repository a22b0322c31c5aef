"""Remove objects of the lake that the ledger no longer names. An object is marked first, and deleted after it has been
unnamed for ORDERS_VACUUM_AGE: longer than any run lasts, and than you keep backups."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.ledger import overlaps
from orders_pipeline.ledger.locks import Lock, hold_exclusive
from orders_pipeline.ledger.models import built_days, landed_files, unnamed_objects
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class Vacuumed:
    """The number of objects that are named, newly marked, marked and not yet deleted, and deleted."""

    named: int
    marked: int
    waiting: int
    deleted: int


def vacuum(engine: Engine, lake: Lake, age: timedelta) -> Vacuumed:
    """Mark objects that the ledger does not name. Delete those that have been marked for `age`, by Postgres's clock."""
    # While this process holds the lock, no file becomes active, so no object is named again before it is deleted.
    with hold_exclusive(engine, Lock.INGEST) as connection:
        kept = set(lake.objects())
        named = _named(connection)
        already = set(connection.execute(sa.select(unnamed_objects.c.path)).scalars())
        fresh = sorted(kept - named - already)
        if fresh:
            connection.execute(insert(unnamed_objects).on_conflict_do_nothing(), [{"path": path} for path in fresh])
        if back := already & (named | (already - kept)):
            connection.execute(sa.delete(unnamed_objects).where(unnamed_objects.c.path.in_(back)))
        connection.commit()
        old = unnamed_objects.c.marked_at <= sa.func.now() - sa.bindparam("age", age, sa.Interval)
        expired = sorted(connection.execute(sa.select(unnamed_objects.c.path).where(old)).scalars())
        # So that no version that was replaced or retracted names a deleted object.
        connection.execute(
            sa.update(landed_files)
            .where(landed_files.c.path.in_(expired), landed_files.c.active.is_(False))
            .values(path=None)
        )
        connection.commit()
        for path in expired:
            lake.delete(path)
        connection.execute(sa.delete(unnamed_objects).where(unnamed_objects.c.path.in_(expired)))
        overlaps.forget_inactive(connection)
        waiting = connection.execute(sa.select(sa.func.count()).select_from(unnamed_objects)).scalar_one()
        connection.commit()
    return Vacuumed(len(kept & named), len(fresh), waiting, len(expired))


def _named(connection: Connection) -> set[str]:
    query = sa.union(
        sa.select(landed_files.c.path).where(landed_files.c.active),
        sa.select(built_days.c.path).where(built_days.c.path.is_not(None)),
    )
    return set(connection.execute(query).scalars())
