"""Tags of a run that this pipeline reads or sets."""

from datetime import date
from typing import Final

FULL_REFRESH: Final = "orders/full_refresh"  # "true": everything counts as stale


def of_range(first: date, last: date) -> dict[str, str]:
    """The tags by which Dagster knows a run over a range of partitions."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
