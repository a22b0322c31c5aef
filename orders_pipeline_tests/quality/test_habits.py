"""A sender that delivered on a weekday for eight weeks is late when it does not, and at no other time."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orders_pipeline.quality.habits import WEEKS, missed

BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY = date(2026, 3, 6)


def arrivals(weekdays: Callable[[date], bool], weeks: int = WEEKS, at: str = "05:10") -> dict[date, datetime]:
    """The first arrivals of the weeks up to that Friday."""
    days = [FRIDAY - timedelta(days=ago) for ago in range(7 * weeks)]
    return {day: datetime.fromisoformat(f"{day}T{at}").replace(tzinfo=BERLIN) for day in days if weekdays(day)}


def late(first_of_day: dict[date, datetime], now: str) -> tuple[str, str] | None:
    found = missed(first_of_day, BERLIN, datetime.fromisoformat(now).replace(tzinfo=BERLIN))
    return found and (str(found.day), f"{found.by:%m-%d %H:%M}")


def daily(_: date) -> bool:
    return True


def weekdays(day: date) -> bool:
    return day.weekday() < 5


def mondays(day: date) -> bool:
    return day.weekday() == 0


@pytest.mark.parametrize(
    ("on", "now", "expected"),
    [
        (daily, "2026-03-06T23:59", None),
        (daily, "2026-03-07T06:09", None),
        (daily, "2026-03-07T06:10", ("2026-03-07", "03-07 06:10")),
        (daily, "2026-03-20T12:00", ("2026-03-07", "03-07 06:10")),  # the first of them, until something comes
        (weekdays, "2026-03-08T23:59", None),
        (weekdays, "2026-03-09T06:09", None),
        (weekdays, "2026-03-09T06:10", ("2026-03-09", "03-09 06:10")),
        (mondays, "2026-03-09T06:09", None),
        (mondays, "2026-03-30T12:00", ("2026-03-09", "03-09 06:10")),
    ],
)
def test_who_is_late_on_a_usual_day(on: Callable[[date], bool], now: str, expected: tuple[str, str] | None) -> None:
    assert late(arrivals(on), now) == expected


def test_a_gap_in_the_eight_weeks_or_a_shorter_time_is_no_habit() -> None:
    with_gap = arrivals(mondays)
    del with_gap[FRIDAY - timedelta(days=4 + 21)]
    assert late(with_gap, "2026-03-30T12:00") is None
    assert late(arrivals(mondays, weeks=7), "2026-03-30T12:00") is None
    assert late({}, "2026-03-30T12:00") is None


def test_the_latest_of_the_eight_times_counts_and_no_later_than_midnight() -> None:
    days = arrivals(daily)
    last_week = FRIDAY - timedelta(days=6)  # a Saturday
    days[last_week] = days[last_week].replace(hour=9)
    assert late(days, "2026-03-07T10:09") is None
    assert late(days, "2026-03-07T10:10") == ("2026-03-07", "03-07 10:10")
    assert late(arrivals(daily, at="23:30"), "2026-03-08T00:00") == ("2026-03-07", "03-08 00:00")


def test_the_hour_is_that_of_the_sender_s_clock_whatever_the_season() -> None:
    utc = {day: first.astimezone(ZoneInfo("UTC")) for day, first in arrivals(daily).items()}
    summer = {day + timedelta(days=23): first + timedelta(days=23) for day, first in utc.items()}  # to Sunday, the 29th
    assert late(summer, "2026-03-30T06:09") is None
    assert late(summer, "2026-03-30T06:10") == ("2026-03-30", "03-30 06:10")
