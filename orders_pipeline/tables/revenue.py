"""Reads what the marts have of days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import built_days, daily_revenue, daily_revenue_partitioned, order_days


@dataclass(frozen=True)
class DayRevenue:
    """The revenue of a day, in the currency of the source."""

    day: date
    revenue: Decimal
    orders: int


@dataclass(frozen=True)
class Shown:
    """What the marts show of a day, in the currency of the source: `daily_revenue`, and `spend` of `customers` in
    `daily_revenue_partitioned`. None: the mart has no row of it."""

    revenue: Decimal | None
    orders: int
    spend: Decimal | None
    customers: int


def shown(connection: Connection, day: date) -> Shown:
    """What both marts show of a day."""
    spend = daily_revenue_partitioned.c
    sums = sa.select(sa.func.sum(spend.daily_spend), sa.func.count()).where(spend.order_date == day)
    spent, customers = connection.execute(sums).one()
    found = connection.execute(sa.select(daily_revenue).where(daily_revenue.c.order_date == day)).one_or_none()
    revenue, orders = (None, 0) if found is None else (found.revenue, found.order_count)
    return Shown(revenue, orders, spent, customers)


def latest(connection: Connection, count: int) -> list[DayRevenue]:
    """The last `count` days with orders, in order."""
    newest_first = connection.execute(sa.select(daily_revenue).order_by(daily_revenue.c.order_date.desc()).limit(count))
    return [DayRevenue(row.order_date, row.revenue, row.order_count) for row in newest_first][::-1]


def spent(connection: Connection) -> dict[date, Decimal]:
    """What all customers together spent on each day, by `daily_revenue_partitioned`."""
    day, spend = daily_revenue_partitioned.c.order_date, sa.func.sum(daily_revenue_partitioned.c.daily_spend)
    return {row[0]: Decimal(row[1]) for row in connection.execute(sa.select(day, spend).group_by(day))}


def of_days(connection: Connection, days: Iterable[date]) -> dict[date, Decimal]:
    """The revenue of each of these days; 0 for a day without orders. Leaves out days that have orders but no build."""
    wanted = sa.select(sa.func.unnest(sa.cast(sorted(days), sa.ARRAY(sa.Date))).label("day")).subquery()
    built = sa.and_(built_days.c.asset == daily_revenue.name, built_days.c.day == wanted.c.day)
    query = (
        sa.select(wanted.c.day, sa.func.coalesce(daily_revenue.c.revenue, 0).label("revenue"))
        .select_from(
            wanted.outerjoin(daily_revenue, daily_revenue.c.order_date == wanted.c.day)
            .outerjoin(order_days, order_days.c.day == wanted.c.day)
            .outerjoin(built_days, built)
        )
        .where(sa.or_(order_days.c.day.is_(None), built_days.c.day.is_not(None)))
    )
    return {row.day: Decimal(row.revenue) for row in connection.execute(query)}
