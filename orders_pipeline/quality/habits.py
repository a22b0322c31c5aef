"""On which days does a sender usually deliver, and has it? No I/O.

A weekday is a habit of a sender if something arrived on it in each of the last eight weeks in which anything did. Then
the sender is late one hour after the latest time of day at which those deliveries began.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WEEKS: Final = 8
REMEMBERED: Final = timedelta(days=180)  # after months of silence a sender has no habit any more
_GRACE: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Missed:
    """A day on which something should have come, by when, and when the last thing came."""

    day: date
    by: datetime
    last: datetime


def missed(first_of_day: Mapping[date, datetime], zone: ZoneInfo, now: datetime) -> Missed | None:
    """The first usual day after the last arrival on which something is overdue. None: there is none.

    Args:
        first_of_day: the first arrival of each day that had one, within `REMEMBERED`. The days are those of the zone.
    """
    last = max(first_of_day, default=None)
    if last is None:
        return None
    for ahead in range(1, (now.astimezone(zone).date() - last).days + 1):
        day, silent_weeks = last + timedelta(days=ahead), -(-ahead // 7)
        weekdays = [day - timedelta(weeks=week) for week in range(silent_weeks, silent_weeks + WEEKS)]
        if all(weekday in first_of_day for weekday in weekdays):
            by = _deadline(day, [first_of_day[weekday] for weekday in weekdays], zone)
            if by <= now:
                return Missed(day, by, first_of_day[last])
    return None


def _deadline(day: date, before: list[datetime], zone: ZoneInfo) -> datetime:
    latest = max(one.astimezone(zone).time() for one in before)
    midnight = datetime.combine(day + timedelta(days=1), time(), zone)
    return min(datetime.combine(day, latest, zone) + _GRACE, midnight)
