"""When a source should have delivered, as it declares: `daily 07:00` or `weekdays 07:00`. No I/O."""

import re
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_EXPECTED: Final = re.compile(r"(daily|weekdays) ((?:[01][0-9]|2[0-3]):[0-5][0-9])")
_SATURDAY: Final = 5


def checked(text: str) -> str:
    """The text, if it says when a source delivers.

    Raises:
        ValueError: it does not.
    """
    if not _EXPECTED.fullmatch(text):
        raise ValueError(f"{text!r} says no days and time like 'daily 07:00' or 'weekdays 18:30'")
    return text


def due(expected: str, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """The last time by which a source should have delivered, and the one before: what came in between is what was due.

    Args:
        expected: as it is declared.
        zone: the time zone of its time of day.
        now: with a time zone.
    """
    days, clock = _EXPECTED.fullmatch(expected).groups()  # type: ignore[union-attr]  # it was checked
    at, today = time.fromisoformat(clock), now.astimezone(ZoneInfo(zone)).date()
    last_week = (today - timedelta(days=back) for back in range(8))
    times = [
        datetime.combine(day, at, ZoneInfo(zone)) for day in last_week if days == "daily" or day.weekday() < _SATURDAY
    ]
    last, before, *_ = [one for one in times if one <= now]
    return last, before
