"""Which formats a column of dates may have, for a draft of a declaration."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Final

from orders_pipeline.times import TIME

_DATES: Final = (
    *("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%b-%d-%Y", "%d-%b-%y", "%b-%d-%y", "%d %b %y", "%b %d, %y"),
    *("%d %B %Y", "%B %d, %Y", "%d. %B %Y"),
)
_CLOCKS: Final = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_BETWEEN: Final = (" ", "T", ", ")
_ZONES: Final = ("", "%z", " %z")
_FORMATS: Final = (
    *_DATES,
    *("".join(parts) for parts in product(_DATES, _BETWEEN, _CLOCKS, _ZONES)),
)
_WRITTEN_ZONES: Final = ("+0100", "-0100", "+01:00", "-01:00", "Z")
_ANY_TIME: Final = datetime(2026, 3, 5, 14, 30, 15, tzinfo=UTC)
_MOST: Final = 3  # formats of one column
_SHOWN: Final = 100  # values that are looked at


def guess_formats(values: Sequence[str]) -> tuple[list[str], bool]:
    """Formats that fit most of these texts, and whether they are clear. No format: all texts are ISO 8601 (which needs
    none), or most fit none. If not clear, each of the formats fits, and they mean other days."""
    distinct = list(dict.fromkeys(values))[:_SHOWN]
    if not distinct or all(map(re.compile(TIME).match, distinct)):
        return [], True
    left, chosen, unknown = distinct, list[str](), 0
    while left and len(chosen) < _MOST:
        fitting = [format_ for format_ in _by_shape().get(_shape(left[0]), ()) if dict(_read(left[:1], format_))]
        fits = {format_: dict(_read(left, format_)) for format_ in fitting}
        if not fits:
            left, unknown = left[1:], unknown + 1
            continue
        best = max(fits, key=lambda format_: len(fits[format_]))
        alike = [format_ for format_, read in fits.items() if len(read) == len(fits[best])]
        if others := [format_ for format_ in alike if fits[format_] != fits[best]]:
            return ([best, others[0]], False)
        chosen.append(best)
        left = [value for value in left if value not in fits[best]]
    return (chosen, True) if (len(left) + unknown) * 2 < len(distinct) else ([], True)


@cache
def _by_shape() -> dict[str, list[str]]:
    """The formats by the shape of the texts that they write: of a text of another shape, none needs a try."""
    found: dict[str, list[str]] = {}
    for format_ in _FORMATS:
        for zone in _WRITTEN_ZONES if "%z" in format_ else ("",):
            found.setdefault(_shape(_ANY_TIME.strftime(format_.replace("%z", zone))), []).append(format_)
    return found


def _shape(text: str) -> str:
    """A text with each number as a 9, and each word as an a."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


def _read(values: Sequence[str], format_: str) -> Iterator[tuple[str, datetime]]:
    for value in values:
        try:
            yield value, datetime.strptime(value, format_)  # noqa: DTZ007  # compared, never used
        except ValueError:
            continue
