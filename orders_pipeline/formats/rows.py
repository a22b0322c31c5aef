"""Batches of rows as Polars frames, common to all formats.

A batch holds the file's columns as text (those of an order under their own names, in lower case), and
`_row_number`, `_problem`, `_text` of `schema`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

import polars as pl

from orders_pipeline.formats.encodings import BATCH_CHARS, csv_text, printable
from orders_pipeline.schema import PROBLEM, ROW_NUMBER, TEXT

BATCH_ROWS: Final = 50_000
OF_EACH_ROW: Final = (ROW_NUMBER, PROBLEM, TEXT)  # the columns of a batch that are not the file's
_BATCH_CELLS: Final = 2_000_000
_GATHERED_BYTES: Final = 16 << 20

Row = tuple[int, str | None, str | None, Sequence[str | None]]  # row number, problem, text, fields


class Source(Protocol):
    """A source of rows. `spent` counts the characters read since it was last set to zero."""

    spent: int


def batch_rows(columns: int, most: int = BATCH_ROWS) -> int:
    """The most rows of a batch of so many columns. Each cell takes memory, even if it is empty."""
    return min(most, max(1, _BATCH_CELLS // max(columns, 1)))


def gathered(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Small batches combined into larger ones: each becomes a row group of the raw object, and each column of a row
    group takes memory for as long as the object is open."""
    small: list[pl.DataFrame] = []
    full = 0.0
    for batch in batches:
        more = max(batch.height / batch_rows(batch.width), batch.estimated_size() / _GATHERED_BYTES)
        if small and full + more > 1:
            yield pl.concat(small)
            small, full = [], 0.0
        small.append(batch)
        full += more
        if full >= 1:
            yield pl.concat(small)
            small, full = [], 0.0
    if small:
        yield pl.concat(small)


def to_batches(names: Sequence[str], rows: Iterable[Row], source: Source) -> Iterator[pl.DataFrame]:
    """Rows as batches, bounded in rows, fields and characters. Without rows, there is one empty batch."""
    most = batch_rows(len(names))
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
    numbers: Sequence[int] | pl.Series,
    problems: Sequence[str | None] | None = None,
    texts: Sequence[str | None] | None = None,
) -> pl.DataFrame:
    """Columns as one batch. Without `problems` and `texts`, no row has any.

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
