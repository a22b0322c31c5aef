"""How old the revenue tables may be. The schedule brings them up to date every morning."""

from datetime import timedelta
from typing import Final

import dagster as dg

REVENUE_FRESHNESS: Final = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=36), warn_window=timedelta(hours=26)
)
