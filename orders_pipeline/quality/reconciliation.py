"""Do both chains agree? Compares their results in Postgres. A day is compared again when a chain has rebuilt it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.ledger import builds
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.ledger.models import daily_revenue, daily_revenue_partitioned, reconciled_days
from orders_pipeline.quality.scope import Scope

_BUILT_BY_BOTH: Final = sa.text(
    """
    SELECT cleaned.day, daily.rows AS orders, revenue.built_at AS revenue_built_at, spend.built_at AS spend_built_at,
        reconciled.day IS NOT NULL AS is_reconciled
    FROM ledger.built_days cleaned
    JOIN ledger.built_days daily ON daily.asset = 'daily_orders' AND daily.day = cleaned.day
        AND daily.input = cleaned.input AND daily.zone = cleaned.zone
    JOIN ledger.built_days revenue ON revenue.asset = 'daily_revenue' AND revenue.day = cleaned.day
        AND revenue.input = cleaned.path
    JOIN ledger.built_days spend ON spend.asset = 'daily_revenue_partitioned' AND spend.day = cleaned.day
        AND spend.input = daily.path
    LEFT JOIN ledger.reconciled_days reconciled ON reconciled.day = cleaned.day
        AND reconciled.revenue_built_at = revenue.built_at AND reconciled.spend_built_at = spend.built_at
    WHERE cleaned.asset = 'cleaned_orders'
    ORDER BY cleaned.day
    """
)


@dataclass(frozen=True)
class BuiltByBoth:
    """A day that both chains have built from the same version of the raw orders."""

    day: date
    orders: int  # in daily_orders
    revenue_built_at: datetime
    spend_built_at: datetime
    is_reconciled: bool  # these values were compared before, and agreed


@dataclass(frozen=True)
class Difference:
    """A day on which the chains differ. None: the chain has no row."""

    day: date
    revenue: Decimal | None
    spend: Decimal | None
    counted: int | None  # orders in daily_revenue
    orders: int  # orders in daily_orders

    def finding(self) -> Finding:
        """The day has these figures."""
        figures = f"{self.revenue} ({self.counted} orders) against {self.spend} ({self.orders})"
        difference = (self.revenue or Decimal(0)) - (self.spend or Decimal(0))
        return Finding(str(self.day), figures, f"{self.day}: {figures}", difference)


@dataclass(frozen=True)
class Comparison:
    """How many days both chains have built, which were compared now, and which of those differ."""

    comparable: int
    compared: Sequence[BuiltByBoth]
    differing: Sequence[Difference]

    @property
    def examined(self) -> set[str]:
        """The subjects on which the findings say all there is to say."""
        return {str(day.day) for day in self.compared}


def compare_and_record(engine: Engine, scope: Scope) -> Comparison:
    """Compare the chains, and record which days agree. If the run built no day, or covers everything, this includes
    days that agreed before."""
    marts = ("daily_revenue", "daily_revenue_partitioned")
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        built = any(builds.days_of_run(snapshot, mart, scope.run_id) for mart in marts)
        found = compare(snapshot, everything=scope.everything or not built)
    with engine.begin() as transaction:
        record(transaction, found)
    return found


def compare(snapshot: Connection, *, everything: bool) -> Comparison:
    """Compare the days that were built since they last agreed. `everything`: also days that agreed before."""
    both = [BuiltByBoth(*row) for row in snapshot.execute(_BUILT_BY_BOTH)]
    compared = [day for day in both if everything or not day.is_reconciled]
    days = [day.day for day in compared]
    revenue = _sums(snapshot, daily_revenue, days, "revenue", "order_count")
    spend = _sums(snapshot, daily_revenue_partitioned, days, "daily_spend")
    differing = []
    for day in compared:
        earned, counted = revenue.get(day.day, (None, None))
        (spent,) = spend.get(day.day, (None,))
        if earned != spent or (counted or 0) != day.orders:
            differing.append(Difference(day.day, earned, spent, counted, day.orders))
    return Comparison(len(both), compared, differing)


def record(transaction: Connection, comparison: Comparison) -> None:
    """Record the days that agree, so that they are compared again only after a rebuild. Days that differ are compared
    in each run."""
    differing = {day.day for day in comparison.differing}
    transaction.execute(sa.delete(reconciled_days).where(reconciled_days.c.day.in_(differing)))
    agreed = [
        {"day": day.day, "revenue_built_at": day.revenue_built_at, "spend_built_at": day.spend_built_at}
        for day in comparison.compared
        if day.day not in differing
    ]
    if agreed:
        statement = insert(reconciled_days)
        updated = {name: statement.excluded[name] for name in ("revenue_built_at", "spend_built_at")}
        transaction.execute(statement.on_conflict_do_update(index_elements=["day"], set_=updated), agreed)


def _sums(snapshot: Connection, mart: sa.Table, days: Sequence[date], *columns: str) -> dict[date, tuple[Any, ...]]:
    sums = [sa.func.sum(mart.c[column]) for column in columns]
    query = sa.select(mart.c.order_date, *sums).where(mart.c.order_date.in_(days)).group_by(mart.c.order_date)
    return {row[0]: tuple(row[1:]) for row in snapshot.execute(query)}
