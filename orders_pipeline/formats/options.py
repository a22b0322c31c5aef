"""How to read files: limits from the settings, and the names of columns from the settings or a source."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import StringIO
from itertools import chain
from typing import Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.schema import ORDER_COLUMNS
from orders_pipeline.sources.declaration import Source

MOST_COLUMNS: Final = 1_000
LONGEST_COLUMN_NAME: Final = 500
_FIELDS_IN_A_ROW: Final = 16  # of the longest kind: the limit of a whole row

# For each limit: the reason code of a file beyond it, and the unit.
LIMITS: Final = {
    "file_bytes": ("file_too_large", "bytes"),
    "expanded_bytes": ("expands_too_far", "bytes"),
    "expansion_ratio": ("expands_too_far", "times its compressed size"),
    "rows": ("too_many_rows", "rows"),
    "cells": ("too_many_cells", "cells"),
    "field_chars": ("field_too_long", "characters"),
}


@dataclass(frozen=True)
class Reading:
    """Limits of a file, each with its default, and what its columns are called.

    `aliases`: other names of an order's columns, in lower case.
    `columns`: the declared name of an order's column. It replaces the column's own name, and there are no aliases then.
    `given`: columns of an order that its source says, whatever the file has.
    `needed`: other columns that a file must have, since its source declares what their values mean.
    `source`: the name of the source, for messages.
    `format`: csv, json or parquet; None: the bytes decide. `encoding`: of text, by Python's name.
    `may_look_like_utf8`: text in another encoding is read by it even if its bytes are UTF-8 too.
    `delimiter`: of a CSV file; None: the header shows it. `skip_lines`: lines of such a file before its header.
    `json_records`: the keys above the array of orders in a JSON file, with dots between them.
    """

    file_bytes: int = 2 << 30
    expanded_bytes: int = 4 << 30
    expansion_ratio: int = 200
    rows: int = 100_000_000
    cells: int = 500_000_000
    field_chars: int = 1_000_000
    aliases: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    source: str = ""
    format: str | None = None
    encoding: str = "utf-8"
    may_look_like_utf8: bool = False
    delimiter: str | None = None
    skip_lines: int = 0
    json_records: str | None = None

    def of_source(self, source: Source) -> "Reading":
        """How to read the files of a source."""
        aliases = {} if source.columns else self.aliases
        needed = tuple(source.condition_columns)
        return replace(
            self,
            aliases=aliases,
            columns={str(k): v for k, v in source.columns.items()},
            given=("order_date",) if source.date_from_key else (),
            needed=needed,
            source=source.name,
            format=source.declared_format,
            encoding=source.encoding,
            may_look_like_utf8=source.may_look_like_utf8,
            delimiter=source.delimiter,
            skip_lines=source.skip_lines,
            json_records=source.json_records,
        )

    @cached_property
    def nested(self) -> tuple[str, ...]:
        """The declared names with a dot in them, which may stand for a column within another."""
        names = [name.strip() for name in (*self.columns.values(), *self.needed) if "." in name]
        return tuple({name.casefold(): name for name in names}.values())

    @property
    def row_chars(self) -> int:
        """The longest row, in characters."""
        return _FIELDS_IN_A_ROW * self.field_chars

    def beyond(self, limit: str, found: str) -> QuarantineError:
        """The error for a file that exceeds a limit. `found` begins its sentence."""
        code, unit = LIMITS[limit]
        return QuarantineError(
            code,
            f"{found}, and the limit is {getattr(self, limit):,} {unit} (ORDERS_MAX_{limit.upper()}). Split the file;"
            " or, if it is right, raise the limit and run `orders-pipeline retry KEY`.",
        )

    def require_cells(self, rows: int, columns: int) -> None:
        """Check the size of a file's table.

        Raises:
            QuarantineError: it has too many cells.
        """
        if rows * columns > self.cells:
            raise self.beyond("cells", f"{rows:,} rows of {columns:,} columns are {rows * columns:,} cells")

    def row_beyond(self, row: str) -> QuarantineError:
        """The error for a row that is too long for memory. `row` begins its sentence."""
        return QuarantineError(
            "row_too_long",
            f"{row} is longer than {self.row_chars:,} characters ({_FIELDS_IN_A_ROW} times ORDERS_MAX_FIELD_CHARS):"
            " is a quote or a line end missing?",
        )


def parse_aliases(text: str) -> dict[str, str]:
    """Aliases written as `orderId=order_id,"Total, EUR"=amount`, by their name in lower case. A name with a comma is
    quoted as in CSV; of several `=`, the last one separates.

    Raises:
        ValueError: the text has another form, or maps one name to two columns.
    """
    aliases: dict[str, str] = {}
    fields = csv.reader(StringIO(text), skipinitialspace=True)
    for pair in filter(None, (pair.strip() for pair in chain.from_iterable(fields))):
        written, separator, column = (part.strip() for part in pair.rpartition("="))
        name = written.casefold()
        if not separator or not name:
            raise ValueError(f"{pair!r} is not an alias like 'orderId=order_id'")
        if column not in ORDER_COLUMNS:
            raise ValueError(f"{column!r} is no column of an order; those are {', '.join(ORDER_COLUMNS)}")
        if name in ORDER_COLUMNS:
            raise ValueError(f"{written!r} is a column of an order itself, and cannot stand for another")
        if aliases.get(name, column) != column:
            raise ValueError(f"{written!r} stands for both {aliases[name]} and {column}")
        aliases[name] = column
    return aliases
