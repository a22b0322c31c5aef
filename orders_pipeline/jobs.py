"""The jobs: all assets each morning, the unpartitioned chain on arrival, the partitioned chain for stale days, and
housekeeping."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from orders_pipeline.assets.daily import daily_orders, daily_revenue_partitioned
from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders
from orders_pipeline.ledger.vacuum import vacuum
from orders_pipeline.partitions import ARRIVALS, DAILY_PIPELINE, STALE_DAYS
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.runs.housekeeping import forget_runs, forget_ticks
from orders_pipeline.settings import read_settings
from orders_pipeline.text import counted

UNPARTITIONED: Final = (raw_orders, cleaned_orders, rejected_orders, daily_revenue)
PARTITIONED: Final = (daily_orders, daily_revenue_partitioned)
_AHEAD: Final = {"dagster/priority": "1"}  # of other queued runs, such as a backfill's
# Each chain's job compares both, and both tables show the result.
_RECONCILES: Final = dg.AssetSelection.checks(
    *(dg.AssetCheckKey(table.key, "revenue_reconciles") for table in (daily_revenue, daily_revenue_partitioned))
)

daily_pipeline_job = dg.define_asset_job(
    DAILY_PIPELINE,
    selection=dg.AssetSelection.assets(*UNPARTITIONED, *PARTITIONED),
    tags=_AHEAD,
    description="All assets: load everything that is pending, and build one day of the partitioned chain.",
)
s3_arrival_job = dg.define_asset_job(
    ARRIVALS,
    selection=dg.AssetSelection.assets(*UNPARTITIONED) | _RECONCILES,
    tags=_AHEAD,
    description="Load new files and build the days that they change. Without config: everything that is pending.",
)
stale_days_job = dg.define_asset_job(
    STALE_DAYS,
    selection=dg.AssetSelection.assets(*PARTITIONED) | _RECONCILES,
    description="Build stale days of the partitioned chain; skip days that are current.",
)


@dg.op(description="Delete lake objects that nothing has used for ORDERS_VACUUM_AGE.")
def vacuum_lake(context: dg.OpExecutionContext, postgres: PostgresResource, s3: S3Resource) -> None:
    """As `orders-pipeline vacuum` does."""
    done = vacuum(postgres.ledger(), s3.lake(), read_settings().vacuum_age)
    context.log.info(
        f"{done.deleted} lake objects deleted; {done.named} are in use; {done.waiting} are unused and not old enough."
    )


@dg.op(description="Delete Dagster's runs and ticks older than ORDERS_KEEP_RUNS, but for what the UI shows as current.")
def forget_old_runs(context: dg.OpExecutionContext) -> None:
    """The runs of this code location, whatever their jobs, and the ticks of its sensors and schedules."""
    before = datetime.now(UTC) - read_settings().keep_runs
    here = context.run.remote_job_origin
    location = here.location_name if here else None

    def is_ours(run: dg.DagsterRun) -> bool:
        there = run.remote_job_origin
        return there is None or location in (None, there.location_name)

    forgotten = forget_runs(context.instance, before, is_ours)
    forget_ticks(context.instance, before, location)
    context.log.info(
        f"{counted(forgotten.deleted, 'run')} that began before {before:%Y-%m-%d} deleted; {forgotten.kept} stay, since"
        " they last materialized a day or evaluated a check. Ticks from before that are deleted too."
    )


@dg.job(description="Delete what is old and not used: objects of the lake, and Dagster's runs and ticks.")
def housekeeping() -> None:
    """Each part can be killed at any point; the next run goes on."""
    vacuum_lake()
    forget_old_runs()
