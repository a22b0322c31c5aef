"""The columns of the source table as SQL: which of them belong to an order, and one text for each value of those.

This module only writes SQL and runs none. Names are quoted and unqualified, for a query with the table as its only FROM
item: there a column takes precedence over everything else of the same name.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orders_pipeline.schema import ID_COLUMNS
from orders_pipeline.storage.postgres import quote

# Equal values of these types have the same text, so the values themselves can be hashed, which is faster.
_HASHED_BY_VALUE: Final = frozenset(
    {"int2", "int4", "float4", "float8", "bool", "text", "varchar", "bpchar", "uuid", "date"}
)
# Postgres combines their 32-bit halves, so that 4294967296 hashes like 1. Their bytes are hashed instead.
_BYTES: Final = {"int8": "int8send", "timestamp": "timestamp_send", "timestamptz": "timestamptz_send"}
# JSON numbers that fit into Postgres's numeric.
_JSON_NUMBER: Final = r"^\s*-?\d{1,255}(\.\d{1,255})?([eE][+-]?\d{1,3})?\s*$"
_NO_TEXT_IN_JSON: Final = r"\\u(0000|[dD][89a-fA-F])"  # Postgres refuses to unescape U+0000 and half a character
_UTF8_IN_HEX: Final = (
    "^(0[1-9a-f]|[1-7].|(c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].|(e[1-9a-c]|e[ef])([89ab].){2}|ed[89].[89ab]."
    "|f0[9ab].([89ab].){2}|f[1-3]([89ab].){3}|f48.([89ab].){2})*$"
)


@dataclass(frozen=True)
class SourceColumn:
    """A column of the source table.

    `order_column`: the column of an order that it holds; None: it is kept with the raw rows, unused.
    `type`: Postgres's own name of its type, below any domain, such as `bpchar`; empty for any other type.
    `declared`: the type as it was declared.
    `has_scale`: all its numbers have the same number of decimals.
    `is_deterministic`: its collation treats different texts as different.
    `decides`: its values decide what becomes of a row, as the table's source declares.
    """

    name: str
    order_column: str | None
    type: str
    declared: str
    has_scale: bool
    is_deterministic: bool
    decides: bool = False

    @property
    def quoted(self) -> str:
        return quote(self.name)

    @property
    def text(self) -> str:
        """SQL for the text of its value. Equal values have the same text in every type."""
        return _text(self.type, self.quoted, is_id=self.order_column in ID_COLUMNS)

    @property
    def fingerprinted(self) -> str:
        """SQL for the expression to hash. Values with different texts never count as equal."""
        is_hashed_by_value = self.type in _HASHED_BY_VALUE or (
            self.type == "numeric" and (self.has_scale or self.order_column in ID_COLUMNS)
        )
        if self.type in _BYTES:
            return f"{_BYTES[self.type]}({self.quoted})"
        return self.quoted if is_hashed_by_value and self.is_deterministic else _bytewise(self.text)


def day(columns: Sequence[SourceColumn], zone: str) -> str | None:
    """SQL for the day of a row, NULL if its text begins with none. None: no column is the `order_date`.

    It only splits the table into files. Validation decides which day an order belongs to, as for any other file."""
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
    """SQL for the hash of a row. Unused columns are left out: their values change no result, and may differ in each
    query."""
    row = f"hash_record_extended(ROW({', '.join(column.fingerprinted for column in _used(columns))}), 0)"
    # Hashed again: the row's hash is a linear mix of its columns, so a sum over rows would miss two rows that swapped a
    # value.
    return f"hashtextextended({row}::text, 0)"


def shape(columns: Sequence[SourceColumn]) -> str:
    """A hash of names and types of the columns in use: the hash of a row covers only values."""
    described = [f"{column.order_column} {column.name} {column.declared}" for column in _used(columns)]
    return hashlib.md5("\n".join(described).encode(), usedforsecurity=False).hexdigest()


def copied(columns: Sequence[SourceColumn]) -> str:
    """SQL for the fields of a copied row."""
    return ", ".join(column.text for column in columns)


def ordered(columns: Sequence[SourceColumn]) -> str:
    """SQL for an order of rows that depends on the rows alone. Unused columns come last, so that they never decide
    which of two rows wins."""
    used = _used(columns)
    others = [column.quoted for column in columns if column not in used]
    texts = [column.text for column in used] + ([f"ROW({', '.join(others)})::text"] if others else [])
    return ", ".join(f"{_bytewise(text)} NULLS FIRST" for text in texts)


def _used(columns: Sequence[SourceColumn]) -> list[SourceColumn]:
    """The columns of an order, and those that decide what becomes of a row."""
    return [column for column in columns if column.order_column is not None or column.decides]


def _bytewise(text: str) -> str:
    return f'({text}) COLLATE "C"'


def _text(kind: str, value: str, *, is_id: bool) -> str:
    """SQL for the one text of a value. Postgres's own text may have padding, an exponent or a currency sign. Numbers in
    an id have no trailing zeros: 1001.00 and 1001 are one id."""

    def number(numeric: str) -> str:
        return f"trim_scale({numeric})::text" if is_id else f"({numeric})::text"

    match kind:
        case "numeric":
            return number(value)
        case "money":
            return number(f"{value}::numeric")
        case "float4" | "float8":  # via the shortest text that gives the same float
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
