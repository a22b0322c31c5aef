"""Days whose object the lake has lost are made stale, so that they are built anew."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy.engine import Engine

from orders_pipeline.errors import MissingInputError
from orders_pipeline.lake import Lake
from orders_pipeline.ledger import days
from orders_pipeline.metadata import list_days


def require_objects(engine: Engine, lake: Lake, table: str, paths: Mapping[date, str]) -> None:
    """See that the objects of these days are there.

    Raises:
        MissingInputError: some are gone. Their days are stale from now on, and the next run builds them.
    """
    lost = set(lake.missing(list(paths.values())))
    if not lost:
        return
    with engine.begin() as transaction:
        days.forget(transaction, table, lost)
    gone = list_days(day for day, path in paths.items() if path in lost)
    raise MissingInputError(
        f"The lake has lost objects of {table} ({gone}). These days are stale now: the next run builds them."
    )
