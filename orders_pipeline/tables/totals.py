"""Totals of all tables, for users."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import builds, reports, staleness, superseded
from orders_pipeline.ledger.models import daily_revenue, daily_revenue_partitioned, rejected_orders
from orders_pipeline.ledger.records import Amounts
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.settings import Settings


@dataclass(frozen=True)
class Totals:
    """Totals of all tables. Amounts are in the shop's currency."""

    files: Mapping[str, int]  # by status
    rows: int
    clean_orders: int
    rejected_rows: Mapping[str, int]  # by reason
    superseded_rows: int
    void_rows: int
    merged_rows: int
    blank_rows: int
    amounts: Amounts  # of all rows that were read, by outcome
    superseded_amount: Decimal  # of built days
    out_of_range_days: list[date]
    days: int
    revenue: Decimal
    customer_days: int
    spend: Decimal


def totals(connection: Connection, settings: Settings) -> Totals:
    """The totals at this moment."""
    calendar = Calendar.of(settings)
    counts = reports.counts(connection)
    revenue = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(daily_revenue.c.revenue), 0))
    spend = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(daily_revenue_partitioned.c.daily_spend), 0))
    revenue_days, revenue_sum = connection.execute(revenue).one()
    customer_days, spend_sum = connection.execute(spend).one()
    clean = builds.total_rows(connection, "cleaned_orders")
    return Totals(
        files=counts.by_status,
        rows=counts.rows,
        clean_orders=clean,
        rejected_rows=rejects_by_reason(connection),
        superseded_rows=counts.clean_rows - clean,
        void_rows=counts.void_rows,
        merged_rows=counts.merged_rows,
        blank_rows=counts.blank_rows,
        amounts=counts.amounts,
        superseded_amount=superseded.total_amount(connection),
        out_of_range_days=staleness.out_of_range(connection, calendar),
        days=revenue_days,
        revenue=Decimal(revenue_sum),
        customer_days=customer_days,
        spend=Decimal(spend_sum),
    )


def rejects_by_reason(connection: Connection) -> dict[str, int]:
    """How many rows are in `rejected_orders` for which reason, the most first."""
    rejects = sa.cast(sa.func.sum(rejected_orders.c.rows), sa.BigInteger)
    query = sa.select(rejected_orders.c.reason, rejects).group_by(rejected_orders.c.reason)
    return dict(connection.execute(query.order_by(rejects.desc(), rejected_orders.c.reason)).all())
