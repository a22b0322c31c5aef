"""The daily partitions: one for each business day from ORDERS_START_DATE to today."""

from datetime import date
from typing import Final

import dagster as dg

from orders_pipeline.errors import SettingsError
from orders_pipeline.settings import Settings, read_settings

MAX_DAYS_PER_RUN: Final = 31
DAILY_PIPELINE: Final = "daily_pipeline"  # name of the job that brings everything up to date
ARRIVALS: Final = "s3_arrival"  # of the job that loads new files
STALE_DAYS: Final = "stale_days"  # of the job that builds the partitioned chain


def _daily() -> dg.DailyPartitionsDefinition:
    try:
        settings = read_settings()
    except SettingsError:
        # Definitions load with the defaults; whatever then reads the settings names what is wrong with them.
        settings = Settings.model_construct()
    return dg.DailyPartitionsDefinition(
        start_date=settings.start_date.isoformat(), timezone=settings.timezone, end_offset=1
    )


daily: Final = _daily()
BACKFILL: Final = dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_DAYS_PER_RUN)


def days_of(tags: dict[str, str]) -> list[date]:
    """The days that a run asks for, by its tags; none for a run without partitions."""
    if (key := tags.get("dagster/partition")) is not None:
        return [date.fromisoformat(key)]
    start, end = tags.get("dagster/asset_partition_range_start"), tags.get("dagster/asset_partition_range_end")
    if start is None or end is None:
        return []
    return [date.fromisoformat(key) for key in daily.get_partition_keys_in_range(dg.PartitionKeyRange(start, end))]
