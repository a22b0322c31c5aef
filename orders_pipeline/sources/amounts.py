"""Amounts as senders declare to write them: decimal commas, thousands separators, minor units, a currency's sign.

Texts in, texts out: the result is a plain number like -1234.50.
"""

import re
from typing import Final

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
        text = _without_currency(text, source.currency)
    if not is_plain:
        text = _with_point(text, source.decimal, source.thousands)
    return _in_major_units(text, source) if source.amount_unit == "minor" else text


def _without_currency(text: pl.Expr, currency: str) -> pl.Expr:
    """Without the code or the sign of the declared currency, before or after the number."""
    names = "|".join(map(re.escape, (currency, *_SIGNS.get(currency, ()))))
    start, end = rf"^([+-]?)\s*(?:{names})\s*([+-]?)", rf"([0-9.,])\s*(?:{names})$"
    return text.str.replace(start, "${1}${2}").str.replace(end, "${1}")


def _with_point(text: pl.Expr, decimal: str, thousands: str | None) -> pl.Expr:
    """With a decimal point and without separators, which stand between groups of three digits or nowhere."""
    separator = _SEPARATORS.get(thousands, re.escape(thousands)) if thousands else None
    grouped = rf"|[0-9]{{1,3}}(?:{separator}[0-9]{{3}})+" if separator else ""
    is_declared = text.str.contains(rf"^[+-]?(?:[0-9]+{grouped})(?:{re.escape(decimal)}[0-9]+)?$")
    bare = text.str.replace_all(separator, "") if separator else text
    return pl.when(is_declared).then(bare.str.replace(decimal, ".", literal=True)).otherwise(pl.lit(""))


def _in_major_units(text: pl.Expr, source: Source) -> pl.Expr:
    """The number of minor units, a whole one, as a number of major units. Without any currency, they are hundredths."""
    is_whole = text.str.contains(rf"^[+-]?[0-9]{{1,{_WIDTH}}}(?:\.0+)?$")
    sign = pl.when(text.str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    units = text.str.replace(r"\.0+$", "").str.strip_chars_start("+-")

    def shifted(digits: int) -> pl.Expr:
        if not digits:
            return sign + units
        padded = units.str.zfill(_WIDTH)
        return sign + padded.str.head(_WIDTH - digits) + pl.lit(".") + padded.str.tail(digits)

    currency = pl.col(CURRENCY)
    major = shifted(_USUAL_DIGITS)
    for digits, codes in _MINOR_DIGITS.items():
        major = pl.when(currency.is_in(codes)).then(shifted(digits)).otherwise(major)
    is_known = currency.str.contains("^[A-Z]{3}$").fill_null(value=source.currency_column is None)
    return pl.when(~is_known).then(pl.lit(UNCLEAR)).when(is_whole).then(major).otherwise(pl.lit(""))
