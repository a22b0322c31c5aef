"""daily_schedule: every morning at 06:00 UTC, everything for the day before. housekeeping_schedule: every night."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from orders_pipeline.freshness import MORNING
from orders_pipeline.jobs import daily_pipeline_job, housekeeping
from orders_pipeline.settings import read_settings


@dg.schedule(
    job=daily_pipeline_job,
    cron_schedule=f"0 {MORNING.hour} * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every morning: loads all that is pending, the source table too, builds the day before in both chains,"
    " and lets the checks compare all days.",
)
def daily_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Run `daily_pipeline` for the business day before the tick, in ORDERS_TIMEZONE."""
    settings = read_settings()
    yesterday = context.scheduled_execution_time.astimezone(ZoneInfo(settings.timezone)).date() - timedelta(days=1)
    if yesterday < settings.start_date:
        return dg.SkipReason(f"{yesterday} is before ORDERS_START_DATE ({settings.start_date}).")
    return dg.RunRequest(partition_key=yesterday.isoformat())


housekeeping_schedule = dg.ScheduleDefinition(
    name="housekeeping_schedule",
    job=housekeeping,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: delete what is old and not used.",
)
