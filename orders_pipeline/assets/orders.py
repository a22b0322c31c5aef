"""The unpartitioned chain: cleaned_orders, rejected_orders, daily_revenue. In a run, an asset's argument holds only the
rows that its stale days (or files) need; see `io_managers`."""

from typing import Any

import dagster as dg

from orders_pipeline import transforms, validation
from orders_pipeline.assets.frames import OrderFrame
from orders_pipeline.freshness import REVENUE_FRESHNESS
from orders_pipeline.pools import UNPARTITIONED_POOL
from orders_pipeline.settings import read_settings
from orders_pipeline.ui import metadata


@dg.asset(
    io_manager_key="lake",
    ins={"raw_orders": dg.AssetIn(dagster_type=OrderFrame)},
    dagster_type=OrderFrame,
    group_name="orders",
    kinds={"parquet"},
    pool=UNPARTITIONED_POOL,
    owners=["team:orders"],
    tags={"domain": "orders", "layer": "clean"},
    metadata=metadata.of_table("cleaned_orders"),
)
def cleaned_orders(raw_orders: Any) -> Any:
    """One row for each order: the latest clean one, whichever file it is from.

    Rows are validated when their file lands, so this table only picks the winners: by `updated_at`, else by when the
    file landed. An order that a later file deletes or moves to another day is gone from its day.

    It is stored by day, as immutable objects. A run rebuilds only days whose orders changed, and says which and why.
    """
    return transforms.clean(raw_orders, read_settings().timezone)


@dg.asset(
    io_manager_key="marts",
    ins={"raw_orders": dg.AssetIn(dagster_type=OrderFrame)},
    dagster_type=OrderFrame,
    group_name="orders",
    kinds={"postgres"},
    pool=UNPARTITIONED_POOL,
    owners=["team:orders"],
    tags={"domain": "orders", "layer": "reject"},
    metadata=metadata.of_table("rejected_orders"),
)
def rejected_orders(raw_orders: Any) -> Any:
    """Every row that validation refused, with its file, row number, original text and the reason.

    No amount in here is part of any revenue. To let a row count, correct the file and upload it again under the same
    key: its rejects are then replaced. If a sender writes differently than others, declare it as a source instead
    (`orders-pipeline sources apply`); loaded files are then validated again.
    """
    return validation.rejects(raw_orders, read_settings().timezone)


@dg.asset(
    io_manager_key="marts",
    ins={"cleaned_orders": dg.AssetIn(dagster_type=OrderFrame)},
    dagster_type=OrderFrame,
    group_name="orders",
    kinds={"postgres"},
    pool=UNPARTITIONED_POOL,
    owners=["team:orders"],
    tags={"domain": "orders", "layer": "mart"},
    metadata=metadata.of_table("daily_revenue"),
    freshness_policy=REVENUE_FRESHNESS,
)
def daily_revenue(cleaned_orders: Any) -> Any:
    """Revenue and order count of each business day, exact to the cent.

    Amounts are added up as they are, in the currency of the orders; returns are taken off. A day without orders has no
    row. Late files and corrections change past days: *Changed figures* shows which, from what to what.

    `daily_revenue_partitioned` has the same money by customer; `revenue_reconciles` compares both.
    """
    return transforms.revenue_by_day(cleaned_orders)
