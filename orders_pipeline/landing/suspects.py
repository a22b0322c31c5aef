"""Rows that count, but may not be what the sender meant: ids that look damaged, and negative amounts.

Nothing is changed or refused. A check names what was found, and a person decides.
"""

from decimal import Decimal
from typing import Final

import polars as pl

from orders_pipeline.ledger.records import Suspects
from orders_pipeline.schema import AMOUNT, ID_COLUMNS
from orders_pipeline.sources.declaration import PLAIN, Source
from orders_pipeline.text import EXAMPLES

_MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# What spreadsheets, floats and careless joins make of ids. The id is kept as written all the same.
_DAMAGED: Final = "|".join(
    (
        r"^['=]",  # the mark of a text cell, a formula
        r"^[\s\x{FEFF}\x{200B}]|[\s\x{FEFF}\x{200B}]$",  # white space, a byte order mark, a zero-width space at an end
        r"^[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+$",  # 1.23457E+12
        r"^[0-9]+\.0+$",  # 1001.0
        r"^[0-9]{1,3}(?:,[0-9]{3})+$",  # 1,001
        rf"^(?:[0-9]{{1,2}}-(?i:{_MONTHS})|(?i:{_MONTHS})-[0-9]{{2}})$",  # 5-Mar and Mar-05, which were 3-5 and 3-05
        r"\x{FFFD}",  # the mark of a character that could not be decoded
    )
)


_LONGEST_EXAMPLE: Final = 100  # characters


def find(clean: pl.DataFrame, source: Source = PLAIN) -> Suspects:
    """The suspects among clean rows of a source."""
    negative = clean.filter(pl.col(AMOUNT) < 0)
    ids = [_as_sent(name, source) for name in ID_COLUMNS]
    damaged = clean.filter(pl.any_horizontal(*(id_.str.contains(_DAMAGED) for id_ in ids)))
    return Suspects(
        negative.height,
        total(negative[AMOUNT]),
        damaged.height,
        total(damaged[AMOUNT]),
        _damaged_ids(damaged.with_columns(ids)) if damaged.height else (),
    )


def _as_sent(column: str, source: Source) -> pl.Expr:
    """Ids without the prefix that their source declares."""
    prefix = source.prefix_of(column)
    return pl.col(column).str.strip_prefix(prefix) if prefix else pl.col(column)


def _damaged_ids(rows: pl.DataFrame) -> tuple[str, ...]:
    ids = pl.concat([rows[name].alias("id") for name in ID_COLUMNS]).unique()
    found = ids.filter(ids.str.contains(_DAMAGED)).str.slice(0, _LONGEST_EXAMPLE)
    return tuple(found.sort().head(EXAMPLES))


def total(amounts: pl.Series) -> Decimal:
    """The sum of decimal amounts, or of texts of such."""
    return Decimal(amounts.cast(pl.Decimal(38, 2)).sum() or "0.00")
