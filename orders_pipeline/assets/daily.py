"""The partitioned chain: daily_orders, daily_revenue_partitioned. It builds the same days from the same validated rows
by runs, tables and sums of its own; the check `revenue_reconciles` compares the two chains."""

from typing import Any

import dagster as dg

from orders_pipeline import transforms
from orders_pipeline.assets.frames import OrderFrame
from orders_pipeline.freshness import PARTITIONED_FRESHNESS
from orders_pipeline.partitions import BACKFILL, daily
from orders_pipeline.pools import PARTITIONED_POOL
from orders_pipeline.settings import read_settings
from orders_pipeline.ui import metadata


@dg.asset(
    io_manager_key="lake",
    ins={"raw_orders": dg.AssetIn(dagster_type=OrderFrame)},
    dagster_type=OrderFrame,
    partitions_def=daily,
    backfill_policy=BACKFILL,
    group_name="orders_by_day",
    kinds={"parquet"},
    pool=PARTITIONED_POOL,
    owners=["team:orders"],
    tags={"domain": "orders", "layer": "clean"},
    metadata=metadata.of_table("daily_orders"),
)
def daily_orders(raw_orders: Any) -> Any:
    """One row for each order of a day: the latest clean one. A partition is a business day in `ORDERS_TIMEZONE`.

    The orders are those of `cleaned_orders`, picked again by runs of their own. A run skips days that are current; with
    the tag `orders/full_refresh` = `true` it rebuilds them. A day without orders stays missing.

    `stale_days_sensor` requests a run within a minute when the orders of a day change.
    """
    return transforms.clean(raw_orders, read_settings().timezone)


@dg.asset(
    io_manager_key="marts",
    ins={"daily_orders": dg.AssetIn(dagster_type=OrderFrame)},
    dagster_type=OrderFrame,
    partitions_def=daily,
    backfill_policy=BACKFILL,
    group_name="orders_by_day",
    kinds={"postgres"},
    pool=PARTITIONED_POOL,
    owners=["team:orders"],
    tags={"domain": "orders", "layer": "mart"},
    metadata=metadata.of_table("daily_revenue_partitioned"),
    freshness_policy=PARTITIONED_FRESHNESS,
)
def daily_revenue_partitioned(daily_orders: Any) -> Any:
    """What each customer spent on a day (`daily_spend`), exact to the cent. A partition is a business day.

    The sum of a day is its revenue in `daily_revenue`: `revenue_reconciles` compares both, day by day. Returns are
    taken off, so a customer's spend may be negative. Each build of a day replaces its rows as a whole.
    """
    return transforms.spend_by_customer(daily_orders)
