"""The columns of the source table as SQL: which of them an order has, and one text for each value of those.

Pure: it describes and writes SQL, and asks nothing. Names are quoted and stand alone, for a query with the table as its
only FROM item: there a column wins over everything else of the same name.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orders_pipeline.schema import ID_COLUMNS
from orders_pipeline.storage.postgres import quote

# Types whose equal values have the same text, so that their values can be hashed as they are, which is the faster.
_TOLD_BY_VALUE: Final = frozenset(
    {"int2", "int4", "float4", "float8", "bool", "text", "varchar", "bpchar", "uuid", "date"}
)
# Hashed as their halves of 32 bits combined, which makes 4294967296 the same as 1: their bytes are hashed instead.
_BYTES: Final = {"int8": "int8send", "timestamp": "timestamp_send", "timestamptz": "timestamptz_send"}
# Plain JSON numbers, as far as Postgres has a number for each of them.
_JSON_NUMBER: Final = r"^\s*-?\d{1,255}(\.\d{1,255})?([eE][+-]?\d{1,3})?\s*$"
_NO_TEXT_IN_JSON: Final = r"\\u(0000|[dD][89a-fA-F])"  # Postgres refuses to unescape U+0000 and half a character
_UTF8_IN_HEX: Final = (
    "^(0[1-9a-f]|[1-7].|(c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].|(e[1-9a-c]|e[ef])([89ab].){2}|ed[89].[89ab]."
    "|f0[9ab].([89ab].){2}|f[1-3]([89ab].){3}|f48.([89ab].){2})*$"
)


@dataclass(frozen=True)
class SourceColumn:
    """A column of the source table.

    `order_column`: the column of an order that it is; None: it is kept with the raw rows, unused.
    `type`: Postgres's own name of its type, below any domain, such as `bpchar`; empty for a type of somebody else.
    `declared`: the type as it was declared.
    `has_scale`: all its numbers have the same count of decimals.
    `is_deterministic`: its collation takes no different texts for equal.
    """

    name: str
    order_column: str | None
    type: str
    declared: str
    has_scale: bool
    is_deterministic: bool

    @property
    def quoted(self) -> str:
        return quote(self.name)

    @property
    def text(self) -> str:
        """SQL for the text of its value, the same for the same value whatever type brings it."""
        return _text(self.type, self.quoted, is_id=self.order_column in ID_COLUMNS)

    @property
    def fingerprinted(self) -> str:
        """SQL for what is hashed of its value: two values with different texts never count as equal."""
        is_told = self.type in _TOLD_BY_VALUE or (
            self.type == "numeric" and (self.has_scale or self.order_column in ID_COLUMNS)
        )
        if self.type in _BYTES:
            return f"{_BYTES[self.type]}({self.quoted})"
        return self.quoted if is_told and self.is_deterministic else _bytewise(self.text)


def day(columns: Sequence[SourceColumn], zone: str) -> str | None:
    """SQL for the day of a row, None where its text begins with none; None where no column is the `order_date`.

    It only splits the table into files: which day an order belongs to is decided by the same rules as for any other
    file."""
    column = next((column for column in columns if column.order_column == "order_date"), None)
    if column is None:
        return None
    value = column.quoted
    if column.type == "timestamptz":
        literal = "'" + zone.replace("'", "''") + "'"
        value = f"({value} AT TIME ZONE {literal})"
    if column.type in ("date", "timestamp", "timestamptz"):
        return f"CASE WHEN isfinite({value}) THEN to_char({value}, 'YYYY-MM-DD') END"
    return rf"substring({column.text} FROM '^\s*(\d{{4}}-\d{{2}}-\d{{2}})')"


def fingerprint(columns: Sequence[SourceColumn]) -> str:
    """SQL for the hash of a row. The columns that no order has are left out: what they hold changes no figure, and may
    differ each time it is asked for."""
    row = f"hash_record_extended(ROW({', '.join(column.fingerprinted for column in _of_orders(columns))}), 0)"
    # Hashed once more: it is a linear mix of its columns, and in a sum over rows, two that swapped a value would be as
    # before.
    return f"hashtextextended({row}::text, 0)"


def shape(columns: Sequence[SourceColumn]) -> str:
    """A hash of names and types of an order's columns: the hash of a row knows only values."""
    described = [f"{column.order_column} {column.name} {column.declared}" for column in _of_orders(columns)]
    return hashlib.md5("\n".join(described).encode(), usedforsecurity=False).hexdigest()


def copied(columns: Sequence[SourceColumn]) -> str:
    """SQL for the fields of a row that is copied: an order's by their text, others as Postgres prints them."""
    return ", ".join(column.quoted if column.order_column is None else column.text for column in columns)


def ordered(columns: Sequence[SourceColumn]) -> str:
    """SQL for an order of rows that depends on the rows alone. The columns that no order has come last, so that they
    never decide which of two orders wins."""
    others = [column.quoted for column in columns if column.order_column is None]
    texts = [column.text for column in _of_orders(columns)] + ([f"ROW({', '.join(others)})::text"] if others else [])
    return ", ".join(f"{_bytewise(text)} NULLS FIRST" for text in texts)


def _of_orders(columns: Sequence[SourceColumn]) -> list[SourceColumn]:
    return [column for column in columns if column.order_column is not None]


def _bytewise(text: str) -> str:
    return f'({text}) COLLATE "C"'


def _text(kind: str, value: str, *, is_id: bool) -> str:
    """SQL for one text of a value: not always what Postgres prints, which pads, has exponents or signs of currency.
    Numbers in an id have no zeros at the end of their decimals: 1001.00 and 1001 are one id."""

    def number(numeric: str) -> str:
        return f"trim_scale({numeric})::text" if is_id else f"({numeric})::text"

    match kind:
        case "numeric":
            return number(value)
        case "money":
            return number(f"{value}::numeric")
        case "float4" | "float8":  # by the shortest text that gives the same float
            return f"({value}::text)::numeric::text"
        case "json" | "jsonb":
            as_number = (
                f"WHEN {value}::text ~ '{_JSON_NUMBER}' THEN {number(f'{value}::text::numeric')} " if is_id else ""
            )
            as_it_is = f"WHEN {value}::text ~ '{_NO_TEXT_IN_JSON}' THEN {value}::text"
            return f"CASE {as_number}{as_it_is} ELSE {value} #>> '{{}}' END"
        case "bytea":
            as_text = f"WHEN encode({value}, 'hex') ~ '{_UTF8_IN_HEX}' THEN convert_from({value}, 'UTF8')"
            return f"CASE {as_text} ELSE {value}::text END"
        case "inet":
            return f"abbrev({value})"
        case _:
            return f"{value}::text"
