"""What each field of a source may hold: types for pydantic, whose errors say what to write instead."""

import codecs
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from orders_pipeline.sources import dates, expected

OrderColumn = Literal["order_id", "customer_id", "amount", "order_date", "updated_at"]
Values = Mapping[str, tuple[str, ...]]  # by column, values of it

_NO_FILES: Final = ("charmap", "idna", "punycode", "raw-unicode-escape", "unicode-escape")  # encodings of no files
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name like 'acme' or 'shop-2': lower-case letters, digits, '-' and '_'")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _iso_currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise ValueError(f"{text!r} is no currency code like 'EUR'")
    return text


def _text_encoding(written: str) -> str:
    """Python's own name of an encoding, so that each has one name. A byte order mark is accepted in any of Unicode."""
    try:
        codec = codecs.lookup(written)
        "a".encode(written)  # refuses what encodes no text
    except (LookupError, ValueError) as error:
        raise ValueError(f"{written!r} is no encoding that Python has, like 'cp1252' or 'utf-16'") from error
    if codec.name in _NO_FILES or codec.incrementaldecoder is None:
        raise ValueError(f"{written!r} is no encoding of files")
    return codec.name.removesuffix("-sig")


def _one_character(text: str) -> str:
    if len(text) != 1 or text in '"\r\n\0' or (text.isascii() and text.isalnum()):
        raise ValueError(f"{text!r} is no delimiter like ';': one character, no letter, digit, quote or line end")
    return text


def _path(text: str) -> str:
    if not all(text.split(".")):
        raise ValueError(f"{text!r} is no path of keys like 'data.orders'")
    return text


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone like 'Europe/Berlin'") from error
    return name


def _date_in_key(text: str) -> str:
    before, opening, rest = text.partition("(")
    inside, closing, after = rest.partition(")")
    if not (opening and closing) or set("()") & {*before, *inside, *after}:
        raise ValueError(f"{text!r} has no date in brackets, like 'order_date=(%Y-%m-%d)/'")
    dates.checked(inside, with_time=False)
    return text


def _days(value: object) -> object:
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9]\d{0,4})d", value.strip())):
        return timedelta(days=int(match[1]))
    raise ValueError(f"{value!r} is no number of days like '60d'")


def share(value: object) -> object:
    """A text like `1%` as a decimal; any other value as it is."""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())):
        return Decimal(match[1]) / 100
    return value


def _percentage(value: object) -> object:
    if isinstance(found := share(value), Decimal):
        return found
    raise ValueError(f"{value!r} is no share like '1%'")


def _listed(value: object) -> object:
    """The lists of a table as tuples: a source is a value, and never changes."""
    if isinstance(value, Mapping):
        return {name: tuple(values) if isinstance(values, list) else values for name, values in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _one_column_each(columns: Mapping[OrderColumn, str]) -> Mapping[OrderColumn, str]:
    by_name: dict[str, str] = {}
    for column, written in columns.items():
        name = written.strip().casefold()
        if name in by_name:
            raise ValueError(f"{written!r} stands for both {by_name[name]} and {column}")
        by_name[name] = column
    return columns


def _some_values(values: Values) -> Values:
    names = [column.strip().casefold() for column in values]
    for column, listed in values.items():
        if not listed:
            raise ValueError(f"{column}: the list of values is empty")
        if names.count(column.strip().casefold()) > 1:
            raise ValueError(f"{column}: the column is there twice")
    return values


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(_filled)]
Columns = Annotated[Mapping[OrderColumn, Text], AfterValidator(_one_column_each)]
Encoding = Annotated[str, AfterValidator(_text_encoding)]
Delimiter = Annotated[str, AfterValidator(_one_character)]
KeyPath = Annotated[str, AfterValidator(_path)]
DateInKey = Annotated[str, AfterValidator(_date_in_key)]
DateFormats = Annotated[tuple[Annotated[str, AfterValidator(dates.checked)], ...], BeforeValidator(_listed)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Conditions = Annotated[
    dict[Text, Annotated[tuple[str, ...], Field(strict=True)]],
    BeforeValidator(_listed),
    AfterValidator(_some_values),
]
Currency = Annotated[str, AfterValidator(_iso_currency)]
Patterns = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
Days = Annotated[timedelta, BeforeValidator(_days)]
Deliveries = Annotated[str, AfterValidator(expected.checked)]
Share = Annotated[Decimal, BeforeValidator(_percentage), Field(ge=0, le=1)]
