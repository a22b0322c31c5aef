"""What is still to be done, and what the tables hold: the question behind `sync`, `status` and the sensors' ticks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.landing import notices, side_files
from orders_pipeline.landing.ingest import due
from orders_pipeline.landing.receive import table_trouble
from orders_pipeline.ledger import active, days, files
from orders_pipeline.ledger.days import Blocked, Calendar, DueDays
from orders_pipeline.ledger.tables import daily_revenue, daily_revenue_partitioned, rejected_orders
from orders_pipeline.resources import S3Resource
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.settings import Settings


@dataclass(frozen=True)
class Outstanding:
    """What a sync has to do. Days are given per table."""

    pending: list[str]
    table_error: str | None  # why the source table was not taken when it was last asked
    outdated: int  # files judged by older rules
    vanished: list[str]  # failing files that S3 does not hold any more
    days: Mapping[str, DueDays]
    side_files: int  # keys that lie in the landing zone and are left out
    reported_side_files: list[str]  # left out, and yet the ledger still reports them
    notices: list[str]  # what is no work, and yet to be known
    stale_files: int  # files whose rejects are not listed as they should be

    @property
    def unpartitioned(self) -> bool:
        """Whether the unpartitioned chain has anything to do."""
        stale = self.days["cleaned_orders"].due or self.days["daily_revenue"].due
        gone = self.vanished or self.reported_side_files
        return bool(self.pending or self.outdated or gone or stale or self.stale_files)

    @property
    def partitioned(self) -> set[date]:
        """The days that the partitioned chain has to build."""
        return {*self.days["daily_orders"].due, *self.days["daily_revenue_partitioned"].due} - self.apart.keys()

    @property
    def apart(self) -> Mapping[date, Blocked]:
        """The days that no run of the partitioned chain can build."""
        return self.days["daily_orders"].blocked

    @property
    def stale(self) -> dict[str, list[date]]:
        """The stale days of each table."""
        return {table: found.stale for table, found in self.days.items()}

    @property
    def unrecoverable(self) -> dict[date, Blocked]:
        """The days, in any table, that stay stale until files are uploaded again or retracted."""
        return {day: blocked for found in self.days.values() for day, blocked in found.unrecoverable.items()}

    def __bool__(self) -> bool:
        return self.unpartitioned or self.table_error is not None or any(self.stale.values())


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
    """Compare what is with what should be. The source table is not asked: that takes a scan.

    Raises:
        ServiceUnavailableError: S3 did not answer.
    """
    pending: list[str] = []
    listed: set[str] = set()
    aside: set[str] = set()
    for page in s3.list_pages():
        fresh, again = due(connection, page)
        pending += [version.key for version in [*fresh, *again]]
        listed.update(version.key for version in page)
        aside.update(version.key for version in page if version.is_side_file)
    calendar = Calendar.of(settings)
    read, gone = active.stale_files(connection, "rejected_orders")
    return Outstanding(
        pending=pending,
        table_error=table_trouble(connection),
        vanished=files.vanished(connection, s3.bucket, listed),
        side_files=len(aside - {*side_files.that_count(connection, s3)}),
        reported_side_files=[version.key for version in side_files.reported(connection, s3)],
        notices=notices.of_landing_zone(connection, s3, settings, is_settled=not pending),
        outdated=len(active.outdated(connection, settings.timezone)),
        days={asset: days.due_days(connection, asset, calendar) for asset in UPSTREAM},
        stale_files=len(read) + len(gone),
    )


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
