"""Times as senders write them: which texts are times, and what a clock on the wall showed. No I/O.

Frame in, frame out, for any frame that narwhals reads.
"""

from typing import Any, Final

import narwhals as nw

Frame = nw.DataFrame[Any] | nw.LazyFrame[Any]

# Dates that exist, 1900 to 2199. The pattern holds the whole calendar, so that parsing a column never fails half-way.
_LEAP_DAY: Final = (
    r"(?:(?:19|21)(?:0[48]|[2468][048]|[13579][26])|20(?:[02468][048]|[13579][26]))-02-29"  # 1900, 2100: no leap years
)
_OTHER_DAY: Final = (
    r"(?:19|2[01])[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"  # beyond microseconds, digits are cut
_OFFSET: Final = r" ?(?:Z|UTC|[+-](?:(?:0[0-9]|1[0-3])(?::?[0-5][0-9])?|14(?::?00)?))"
TIME: Final = rf"^(?:{_LEAP_DAY}|{_OTHER_DAY})(?:[T ]{_CLOCK}(?:{_OFFSET})?)?$"

_DATE_CHARS: Final = 10

# Most files use one of these formats throughout. Each pattern recognizes its format among texts that match TIME.
_PLAIN_TIMES: Final = {
    "%Y-%m-%dT%H:%M:%S": "^.{10}T.{5}:..$",
    "%Y-%m-%d %H:%M:%S": "^.{10} .{5}:..$",
    "%Y-%m-%d": "^.{10}$",
}


def day_of(column: str) -> nw.Expr:
    """The calendar day of a column of wall-clock times, as a date."""
    return nw.col(column).dt.truncate("1d").cast(nw.Date)


def read_time(frame: Frame, name: str) -> Frame:
    """Split the text in `<name>_text`, which matches TIME, into `<name>_reading` (what the clock showed, in
    microseconds), `<name>_offset` (a duration ahead of UTC, zero for a text without offset) and `<name>_tail` (the
    offset's text)."""
    if format_ := _plain_format(frame, f"{name}_text"):
        reading = nw.col(f"{name}_text").str.to_datetime(format_).cast(nw.Datetime("us"))
        no_offset = {f"{name}_tail": nw.lit(""), f"{name}_offset": nw.lit(0).cast(nw.Duration("us"))}
        return frame.with_columns(**{f"{name}_reading": reading}, **no_offset)
    text, tail, digits = (nw.col(f"{name}_{part}") for part in ("text", "tail", "digits"))
    minutes = nw.when(text.str.len_chars() > _DATE_CHARS).then(text.str.slice(11, 5)).otherwise(nw.lit("00:00"))
    seconds = nw.when(text.str.slice(16, 1) == ":").then(text.str.slice(17, 2)).otherwise(nw.lit("00"))
    fraction = nw.when(text.str.slice(19, 1) == ".").then(text.str.slice(20, 6)).otherwise(nw.lit(""))
    clock = nw.concat_str([text.str.slice(0, 10), minutes, seconds], separator=" ").str.to_datetime("%Y-%m-%d %H:%M %S")
    micros = fraction.str.replace_all("[^0-9].*$", "").str.pad_end(6, "0").fill_null("0").cast(nw.Int64)
    sign = nw.when(tail.str.starts_with("-")).then(nw.lit(-1)).otherwise(nw.lit(1))
    ahead = digits.str.slice(1, 2).cast(nw.Int64) * 60 + digits.str.slice(3, 2).cast(nw.Int64)
    parts = {
        f"{name}_reading": clock.cast(nw.Datetime("us")) + micros.cast(nw.Duration("us")),
        f"{name}_tail": text.str.slice(16).str.replace_all(r"^(:[0-9]{2}(\.[0-9]+)?)? ?", "").fill_null(""),
    }
    padded = tail.str.replace_all("Z|UTC", "+").str.replace_all(":", "").str.pad_end(5, "0")
    return (
        frame.with_columns(**parts)
        .with_columns(**{f"{name}_digits": padded})
        .with_columns(**{f"{name}_offset": (ahead * sign * 60_000_000).cast(nw.Duration("us"))})
    )


def _plain_format(frame: Frame, name: str) -> str | None:
    """The one format of all time texts in a column. None: they have several, or the frame is lazy."""
    if isinstance(frame, nw.LazyFrame):
        return None
    texts = frame[name]
    fits = (format_ for format_, pattern in _PLAIN_TIMES.items() if texts.str.contains(pattern).fill_null(True).all())
    return next(fits, None)


def wall_clock(name: str, zone: str, written_in: str | None = None) -> nw.Expr:
    """What a clock in `zone` shows: the reading itself, or converted where the text has an offset. `written_in`: the
    zone of times without offset, if it is another one. A date without a time is never converted."""
    reading, offset = nw.col(f"{name}_reading"), nw.col(f"{name}_offset")
    shown = nw.when(_has_offset(name)).then(_clock_in(zone, reading - offset))
    if written_in is None or written_in == zone:
        return shown.otherwise(reading)
    has_time = nw.col(f"{name}_text").str.len_chars() > _DATE_CHARS
    return shown.otherwise(nw.when(has_time).then(_clock_in(zone, _in_utc(reading, written_in))).otherwise(reading))


def instant(name: str, zone: str) -> nw.Expr:
    """The point in time, UTC. A reading without offset is in `zone`."""
    reading, offset = nw.col(f"{name}_reading"), nw.col(f"{name}_offset")
    known = nw.when(_has_offset(name)).then(reading - offset).otherwise(_in_utc(reading, zone))
    return known.dt.replace_time_zone("UTC")


def _in_utc(reading: nw.Expr, zone: str) -> nw.Expr:
    """What a clock in UTC shows when one in `zone` shows the reading. If a clock change skips or repeats it, the offset
    just before or after the change applies, always the same one."""
    guess = reading - (_clock_in(zone, reading) - reading)
    return reading - (_clock_in(zone, guess) - guess)


def _clock_in(zone: str, utc: nw.Expr) -> nw.Expr:
    """What a clock in `zone` shows at a time given by a clock in UTC."""
    if zone == "UTC":
        return utc
    return utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)


def _has_offset(name: str) -> nw.Expr:
    return nw.col(f"{name}_tail") != ""
