"""Which days have had orders?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import builds, staleness
from orders_pipeline.ledger.staleness import Calendar


@dataclass(frozen=True)
class Deliveries:
    """The orders of some days. `missing`: finished days that never had any. `awaited`: today, if it has none yet.
    `emptied`: built days that have none any more."""

    days: Sequence[date]
    missing: Sequence[date]
    awaited: Sequence[date]
    emptied: Sequence[date]
    orders: int


def find(engine: Engine, requested: Sequence[date], calendar: Calendar) -> Deliveries:
    """The orders of the requested days of daily_orders, or of all built days if none is requested."""
    with engine.connect() as connection:
        compared = requested or builds.all_days(connection, "daily_orders", calendar)
        delivered = staleness.delivered_days(connection, compared)
        rows = builds.row_counts(connection, "daily_orders", compared)
    without = sorted(set(compared) - delivered)
    return Deliveries(
        days=compared,
        missing=[day for day in without if day < calendar.today],
        awaited=[day for day in without if day >= calendar.today],
        emptied=[day for day in compared if rows.get(day) == 0],
        orders=sum(rows.values()),
    )
