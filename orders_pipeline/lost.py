"""What the lake has lost: days are made stale, so that they are built anew; files are spoken of."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import MissingInputError
from orders_pipeline.lake import Lake
from orders_pipeline.ledger import active, days
from orders_pipeline.metadata import list_days
from orders_pipeline.printable import printable

_EXAMPLES: Final = 5


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


def why_held_up(connection: Connection, held_up: Iterable[date]) -> str:
    """Why days are not built that lost files have a say in, and what to do."""
    keys = [file.version.key for file in active.lost(connection)]
    return (
        f"{list_days(held_up)} cannot be built and keep their last figures: what was read of {len(keys)} landed files"
        f" is lost ({', '.join(printable(key) for key in keys[:_EXAMPLES])}). Upload them again, or say"
        " `orders-pipeline retract KEY`. If the lake has been restored, materialize raw_orders, without config."
    )
