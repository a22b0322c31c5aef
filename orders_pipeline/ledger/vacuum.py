"""Remove objects of the lake that the ledger no longer names: marked first, deleted when they have stayed unnamed for
longer than any run lasts and any backup is old."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.ledger.locks import Lock, hold_exclusive
from orders_pipeline.ledger.models import built_days, landed_files, unnamed_objects
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class Vacuumed:
    """How many objects are named, newly marked, still waiting, and deleted."""

    named: int
    marked: int
    waiting: int
    deleted: int


def vacuum(engine: Engine, lake: Lake, age: timedelta) -> Vacuumed:
    """Mark what no longer counts; delete what has been marked for `age`, by Postgres's clock."""
    # While the ingest's lock is held, no landed file becomes active: a name cannot come back between look and deletion.
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
        # Versions that were replaced long ago may no longer be taken up again by their path.
        connection.execute(
            sa.update(landed_files)
            .where(landed_files.c.path.in_(expired), landed_files.c.active.is_(False))
            .values(path=None)
        )
        connection.commit()
        for path in expired:
            lake.delete(path)
        connection.execute(sa.delete(unnamed_objects).where(unnamed_objects.c.path.in_(expired)))
        waiting = connection.execute(sa.select(sa.func.count()).select_from(unnamed_objects)).scalar_one()
        connection.commit()
    return Vacuumed(len(kept & named), len(fresh), waiting, len(expired))


def _named(connection: Connection) -> set[str]:
    query = sa.union(
        sa.select(landed_files.c.path).where(landed_files.c.active),
        sa.select(built_days.c.path).where(built_days.c.path.is_not(None)),
    )
    return set(connection.execute(query).scalars())
