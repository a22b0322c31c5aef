"""Dates and times as senders declare to write them, in the directives of strptime.

Texts in, texts out: the result is a date like 2026-03-05, or a time like 2026-03-05T14:30:00+01:00.
"""

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from orders_pipeline.times import TIME

UNCLEAR: Final = "unclear"

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_ONE_OR_TWO: Final = "[0-9]{1,2}"
_TWO: Final = "[0-9]{2}"
_PATTERNS: Final = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": _ONE_OR_TWO,
    "d": _ONE_OR_TWO,
    "b": f"(?i:{'|'.join(_MONTHS)})",
    "B": f"(?i:{'|'.join(_FULL_MONTHS)})",
    "H": _ONE_OR_TWO,
    "I": _ONE_OR_TWO,
    "p": "(?i:am|pm)",
    "M": _ONE_OR_TWO,
    "S": _ONE_OR_TWO,
    "f": "[0-9]{1,9}",
    "z": "Z|[+-][0-9]{2}:?[0-9]{2}",
}
_LENGTHS: Final = {"Y": 4, "b": 3, **dict.fromkeys("ymdHIMSp", 2)}
_DATE: Final = ("y", "Y"), ("m", "b", "B"), ("d",)  # one of each
_TIME: Final = "HIpMSfz"
_NEEDS: Final = {"I": "p", "p": "I", "M": "HI", "S": "M", "f": "S", "z": "HI"}  # each without a gap before it
_FIRST_OF_1900S: Final = 69  # POSIX: 69 to 99 are years of the 1900s


def checked(date_format: str, *, with_time: bool = True) -> str:
    """The format, if it is one.

    Raises:
        ValueError: it has other directives, one of them twice, or does not say year, month and day.
    """
    directives = re.findall("%(.?)", date_format)
    known = [name for name in _PATTERNS if with_time or name not in _TIME]
    if wrong := next((name for name in directives if name not in known), None):
        raise ValueError(f"{date_format!r} has %{wrong}; the directives are {' '.join(f'%{name}' for name in known)}")
    if "" in directives:
        raise ValueError(f"{date_format!r} ends with a %")
    if any(directives.count(name) > 1 for name in directives):
        raise ValueError(f"{date_format!r} has a directive twice")
    if any(sum(name in directives for name in part) != 1 for part in _DATE):
        raise ValueError(f"{date_format!r} does not say year, month and day once each, like '%d.%m.%Y'")
    if "H" in directives and "I" in directives:
        raise ValueError(f"{date_format!r} says the hour twice")
    for name, needed in _NEEDS.items():
        if name in directives and not any(other in directives for other in needed):
            raise ValueError(f"{date_format!r} has %{name} without {' or '.join(f'%{other}' for other in needed)}")
    return date_format


def pattern_of(date_format: str) -> str:
    """The regular expression of the texts of a format, with a group named by each directive."""
    parts = re.split("%(.)", date_format)
    found = []
    for place, part in enumerate(parts):
        if not place % 2:
            found.append(re.escape(part).replace(r"\ ", " "))
            continue
        pattern = _PATTERNS[part]
        is_between = not parts[place - 1] and place > 1, not parts[place + 1] and place + 2 < len(parts)
        if pattern == _ONE_OR_TWO and any(is_between):  # without anything between them, numbers have all their digits
            pattern = _TWO
        found.append(f"(?P<{part}>{pattern})")
    return "".join(found)


def plain_times(texts: pl.Series, formats: Sequence[str]) -> pl.Series:
    """Texts in one of these formats as plain dates and times: empty where a text fits none of them, or names no date
    that exists; `UNCLEAR` where it fits two that differ."""
    text = texts.str.strip_chars()
    readings = [time for date_format in formats if (time := _rearranged(text, date_format)) is not None]
    if not readings:
        return pl.repeat("", len(texts), dtype=pl.String, eager=True).alias(texts.name)
    frame = pl.DataFrame([time.alias(str(number)) for number, time in enumerate(readings)])
    found = pl.coalesce(pl.all())
    if len(readings) > 1:
        differ = pl.any_horizontal((pl.all() != found).fill_null(value=False))
        found = pl.when(differ).then(pl.lit(UNCLEAR)).otherwise(found)
    return frame.select(found.fill_null("").alias(texts.name)).to_series()


def days_in(text: str, before: str, date_format: str, after: str) -> set[str]:
    """The dates of a format, like 2026-03-05, that occur in a text between two others. Places may overlap."""
    places = re.finditer(f"(?={re.escape(before)}({pattern_of(date_format)}){re.escape(after)})", text)
    return set(plain_times(pl.Series([place[1] for place in places], dtype=pl.String), [date_format])) - {""}


def _rearranged(texts: pl.Series, date_format: str) -> pl.Series | None:
    """Texts of this format in the order of ISO 8601, if the date exists; null for all others. None: there is none."""
    pattern = f"^{pattern_of(date_format)}$"
    fits = texts.str.contains(pattern)
    if not fits.any():
        return None
    places = _places_of(date_format)
    is_padded = places is not None and (~fits | texts.str.contains(pattern.replace(_ONE_OR_TWO, _TWO))).all()
    if places is not None and is_padded:  # slices are several times as fast as groups
        text = pl.select(pl.when(fits).then(texts)).to_series()
        groups = pl.DataFrame([text.str.slice(*place).alias(name) for name, place in places.items()])
    else:
        groups = texts.str.extract_groups(pattern).struct.unnest()
    has = set(groups.columns)

    def two_digits(name: str) -> pl.Expr:
        return pl.col(name) if is_padded else pl.col(name).str.zfill(2)

    year = pl.col("Y") if "Y" in has else _year(pl.col("y"))
    month = two_digits("m") if "m" in has else _month(pl.col("b" if "b" in has else "B"))
    parts = [pl.concat_str([year, month, two_digits("d")], separator="-")]
    if has & set("HI"):
        hour = two_digits("H") if "H" in has else _hour(pl.col("I"), pl.col("p"))
        clock = [hour, *(two_digits(name) if name in has else pl.lit("00") for name in "MS")]
        parts += [pl.lit("T"), pl.concat_str(clock, separator=":")]
    if "f" in has:
        parts += [pl.lit("."), pl.col("f")]
    if "z" in has:
        parts.append(pl.col("z"))
    time = groups.select(pl.concat_str(parts)).to_series()
    return time.set(~time.str.contains(TIME), None)


def _places_of(date_format: str) -> dict[str, tuple[int, int]] | None:
    """Where each directive of a text is, and how long, if all numbers have their leading zeros. None: a directive has
    no one length."""
    places, at = dict[str, tuple[int, int]](), 0
    for place, part in enumerate(re.split("%(.)", date_format)):
        if not place % 2:
            at += len(part)
        elif (length := _LENGTHS.get(part)) is None:
            return None
        else:
            places[part] = at, length
            at += length
    return places


def _year(two_digits: pl.Expr) -> pl.Expr:
    century = pl.when(two_digits.cast(pl.Int64) >= _FIRST_OF_1900S).then(pl.lit("19")).otherwise(pl.lit("20"))
    return pl.concat_str([century, two_digits])


def _month(name: pl.Expr) -> pl.Expr:
    numbers = {month: f"{number:02}" for number, month in enumerate(_MONTHS, start=1)}
    return name.str.head(3).str.to_lowercase().replace_strict(numbers, default=None, return_dtype=pl.String)


def _hour(of_twelve: pl.Expr, half: pl.Expr) -> pl.Expr:
    """The hour of the day; one that is no hour of twelve stays beyond 24, so that no such time exists."""
    hour = of_twelve.cast(pl.Int64)
    later = pl.when(half.str.to_lowercase() == "pm").then(12).otherwise(0)
    of_day = pl.when(hour.is_between(1, 12)).then(hour % 12 + later).otherwise(99)
    return of_day.cast(pl.String).str.zfill(2)
