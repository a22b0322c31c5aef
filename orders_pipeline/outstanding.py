"""What is still to be done, and what the tables hold: the question behind `sync`, `status` and the sensors' ticks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.landing.ingest import due
from orders_pipeline.landing.receive import table_is_pending
from orders_pipeline.landing.versions import Status
from orders_pipeline.ledger import active, days, files, shared
from orders_pipeline.ledger.days import Calendar
from orders_pipeline.ledger.files import SetAside
from orders_pipeline.ledger.tables import daily_revenue, daily_revenue_partitioned, rejected_orders
from orders_pipeline.lost import why_held_up
from orders_pipeline.resources import S3Resource
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.settings import Settings


@dataclass(frozen=True)
class Outstanding:
    """What a sync has to do. Days are given per table."""

    pending: list[str]
    table: bool  # the source table differs from what was taken of it, or cannot be asked
    table_error: str | None
    outdated: int  # files judged by older rules
    vanished: list[str]  # failing files that S3 does not hold any more
    stale: Mapping[str, list[date]]
    stale_files: int  # files whose rejects are not listed as they should be
    held_up: set[date]  # days that cannot be built where they are stale, for a file is lost
    why_held_up: str | None

    @property
    def unpartitioned(self) -> bool:
        """Whether the unpartitioned chain has anything to do."""
        stale = {*self.stale["cleaned_orders"]} - self.held_up or self.stale["daily_revenue"]
        return bool(self.pending or self.table or self.outdated or self.vanished or stale or self.stale_files)

    @property
    def partitioned(self) -> set[date]:
        """The days that the partitioned chain has to build."""
        return {*self.stale["daily_orders"], *self.stale["daily_revenue_partitioned"]} - self.apart

    @property
    def apart(self) -> set[date]:
        """The days that no run of the partitioned chain can build."""
        return self.held_up & {*self.stale["daily_orders"]}

    def __bool__(self) -> bool:
        return self.unpartitioned or any(self.stale.values())


@dataclass(frozen=True)
class Totals:
    """What the tables hold. Money is in the shop's currency."""

    files: Mapping[str, int]  # by status
    rows: int
    clean_orders: int
    rejected_rows: Mapping[str, int]  # by reason
    superseded_rows: int
    out_of_range_days: list[date]
    days: int
    revenue: Decimal
    customer_days: int
    spend: Decimal


def outstanding(connection: Connection, s3: S3Resource, settings: Settings) -> Outstanding:
    """Compare what is with what should be.

    Raises:
        ServiceUnavailableError: S3 did not answer.
    """
    pending: list[str] = []
    listed: set[str] = set()
    for page in s3.list_pages():
        fresh, again = due(connection, page)
        pending += [version.key for version in [*fresh, *again]]
        listed.update(version.key for version in page)
    table, table_error = True, None
    try:
        table = table_is_pending(connection, settings)
    except ServiceUnavailableError as error:
        table_error = str(error)
    calendar = Calendar.of(settings)
    read, gone = active.stale_files(connection, "rejected_orders")
    stale = {asset: list(days.stale_days(connection, asset, calendar)) for asset in UPSTREAM}
    held_up = shared.held_up(connection)
    left = held_up & {*stale["cleaned_orders"], *stale["daily_orders"]}
    return Outstanding(
        pending=pending,
        table=table,
        table_error=table_error,
        vanished=files.vanished(connection, s3.bucket, listed),
        outdated=len(active.outdated(connection, settings.timezone)),
        stale=stale,
        stale_files=len(read) + len(gone),
        held_up=held_up,
        why_held_up=why_held_up(connection, left) if left else None,
    )


def failing(connection: Connection) -> list[SetAside]:
    """Files that failed and are to be tried again."""
    return [file for file in files.set_aside(connection)[1] if file.status is Status.FAILING]


def totals(connection: Connection, settings: Settings) -> Totals:
    """What the tables hold now."""
    calendar = Calendar.of(settings)
    counts = files.counts(connection)
    reasons = sa.select(rejected_orders.c.reason, sa.func.count()).group_by(rejected_orders.c.reason)
    revenue = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(daily_revenue.c.revenue), 0))
    spend = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(daily_revenue_partitioned.c.daily_spend), 0))
    revenue_days, revenue_sum = connection.execute(revenue).one()
    customer_days, spend_sum = connection.execute(spend).one()
    clean = days.total_rows(connection, "cleaned_orders")
    return Totals(
        files=counts.by_status,
        rows=counts.rows,
        clean_orders=clean,
        rejected_rows=dict(connection.execute(reasons.order_by(sa.func.count().desc())).all()),
        superseded_rows=counts.clean_rows - clean,
        out_of_range_days=days.outside(connection, calendar),
        days=revenue_days,
        revenue=Decimal(revenue_sum),
        customer_days=customer_days,
        spend=Decimal(spend_sum),
    )
