"""What is shown of requested days that a run leaves as they are, since they are current: the same as when they were
built."""

from collections.abc import Collection
from datetime import date

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from orders_pipeline.landing.suspects import total
from orders_pipeline.ledger import builds
from orders_pipeline.ledger.damage import intact_days
from orders_pipeline.ledger.models import daily_revenue_partitioned
from orders_pipeline.storage.lake import Lake
from orders_pipeline.ui import metadata
from orders_pipeline.ui.materialization import Output


def orders(engine: Engine, lake: Lake, days: Collection[date]) -> dict[date, Output]:
    """Of days of daily_orders. A day whose object is missing or damaged is left out, and stale from now on."""
    table = "daily_orders"
    with engine.connect() as connection:
        paths = builds.paths(connection, table, days)
        rows = builds.row_counts(connection, table, days)
    paths = dict(intact_days(engine, lake, table, paths))
    frames = [lake.scan([path]).select(metadata.PREVIEWED[table]) for path in paths.values()]
    samples = pl.collect_all([frame.head(metadata.PREVIEW_ROWS) for frame in frames])
    amounts = pl.collect_all([frame.select("amount") for frame in frames], engine="streaming")
    return {
        day: Output(rows[day], sample.to_dicts(), total(amount["amount"]))
        for day, sample, amount in zip(paths, samples, amounts, strict=True)
    }


def spend(engine: Engine, days: Collection[date]) -> dict[date, Output]:
    """Of days of daily_revenue_partitioned."""
    mart = daily_revenue_partitioned
    day = mart.c.order_date
    place = sa.func.row_number().over(partition_by=day, order_by=mart.c.customer_id).label("place")
    money = sa.func.sum(mart.c.daily_spend).over(partition_by=day).label("money")
    count = sa.func.count().over(partition_by=day).label("rows")
    ranked = sa.select(mart, place, money, count)
    found = ranked.where(day.in_(list(days))).subquery()
    query = sa.select(found).where(found.c.place <= metadata.PREVIEW_ROWS).order_by(found.c.order_date, found.c.place)
    kept = dict.fromkeys(days, Output(0, []))
    with engine.connect() as connection:
        for row in connection.execute(query):
            sample = {name: getattr(row, name) for name in metadata.PREVIEWED[mart.name]}
            kept[row.order_date] = Output(row.rows, [*kept[row.order_date].sample, sample], row.money)
    return kept
