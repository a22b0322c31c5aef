"""What all formats share: column names, and batches of rows as Polars frames.

A batch holds the file's columns as text (those of an order under their own names, whatever the header's case), and
`_row_number`, `_problem`, `_text` of `schema`.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import count
from typing import Final, Protocol

import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing.formats.text import BATCH_CHARS
from orders_pipeline.landing.reading import LONGEST_COLUMN_NAME, MOST_COLUMNS
from orders_pipeline.schema import ORDER_COLUMNS, PROBLEM, REQUIRED_COLUMNS, ROW_NUMBER, TEXT

BATCH_ROWS: Final = 50_000
_BATCH_FIELDS: Final = 4_000_000

Row = tuple[int, str | None, str | None, Sequence[str | None]]  # row number, problem, text, fields


class Source(Protocol):
    """Where rows come from: `spent` counts the characters since it was last set to zero."""

    spent: int


def column_names(header: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """Column names of a header: an order's columns in their own spelling, others as they are, but for a leading
    underscore, which is kept for where a row comes from, and for `*` and `^`, which Polars takes for patterns."""
    names = []
    for number, written in enumerate(header, start=1):
        name = written.replace("\ufeff", "").strip()
        known = aliases.get(name.casefold(), name.casefold())
        taken = f"x{name}" if name.startswith(("_", "^", "*")) else name
        names.append(known if known in ORDER_COLUMNS else printable(taken) or f"column_{number}")
    return names


def missing_columns(names: Sequence[str]) -> list[str]:
    """The columns of an order that are not among these."""
    return [name for name in REQUIRED_COLUMNS if name not in names]


def required(names: Sequence[str]) -> list[str]:
    """The names with extra ones made unique.

    Raises:
        QuarantineError: a required column is missing, a column of an order is there twice, or names are too many or
            too long.
    """
    if missing := missing_columns(names):
        found = ", ".join(csv_text([name])[:60] for name in names[:20]) or "nothing"
        if len(missing) == len(REQUIRED_COLUMNS):  # what is found may be a row, and what is in it a person's
            found = f"{len(names)} other names; is the header missing" if names else "nothing"
        raise QuarantineError("column_missing", f"No column {', '.join(missing)}. Found: {found}.")
    if twice := [name for name in ORDER_COLUMNS if names.count(name) > 1]:
        raise QuarantineError("column_twice", f"More than one column {', '.join(twice)}.")
    if len(names) > MOST_COLUMNS:
        raise QuarantineError("too_many_columns", f"More than {MOST_COLUMNS} columns: is that an export of orders?")
    if too_long := next((name for name in names if len(name) > LONGEST_COLUMN_NAME), None):
        raise QuarantineError(
            "header_unreadable",
            f"A column's name has more than {LONGEST_COLUMN_NAME} characters; it begins {too_long[:60]!r}.",
        )
    unique: dict[str, None] = {}
    for name in names:
        spellings = (f"{name}_{number}" for number in count(2))
        unique[name if name not in unique else next(free for free in spellings if free not in unique)] = None
    return list(unique)


def to_batches(names: Sequence[str], rows: Iterable[Row], source: Source) -> Iterator[pl.DataFrame]:
    """Rows as batches, bounded in rows, fields and characters; the first one is there even where no row is."""
    most = min(BATCH_ROWS, max(1, _BATCH_FIELDS // len(names)))
    batch: list[Row] = []
    is_first = True
    for row in rows:
        batch.append(row)
        if len(batch) == most or source.spent > BATCH_CHARS:
            yield to_batch(names, batch)
            batch, source.spent, is_first = [], 0, False
    if batch or is_first:
        yield to_batch(names, batch)


def to_batch(names: Sequence[str], rows: Sequence[Row]) -> pl.DataFrame:
    """Rows as one batch. A row that is not valid text becomes one with a problem."""
    try:
        return _of_rows(names, rows)
    except UnicodeEncodeError:
        return _of_rows(names, [_without_surrogates(row) for row in rows])


def _of_rows(names: Sequence[str], rows: Sequence[Row]) -> pl.DataFrame:
    columns = list(zip(*(row[3] for row in rows), strict=True)) or [()] * len(names)
    return frame(names, columns, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def frame(
    names: Sequence[str],
    columns: Iterable[Sequence[str | None] | pl.Series],
    numbers: Sequence[int],
    problems: Sequence[str | None] | None = None,
    texts: Sequence[str | None] | None = None,
) -> pl.DataFrame:
    """Columns as one batch; without problems and texts, no row has any.

    Raises:
        UnicodeEncodeError: a field holds half a character.
    """
    nothing = pl.repeat(None, len(numbers), dtype=pl.String, eager=True)
    return pl.DataFrame(
        [
            *(pl.Series(name, values, dtype=pl.String) for name, values in zip(names, columns, strict=True)),
            pl.Series(ROW_NUMBER, numbers, dtype=pl.Int64),
            nothing.alias(PROBLEM) if problems is None else pl.Series(PROBLEM, problems, dtype=pl.String),
            nothing.alias(TEXT) if texts is None else pl.Series(TEXT, texts, dtype=pl.String),
        ]
    )


def _without_surrogates(row: Row) -> Row:
    number, problem, text, fields = row
    try:
        "".join(field for field in fields if field).encode()
    except UnicodeEncodeError:
        return number, "not_utf8", csv_text([field or "" for field in fields]), [None] * len(fields)
    return number, problem, text and printable(text), fields


def printable(text: str) -> str:
    """The text with lone surrogates spelled out: bytes that were not UTF-8, or half a character in JSON."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def csv_text(fields: Sequence[str], delimiter: str = ",") -> str:
    """Fields as a line of CSV."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(fields)  # it quotes what ends a line
    return printable(text.getvalue().removesuffix("\r\n"))
