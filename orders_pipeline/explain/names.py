"""Names of files: how they are shown, and which days they are about. No I/O."""

import re
from datetime import date
from typing import Final

from orders_pipeline.ledger.versions import TABLE
from orders_pipeline.s3_settings import Place

# 2026-03-05, 20260305, 2026/03/05, year=2026/month=03/day=05
_DATE: Final = re.compile(r"(?<!\d)((?:19|2[01])\d\d)(?:\D{0,7})(\d\d)(?:\D{0,7})(\d\d)(?!\d)")


def days_named(key: str) -> tuple[date, date] | None:
    """The first and the last of the days in a key; None: it names none."""
    found = []
    for written in _DATE.finditer(key):
        try:
            found.append(date(*map(int, written.groups())))
        except ValueError:
            continue
    return (min(found), max(found)) if found else None


def names(key: str, day: date) -> bool:
    """Whether a key names a day, or a range of days that has it."""
    found = days_named(key)
    return found is not None and found[0] <= day <= found[1]


def shown(bucket: str, key: str, landing_bucket: str) -> str:
    """The key of a file, or its full name if it is in another bucket than the landing zone."""
    return key if bucket in (landing_bucket, TABLE) else str(Place(bucket, key))
