"""The one Definitions object. Importing it touches no network, no disk and no environment that must be set."""

import dagster as dg

from orders_pipeline.assets.daily import daily_orders, daily_revenue_partitioned
from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders
from orders_pipeline.assets.upstream import UPSTREAM_OF_RAW_ORDERS
from orders_pipeline.checks import files, orders, revenue
from orders_pipeline.io_managers.lake import LakeIOManager
from orders_pipeline.io_managers.marts import MartsIOManager
from orders_pipeline.jobs import daily_pipeline_job, housekeeping, s3_arrival_job, stale_days_job
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.schedules import daily_schedule, housekeeping_schedule
from orders_pipeline.sensors import lost_runs_sensor, run_failure_sensor, s3_arrival_sensor, stale_days_sensor
from orders_pipeline.ui.metadata import linked_to_code

postgres = PostgresResource()
s3 = S3Resource()

defs = dg.Definitions(
    assets=linked_to_code(
        [
            *UPSTREAM_OF_RAW_ORDERS,
            raw_orders,
            cleaned_orders,
            rejected_orders,
            daily_revenue,
            daily_orders,
            daily_revenue_partitioned,
        ]
    ),
    asset_checks=[*files.CHECKS, *orders.CHECKS, *revenue.CHECKS],
    jobs=[daily_pipeline_job, s3_arrival_job, stale_days_job, housekeeping],
    schedules=[daily_schedule, housekeeping_schedule],
    sensors=[s3_arrival_sensor, stale_days_sensor, lost_runs_sensor, run_failure_sensor],
    resources={
        "postgres": postgres,
        "s3": s3,
        "lake": LakeIOManager(postgres=postgres, s3=s3),
        "marts": MartsIOManager(postgres=postgres),
    },
    # Steps share the run's process: starting one for each would take longer than most steps.
    executor=dg.in_process_executor,
)
