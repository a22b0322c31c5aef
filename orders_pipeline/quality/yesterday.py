"""Have both chains built the day before by its deadline?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Engine

from orders_pipeline.freshness import DEADLINE, MORNING
from orders_pipeline.ledger import builds, staleness
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.quality.anomalies import LEAST_WEEKS, WEEKS

KIND: Final = "yesterday_is_built"
_TABLES: Final = ("daily_revenue", "daily_revenue_partitioned")
_TIME_TO_BUILD: Final = timedelta(hours=DEADLINE.hour - MORNING.hour)


@dataclass(frozen=True)
class Yesterday:
    """The last day whose deadline is past.

    `behind`: the revenue tables that lack orders of it which are known for longer than a run takes. `has_orders`: if
    any ever arrived. `weeks`: how many of the eight weeks before had orders on this weekday."""

    day: date
    behind: Sequence[str]
    has_orders: bool
    weeks: int

    def findings(self) -> Iterator[Finding]:
        """At most one. A day without orders is none where its weekday often has none."""
        if self.behind:
            tables = " and ".join(self.behind)
            yield Finding(str(self.day), tables, f"{self.day} is not up to date in {tables}")
        elif not self.has_orders and self.weeks >= LEAST_WEEKS:
            before = f"{self.weeks} of the {WEEKS} {self.day:%A}s before had some"
            yield Finding(str(self.day), "no orders", f"{self.day} has no orders, and {before}")


def find(engine: Engine, calendar: Calendar, now: datetime) -> Yesterday | None:
    """What the revenue tables have of the last day that is due. None: that day is before the first one."""
    day = due_day(now, calendar.zone)
    if day < calendar.start:
        return None
    weekdays = {day - timedelta(weeks=week) for week in range(1, WEEKS + 1)}
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        delivered = staleness.delivered_days(snapshot, {day, *weekdays})
        behind = [table for table in _TABLES if builds.is_behind(snapshot, table, day, now - _TIME_TO_BUILD)]
    return Yesterday(day, behind, day in delivered, len(delivered & weekdays))


def due_day(now: datetime, zone: str) -> date:
    """The business day before the last morning whose deadline is past. The deadline is in UTC, as the schedule is."""
    passed = (now.astimezone(UTC) - timedelta(hours=DEADLINE.hour)).date()
    return datetime.combine(passed, MORNING, UTC).astimezone(ZoneInfo(zone)).date() - timedelta(days=1)
