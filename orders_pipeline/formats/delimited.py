"""CSV and similar formats: one delimiter, strict quoting."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Generator, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.delimited_fast import filled_rows, pieces
from orders_pipeline.formats.encodings import BATCH_CHARS, Lines, as_text, csv_reader, csv_text
from orders_pipeline.formats.header import MOST_BLANK_LINES, Header, is_blank, read_header
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.rows import Row, batch_rows, frame, to_batch
from orders_pipeline.schema import ORDER_COLUMNS

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_PLAIN_ROWS: Final = 250_000  # of a piece, which bounds their bytes
_AS_TEXT: Final = r'^\s*="((?:[^"]|"")*)"\s*$'  # how exports make a spreadsheet treat digits as text: ="00777"


def read_csv(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    header = read_header(path, reading)
    blank, lines, is_first = _BlankLines(), header.lines, True
    with path.open("rb") as file:
        file.seek(header.size + (len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0))
        for piece in pieces(file):
            is_first = False
            if columns := piece.columns(header.columns, header.delimiter, reading.field_chars):
                lines += yield from _sliced(header.columns, columns, lines + 1, blank, has_formulas=piece.has_formulas)
            elif piece.stands_alone(header.delimiter):
                text = as_text(BytesIO(piece.content))
                lines += yield from _batches(Lines(text, reading), lines, blank, header, reading)
            else:
                file.seek(piece.start)
                yield from _batches(Lines(as_text(file), reading), lines, blank, header, reading)
                return
    if is_first:
        yield frame(header.columns, [()] * len(header.columns), [])


class _BlankLines:
    """Counts the blank lines of a file. They become no rows, so no other limit bounds them."""

    def __init__(self) -> None:
        self._found = 0

    def add(self, found: int) -> None:
        self._found += found
        if self._found > MOST_BLANK_LINES:
            raise QuarantineError("too_many_rows", f"More than {MOST_BLANK_LINES:,} lines are blank.")


def _sliced(
    names: list[str], columns: list[pl.Series], line: int, blank: _BlankLines, *, has_formulas: bool
) -> Generator[pl.DataFrame, None, int]:
    """Columns as batches; their first row is line `line`. Returns how many lines they take."""
    lines = len(columns[0])
    numbers: Sequence[int] | pl.Series = range(line, line + lines)
    if (are_rows := filled_rows(columns)) is not None:
        numbers = pl.Series(numbers, dtype=pl.Int64).filter(are_rows)
        columns = [column.filter(are_rows) for column in columns]
        blank.add(lines - len(numbers))
    most = batch_rows(len(names), _PLAIN_ROWS)
    for first in range(0, max(len(numbers), 1), most):
        parts = [column.slice(first, most) for column in columns]
        batch = frame(names, parts, numbers[first : first + most])
        yield _unwrapped(batch) if has_formulas else batch
    return lines


def _batches(
    lines: Lines, before: int, blank: _BlankLines, header: Header, reading: Reading
) -> Generator[pl.DataFrame, None, int]:
    """Lines as batches. `before`: the lines of the file before them. Returns how many lines they are."""
    columns, delimiter = header.columns, header.delimiter
    reader = csv_reader(lines, delimiter, reading.field_chars)
    rows: list[list[str]] = []
    most = batch_rows(len(columns))  # a row with too few fields becomes one of so many nulls
    begun = seen = 0
    try:
        for row in reader:
            rows.append(row)
            if len(rows) == most or lines.spent > BATCH_CHARS:
                yield _batch(columns, rows, before + begun + 1, reader.line_num - begun, delimiter)
                begun, seen, lines.spent = reader.line_num, seen + len(rows), 0
                blank.add(sum(map(is_blank, rows)))
                rows = []
    except csv.Error as error:
        line = before + reader.line_num
        if "field larger" in str(error):
            first = before + begun + 1 + sum(map(_lines_of, rows))
            if line > first:
                raise QuarantineError(
                    "csv_unreadable",
                    f"In the row that begins in line {first}, a quoted field is not closed within"
                    f" {reading.field_chars:,} characters. Close the quote; or, if the field is right,"
                    " raise ORDERS_MAX_FIELD_CHARS and run `orders-pipeline retry KEY`.",
                ) from error
            raise reading.beyond("field_chars", f"A field of line {first} is longer") from error
        raise QuarantineError("csv_unreadable", f"Line {line} cannot be split into fields: {error}.") from error
    if rows or not seen:
        yield _batch(columns, rows, before + begun + 1, reader.line_num - begun, delimiter)
    return int(reader.line_num)


def _batch(columns: list[str], rows: list[list[str]], line: int, lines: int, delimiter: str) -> pl.DataFrame:
    """Rows as a batch; the first of them begins in line `line`, and they take `lines` lines."""
    if lines == len(rows) and {len(columns)}.issuperset(map(len, rows)) and not any(map(is_blank, rows)):
        fields = list(zip(*rows, strict=True)) or [()] * len(columns)
        try:
            return _unwrapped(frame(columns, fields, range(line, line + lines)))
        except UnicodeEncodeError:
            pass  # the slow path finds the bad row
    return _unwrapped(to_batch(columns, list(_numbered(rows, line, len(columns), delimiter))))


def _unwrapped(batch: pl.DataFrame) -> pl.DataFrame:
    """The batch with `="00777"` read as 00777, as a spreadsheet shows it, in the columns of an order. Anything else
    that begins like a formula stays as it is."""
    columns = [pl.col(name) for name in ORDER_COLUMNS if name in batch.columns]
    texts = [column.str.extract(_AS_TEXT).str.replace_all('""', '"', literal=True) for column in columns]
    return batch.with_columns(pl.coalesce(text, column) for text, column in zip(texts, columns, strict=True))


def _numbered(rows: list[list[str]], line: int, width: int, delimiter: str) -> Iterator[Row]:
    for row in rows:
        if is_blank(row):
            pass
        elif len(row) == width:
            yield line, None, None, row
        else:
            yield line, "field_count", csv_text(row, delimiter), [None] * width
        line += _lines_of(row)


def _lines_of(row: list[str]) -> int:
    """How many lines of the file a row takes."""
    return 1 + len(_LINE_END.findall("\x00".join(row)))
