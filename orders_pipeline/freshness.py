"""How old the revenue tables may be. The schedule builds them every morning, whatever the business day's time zone."""

from datetime import time, timedelta
from typing import Final

import dagster as dg

# UTC: when the schedule builds the day before, and when it must be built.
MORNING: Final = time(6)
DEADLINE: Final = time(8)

# The morning run has two hours, the longest that a run may take (dagster.yaml). A build of the evening before, because
# a file arrived, does not make up for it.
REVENUE_FRESHNESS: Final = dg.FreshnessPolicy.cron(
    deadline_cron=f"0 {DEADLINE.hour} * * *",
    lower_bound_delta=timedelta(hours=DEADLINE.hour - MORNING.hour),
    timezone="UTC",
)

# A day without orders ends at `orders_not_empty`, which keeps this table as it is: after one closed day a week it is
# 48 hours old, and two more for the run. Only then is it too old; before, it warns of the morning that was missed.
PARTITIONED_FRESHNESS: Final = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)
