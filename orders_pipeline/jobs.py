"""The jobs: all assets each morning, the unpartitioned chain on arrival, the partitioned chain for stale days."""

from typing import Final

import dagster as dg

from orders_pipeline.assets.daily import daily_orders, daily_revenue_partitioned
from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders
from orders_pipeline.partitions import ARRIVALS, DAILY_PIPELINE, STALE_DAYS

UNPARTITIONED: Final = (raw_orders, cleaned_orders, rejected_orders, daily_revenue)
PARTITIONED: Final = (daily_orders, daily_revenue_partitioned)
_AHEAD: Final = {"dagster/priority": "1"}  # of other queued runs, such as a backfill's
_RECONCILES: Final = dg.AssetCheckKey(daily_revenue.key, "revenue_reconciles")  # each chain's job compares them

daily_pipeline_job = dg.define_asset_job(
    DAILY_PIPELINE,
    selection=dg.AssetSelection.assets(*UNPARTITIONED, *PARTITIONED),
    tags=_AHEAD,
    description="All assets: load everything that is pending, and build one day of the partitioned chain.",
)
s3_arrival_job = dg.define_asset_job(
    ARRIVALS,
    selection=dg.AssetSelection.assets(*UNPARTITIONED),
    tags=_AHEAD,
    description="Load new files and build the days that they change. Without config: everything that is pending.",
)
stale_days_job = dg.define_asset_job(
    STALE_DAYS,
    selection=dg.AssetSelection.assets(*PARTITIONED) | dg.AssetSelection.checks(_RECONCILES),
    description="Build stale days of the partitioned chain; skip days that are current.",
)
