"""How old the revenue tables may be. The schedule builds them every morning at 06:00 UTC, whatever the business day's
time zone."""

from datetime import timedelta
from typing import Final

import dagster as dg

# The morning run has two hours, the longest that a run may take (dagster.yaml). A build of the evening before, because
# a file arrived, does not make up for it.
REVENUE_FRESHNESS: Final = dg.FreshnessPolicy.cron(
    deadline_cron="0 8 * * *", lower_bound_delta=timedelta(hours=2), timezone="UTC"
)

# A day without orders ends at `orders_not_empty`, which keeps this table as it is: after one closed day a week it is
# 48 hours old, and two more for the run. Only then is it too old; before, it warns of the morning that was missed.
PARTITIONED_FRESHNESS: Final = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)
