"""What a source says of each row by the values of its columns: whether it counts, and in which currency it is."""

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

import narwhals as nw

from orders_pipeline.errors import QuarantineError
from orders_pipeline.schema import NO_IDS, NO_IDS_AS_WRITTEN, NULL_TEXTS, ORDER_COLUMNS
from orders_pipeline.sources.declaration import Source

# What senders call the column of currencies, without case, blanks and punctuation. Not the currency of a settlement, of
# the customer or of the display: those may be others than the amount's.
_CURRENCY_COLUMN: Final = re.compile(
    r"(?:order|amount|total|price|payment|transaction|sales?|invoice)?(?:iso)?currency(?:iso)?(?:code|name|symbol)?"
    r"|ccy|w(?:ä|ae)hrungs?(?:code)?|devise|moneda|moeda|valuta|waluta"
)
# A code, a name or a sign, no longer than names are. A column called `valuta` may have dates; dashes are no sign.
_CURRENCY: Final = r"^[^\x00-\x1F0-9]{0,19}[^\x00-\x1F0-9 ./?*_-]$"
_NO_CURRENCIES: Final = sorted({text.upper() for text in (*NULL_TEXTS, *NO_IDS, *NO_IDS_AS_WRITTEN)})


def deletes(source: Source, columns: Sequence[str]) -> nw.Expr | None:
    """Whether a row deletes its order. None: no row of the source does. `columns`: those of the frame.

    Raises:
        QuarantineError: a column that the source names is missing.
    """
    return _any(_is_one_of(source, source.deletes, columns))


def deleting(source: Source, columns: Sequence[str]) -> list[str]:
    """The columns of a frame that decide whether a row deletes its order.

    Raises:
        QuarantineError: a column that the source names is missing.
    """
    return [_column(source, name, columns) for name in source.deletes]


def drops(source: Source, columns: Sequence[str]) -> nw.Expr | None:
    """Whether a row is dropped: it has a value to drop, or none to keep. None: no row of the source is.

    Raises:
        QuarantineError: a column that the source names is missing.
    """
    return _any(
        [*_is_one_of(source, source.drop, columns), *(~kept for kept in _is_one_of(source, source.keep, columns))]
    )


def currency(source: Source, columns: Sequence[str]) -> nw.Expr:
    """The currency of a row, in capitals; null where the source does not say it. If nothing is declared, a column with
    a usual name says it.

    Raises:
        QuarantineError: the column that the source names is missing.
    """
    column = usual_currency_column(source, columns)
    if source.currency_column is not None:
        column = _column(source, source.currency_column, columns)
    if column is None:
        return nw.lit(source.currency, nw.String)
    text = nw.col(column).cast(nw.String).str.strip_chars().str.to_uppercase()
    return nw.when(text.str.contains(_CURRENCY) & ~text.is_in(_NO_CURRENCIES)).then(text)


def usual_currency_column(source: Source, columns: Sequence[str]) -> str | None:
    """The column that says the currency although nothing is declared; of several, the one with the shortest name. None:
    there is none, or something is declared."""
    if source.currency is not None or source.currency_column is not None:
        return None
    sent = [column for column in columns if column not in ORDER_COLUMNS and not column.startswith("_")]
    names = {column: re.sub(r"[\W_]", "", column).casefold() for column in sent}
    usual = [column for column in sent if _CURRENCY_COLUMN.fullmatch(names[column])]
    return min(usual, key=lambda column: len(names[column]), default=None)


def _is_one_of(source: Source, conditions: Mapping[str, Sequence[str]], columns: Sequence[str]) -> list[nw.Expr]:
    """For each condition, whether a row has one of its values, as the sender wrote them. A missing value is the empty
    text."""
    named = (
        (_column(source, name, columns), [value.strip() for value in values]) for name, values in conditions.items()
    )
    return [_as_sent(source, column).is_in(_spellings(source, column, values)) for column, values in named]


def _as_sent(source: Source, column: str) -> nw.Expr:
    """The values of a column without what the source puts before them."""
    text, prefix = nw.col(column).fill_null(""), source.prefix_of(column)
    return (text.str.replace(prefix, "", literal=True, n=1) if prefix else text).str.strip_chars()


def _spellings(source: Source, column: str, values: list[str]) -> list[str]:
    """The values of a condition as rows have them: a customer who is missing is the default one."""
    default = source.customer_default if column == "customer_id" and "" in values else None
    return values if default is None else [*values, default.strip()]


def _any(expressions: Sequence[nw.Expr]) -> nw.Expr | None:
    return reduce(or_, expressions) if expressions else None


def _column(source: Source, written: str, columns: Sequence[str]) -> str:
    """The column of a frame with this name in the sender's files: exactly, or else in another case."""
    declared = {name.strip().casefold(): column for column, name in source.columns.items()}
    name = written.strip()
    if column := declared.get(name.casefold()):
        return column
    # Those that begin with `_` are the pipeline's own.
    sent = [column for column in columns if column not in source.columns and not column.startswith("_")]
    others: dict[str, Any] = {column.casefold(): column for column in sent}
    # An order's column whose name another one has taken, and names that are reserved, begin with an `x`.
    is_reserved = name.startswith(("_", "^", "*")) or name.casefold() in ORDER_COLUMNS
    spellings = (name, f"x{name}") if is_reserved else (name,)
    for spelling in spellings:
        if spelling in others.values():
            return spelling
        if spelling.casefold() in others:
            return str(others[spelling.casefold()])
    raise QuarantineError(
        "column_missing",
        f"No column {written}, whose values decide which rows count. Correct the file, or the source {source.name!r}"
        " (`orders-pipeline sources apply`).",
    )
