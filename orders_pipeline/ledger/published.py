"""What `daily_revenue` has shown for each day: every figure, when it appeared, and why its day was built."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import published


@dataclass(frozen=True)
class Figure:
    """What a day shows: its revenue in the currency of the source, and its number of orders."""

    revenue: Decimal
    orders: int


NO_ORDERS: Final = Figure(Decimal("0.00"), 0)


@dataclass(frozen=True)
class Change:
    """A figure that took the place of another. `cause`: why its day was built."""

    day: date
    before: Figure
    after: Figure
    cause: str


@dataclass(frozen=True)
class Shown:
    """A revenue that a day showed, since when, and why the day was built. `asked_for`: a person asked for what changed
    since the figure before."""

    revenue: Decimal
    at: datetime
    cause: str
    asked_for: bool


def publish(
    connection: Connection,
    figures: Mapping[date, Figure],
    causes: Mapping[date, str],
    asked: Collection[date],
    run_id: str,
) -> list[Change]:
    """Record the figures that differ from the last ones of their days, in the transaction that shows them. Returns the
    changes, in order of day. The caller holds the locks of these days (`commit_build`). `asked`: the days whose change
    a person asked for."""
    last = last_figures(connection, figures)
    changes = [
        Change(day, before, after, str(causes[day]))
        for day, after in sorted(figures.items())
        if after != (before := last.get(day, NO_ORDERS))
    ]
    if changes:
        built_at = sa.func.clock_timestamp()  # as in `built_days`: the transaction may have waited for the locks
        connection.execute(
            sa.insert(published).values(built_at=built_at),
            [
                {
                    "day": change.day,
                    "revenue": change.after.revenue,
                    "orders": change.after.orders,
                    "cause": change.cause,
                    "asked_for": change.day in asked,
                    "run_id": run_id,
                }
                for change in changes
            ],
        )
    return changes


def last_figures(connection: Connection, days: Iterable[date]) -> dict[date, Figure]:
    """The figure that each of these days shows. Days that never had orders are left out."""
    query = (
        sa.select(published.c.day, published.c.revenue, published.c.orders)
        .ext(distinct_on(published.c.day))
        .where(published.c.day.in_(list(days)))
        .order_by(published.c.day, published.c.id.desc())
    )
    return {row.day: Figure(row.revenue, row.orders) for row in connection.execute(query)}


def fallen(connection: Connection, days: Iterable[date]) -> set[date]:
    """Those of these days that show less than half of the highest revenue that they have shown."""
    t = published.c
    last = sa.type_coerce(sa.func.array_agg(aggregate_order_by(t.revenue, t.id.desc())), sa.ARRAY(t.revenue.type))[1]
    is_wanted = t.day == sa.any_(sa.literal(sorted(days), sa.ARRAY(sa.Date)))
    query = sa.select(t.day).where(is_wanted).group_by(t.day).having(last * 2 < sa.func.max(t.revenue))
    return set(connection.execute(query).scalars())


def histories(connection: Connection, days: Iterable[date]) -> dict[date, list[Shown]]:
    """Every revenue that each of these days has shown, oldest first. Days that never had orders are left out."""
    t = published.c
    query = (
        sa.select(t.day, t.revenue, t.built_at, t.cause, t.asked_for)
        .where(t.day == sa.any_(sa.literal(sorted(days), sa.ARRAY(sa.Date))))
        .order_by(t.day, t.id)
    )
    found: dict[date, list[Shown]] = {}
    for row in connection.execute(query):
        shown = Shown(row.revenue, row.built_at.astimezone(UTC), row.cause, row.asked_for)
        found.setdefault(row.day, []).append(shown)
    return found
