"""What a text on the command line means: a day, an order id or the name of a file. No I/O."""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from orders_pipeline.schema import TABLE_PREFIX

_ENDING: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,7}$")
_RELATIVE: Final = {"today": 0, "yesterday": 1}


class Kind(StrEnum):
    """What a text can mean."""

    DAY = "day"
    ORDER = "order"
    FILE = "file"


def day_of(text: str, today: date) -> date | None:
    """The day that a text means; None: it is none."""
    if text.casefold() in _RELATIVE:
        return today - timedelta(days=_RELATIVE[text.casefold()])
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if text == day.isoformat() else None


def is_surely_a_file(text: str) -> bool:
    """Whether a text is written as only names of files are."""
    return text.startswith(("s3://", TABLE_PREFIX))


def looks_like_a_file(text: str) -> bool:
    """Whether a text has a folder, or an ending like those of files."""
    return "/" in text or _ENDING.search(text) is not None


def keys_of(name: str, prefix: str) -> list[str]:
    """The keys that a name may mean, the likeliest first: the whole key, or the key below the landing prefix."""
    return list(dict.fromkeys([name, f"{prefix}{name}"]))


def is_storable(text: str) -> bool:
    """Whether Postgres could hold a text, so that it may be known."""
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)
