"""Do both chains agree? Asked of Postgres, where both have their figures."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_BUILT_BY_BOTH: Final = """
    FROM ledger.built_days cleaned
    JOIN ledger.built_days daily ON daily.asset = 'daily_orders' AND daily.day = cleaned.day
        AND daily.input = cleaned.input AND daily.zone = cleaned.zone
    JOIN ledger.built_days revenue ON revenue.asset = 'daily_revenue' AND revenue.day = cleaned.day
        AND revenue.input = cleaned.path
    JOIN ledger.built_days spend ON spend.asset = 'daily_revenue_partitioned' AND spend.day = cleaned.day
        AND spend.input = daily.path
    WHERE cleaned.asset = 'cleaned_orders'
"""
_COMPARABLE: Final = sa.text(f"SELECT count(*) {_BUILT_BY_BOTH}")
_DIFFERING: Final = sa.text(
    f"""
    SELECT day, one.revenue, other.spend, one.orders, both_built.rows
    FROM (SELECT cleaned.day, daily.rows {_BUILT_BY_BOTH}) both_built
    LEFT JOIN (
        SELECT order_date AS day, sum(revenue) AS revenue, sum(order_count) AS orders
        FROM analytics.daily_revenue GROUP BY 1
    ) one USING (day)
    LEFT JOIN (SELECT order_date AS day, sum(daily_spend) AS spend FROM analytics.daily_revenue_partitioned GROUP BY 1)
        other USING (day)
    WHERE one.revenue IS DISTINCT FROM other.spend OR coalesce(one.orders, 0) <> both_built.rows
    ORDER BY day
    """  # noqa: S608 - no value in it
)


@dataclass(frozen=True)
class Difference:
    """A day on which the chains differ; null where a chain has no row."""

    day: date
    revenue: Decimal | None
    spend: Decimal | None
    counted: int | None  # orders that daily_revenue counts
    orders: int  # orders that daily_orders holds


def compare(connection: Connection) -> tuple[int, list[Difference]]:
    """How many days both chains have built from the same version, and those of them on which they differ."""
    compared = int(connection.execute(_COMPARABLE).scalar_one())
    return compared, [Difference(*row) for row in connection.execute(_DIFFERING)]
