"""Who sent a file: its declared source, or else its folder, whatever the day.

Two senders may use the same order ids for different orders. One sender who writes an order again corrects it.
"""

import re
from typing import Final

from orders_pipeline.sources.declaration import Sources

_YEAR: Final = r"(?:19|20)\d\d"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_HOUR: Final = r"(?:[01]\d|2[0-3])"
_CLOCK: Final = rf"{_HOUR}(?:(?:[:_.-]|%3A)?[0-5]\d){{0,2}}(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
# A whole day, perhaps with a time, anywhere in a name: 2026-03-05, 20260305T070000Z, 05.03.2026
_FULL_DATE: Final = re.compile(
    rf"(?<!\d)(?:{_YEAR}(?P<mark>[-_.]?){_MONTH}(?P=mark){_DAY}|{_DAY}(?P<sign>[-_.]){_MONTH}(?P=sign){_YEAR})"
    rf"(?:(?:T|-|_| |%20)(?!{_YEAR}[-_.]?{_MONTH}){_CLOCK})?(?!\d)"
)
_DATE: Final = "*"  # what stands for it
# Folders that are parts of a date: 2026/03/05/07, 2026/3/5, 2026-03, 202603, 2026-W10, 2026/Q1; an hour below a day
_TIME: Final = rf"/{_HOUR}(?:/[0-5]\d)?"
_MONTHS: Final = rf"(?:[-_.]?{_MONTH}|/(?:0?[1-9]|1[0-2]))(?:/(?:0?[1-9]|[12]\d|3[01])(?:{_TIME})?)?"
_FOLDERS: Final = re.compile(
    rf"/(?:{_YEAR}(?:-?W\d\d|[-_/]?Q[1-4]|{_MONTHS})?|(?:[^/=]+=)?{re.escape(_DATE)}{_TIME})(?=/)"
)
# Folders named by what they are a part of: year=2026, month=3
_PARTS: Final = re.compile(
    r"/(?:y|yy|yyyy|year|quarter|m|mm|month|week|d|dd|day|h|hh|hr|hour|min|minute)=\d+(?=/)", re.IGNORECASE
)
# Folders with nothing but dates: dt=2026-03-05, 2026-03-01_2026-03-07
_DATED: Final = re.compile(rf"/(?:[^/=]+=)?(?:[-_.,]*{re.escape(_DATE)})+(?=/)")

THE_TABLE: Final = "the source table"


def sender_of(sources: Sources, bucket: str, key: str) -> str:
    """Who sent a version of this key: its declared source, or its folder; without a bucket: the source table."""
    if not bucket:
        return THE_TABLE
    source = sources.of_key(key)
    return undated_folder(key) if source is sources.undeclared else source.name


def undated_folder(key: str) -> str:
    """The folder of a key without what is a date in it, so that it is the same on each day; `/` for the root.

    A lone number is no date (`shop-1/`, `12/`), unless it is a whole folder that can be a year, or follows one.
    """
    folder = "/" + key[: key.rfind("/") + 1]
    marked = _PARTS.sub("", _FOLDERS.sub("", _FULL_DATE.sub(_DATE, folder)))
    return _DATED.sub("", marked)[1:] or "/"
