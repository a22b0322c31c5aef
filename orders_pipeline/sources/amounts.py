"""Amounts as senders declare to write them: decimal commas, thousands separators, minor units, a currency's sign.

Texts in, texts out: the result is a plain number like -1234.50.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import polars as pl

from orders_pipeline.schema import CURRENCY
from orders_pipeline.sources.dates import UNCLEAR
from orders_pipeline.sources.declaration import Source

# The minor units of currencies that do not have two decimals (ISO 4217, list one).
_MINOR_DIGITS: Final = {
    0: [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ],
    3: ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"],
    4: ["CLF", "UYW"],
}
_USUAL_DIGITS: Final = 2
_WIDTH: Final = 18  # digits of an amount in minor units
_SIGNS: Final = {
    **dict.fromkeys(("USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD"), ("$",)),
    "EUR": ("€",),
    "GBP": ("£",),
    "JPY": ("¥", "￥"),
    "CNY": ("¥", "￥"),
    "PLN": ("zł",),
    **dict.fromkeys(("SEK", "NOK", "DKK"), ("kr",)),
    "INR": ("₹",),
    "BRL": ("R$",),
    "TRY": ("₺",),
    "ILS": ("₪",),
    "KRW": ("₩",),
    "UAH": ("₴",),
    "CZK": ("Kč",),
}
# Spaces that do not break a line are what programs write between thousands.
_SEPARATORS: Final = {" ": "[ \u00a0\u202f]", "'": "['\u2019]"}


def plain_amount(source: Source) -> pl.Expr | None:
    """The column `amount` as plain numbers: empty where it is not written as declared; `UNCLEAR` where nothing says how
    many decimals its minor units are. None: the source declares nothing of the kind. For minor units, the frame has the
    column `schema.CURRENCY` too."""
    text = pl.col("amount").str.strip_chars()
    is_plain = source.decimal == "." and source.thousands is None
    if is_plain and source.amount_unit == "major" and source.currency is None:
        return None
    if source.currency is not None:
        text = _computed(_without_currency, text, currency=source.currency)
    if not is_plain:
        text = _computed(_with_point, text, decimal=source.decimal, thousands=source.thousands)
    if source.amount_unit == "minor":
        has_column = source.currency_column is not None
        text = _computed(_in_major_units, pl.struct(text.alias("text"), CURRENCY), has_column=has_column)
    return text


def _computed(function: Callable[..., pl.Series], values: pl.Expr, **given: Any) -> pl.Expr:
    """A function of a column. An expression would compute its column again for each mention of it."""
    return values.map_batches(partial(function, **given), return_dtype=pl.String(), is_elementwise=True)


def _without_currency(text: pl.Series, currency: str) -> pl.Series:
    """Without the code or the sign of the declared currency, before or after the number."""
    names = "|".join(map(re.escape, (currency, *_SIGNS.get(currency, ()))))
    for pattern, number in (
        (rf"^([+-]?)\s*(?:{names})\s*([+-]?)", "${1}${2}"),
        (rf"([0-9.,])\s*(?:{names})$", "${1}"),
    ):
        if text.str.contains(pattern).any():  # to look is much cheaper than to replace
            text = text.str.replace(pattern, number)
    return text


def _with_point(text: pl.Series, decimal: str, thousands: str | None) -> pl.Series:
    """With a decimal point and without separators, which stand between groups of three digits or nowhere."""
    separator = _SEPARATORS.get(thousands, re.escape(thousands)) if thousands else None
    grouped = rf"|[0-9]{{1,3}}(?:{separator}[0-9]{{3}})+" if separator else ""
    is_declared = text.str.contains(rf"^[+-]?(?:[0-9]+{grouped})(?:{re.escape(decimal)}[0-9]+)?$")
    bare = text.str.replace_all(separator, "") if separator else text
    return _where(is_declared, bare.str.replace(decimal, ".", literal=True), "")


def _in_major_units(rows: pl.Series, *, has_column: bool) -> pl.Series:
    """Numbers of minor units, whole ones, as numbers of major units. Without any currency, they are hundredths."""
    text, currency = rows.struct.field("text"), rows.struct.field(CURRENCY)
    is_whole = text.str.contains(rf"^[+-]?[0-9]{{1,{_WIDTH}}}(?:\.0+)?$")
    units = text.str.replace(r"\.0+$", "").str.strip_chars_start("+").cast(pl.Int64, strict=False)
    major = _shifted(units, _USUAL_DIGITS)
    for digits, codes in _MINOR_DIGITS.items():
        if (is_so := currency.is_in(codes)).any():
            major = _where(is_so, _shifted(units, digits), major)
    is_known = currency.str.contains("^[A-Z]{3}$").fill_null(value=not has_column)
    return _where(is_known, _where(is_whole, major, ""), UNCLEAR)


def _shifted(units: pl.Series, digits: int) -> pl.Series:
    """Whole numbers as texts with a point before their last digits."""
    if not digits:
        return units.cast(pl.String)
    unit = 10**digits
    whole, rest = units.abs() // unit, units.abs() % unit + unit
    plain = whole.cast(pl.String) + "." + rest.cast(pl.String).str.tail(digits)
    is_negative = units < 0
    return _where(is_negative, "-" + plain, plain) if is_negative.any() else plain


def _where(holds: pl.Series, text: pl.Series, otherwise: pl.Series | str) -> pl.Series:
    other = otherwise if isinstance(otherwise, pl.Series) else pl.lit(otherwise)
    return pl.select(pl.when(holds).then(text).otherwise(other).alias(text.name)).to_series()
