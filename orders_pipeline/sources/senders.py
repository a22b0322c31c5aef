"""Who sent a file: the declared source that reads it, or else its folder.

The dates in a folder's name are left out, so that a sender with a folder for each day is one sender, while `shop-1/`
and `shop-2/` are two.
"""

import re
from typing import Final

from orders_pipeline.sources.declaration import Sources

SOURCE_TABLE: Final = "the source table"

_YEAR: Final = r"(?:19|20)[0-9]{2}"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"(?:[T_. -]?[0-9]{2}(?:[:_.-]?[0-9]{2}){0,2}(?:[.][0-9]+)?Z?)"
# 2026, 2026-03, 20260305, 2026-03-05T07, maybe after `dt=`, as Hive writes partitions.
_DATE: Final = re.compile(rf"(?:\w+=)?{_YEAR}(?:[-_.]?{_MONTH}(?:[-_.]?{_DAY}{_CLOCK}?)?)?")
_PART: Final = re.compile(r"(?:month|mon|mm?|day|dd?|hour|hh?|week|w|quarter|q)=[0-9]{1,2}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,2}")  # a month, day or hour, below a year


def sender_of(sources: Sources, bucket: str, key: str) -> str:
    """The name of the source that is declared for a version, or the folder of its key without dates. The days of the
    source table, which have no bucket, have one sender."""
    source = sources.of(bucket, key)
    if source is not sources.undeclared:
        return source.name
    return folder_of(key) if bucket else SOURCE_TABLE


def folder_of(key: str) -> str:
    """The folder of a key, without what is a date in it. It ends in a slash; the root is `/`."""
    kept: list[str] = []
    below_date = False
    for segment in key.split("/")[:-1]:
        below_date = _is_date(segment, below_date)
        if not below_date:
            kept.append(segment)
    return f"{'/'.join(kept)}/"


def _is_date(segment: str, below_date: bool) -> bool:
    if _DATE.fullmatch(segment) or _PART.fullmatch(segment):
        return True
    return below_date and _NUMBER.fullmatch(segment) is not None
