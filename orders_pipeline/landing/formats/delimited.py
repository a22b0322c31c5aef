"""CSV and its kin: one delimiter, quoted strictly."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, Final

import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing.formats.plain import pieces
from orders_pipeline.landing.formats.rows import (
    BATCH_ROWS,
    Row,
    column_names,
    csv_text,
    frame,
    missing_columns,
    printable,
    required,
    to_batch,
)
from orders_pipeline.landing.formats.text import BATCH_CHARS, Lines, as_text, open_text
from orders_pipeline.landing.reading import MOST_COLUMNS, Reading

_DELIMITERS: Final = ",;\t|"
_EXCELS_OWN: Final = re.compile(r"\ufeff?sep=.\s*")  # a first line that tells it the delimiter
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_HEADER_LINES: Final = 20  # a column's name may hold a line end
_MOST_BLANK_LINES: Final = 1_000_000
_PLAIN_ROWS: Final = 250_000  # of a piece, which bounds their bytes
_NO_LIMIT: Final = 1 << 30


def read_csv(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    with open_text(path) as text:
        header = _header(Lines(text, reading), reading)
    lines, blank, is_first = header.lines, 0, True
    with path.open("rb") as file:
        file.seek(header.size + (len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0))
        for piece in pieces(file):
            is_first = False
            if columns := piece.columns(header.columns, header.delimiter, reading.field_chars):
                lines += yield from _sliced(header.columns, columns, lines + 1)
            elif piece.stands_alone(header.delimiter):
                text = as_text(BytesIO(piece.content))
                taken, blank = yield from _batches(Lines(text, reading), lines, blank, header, reading)
                lines += taken
            else:
                file.seek(piece.start)
                yield from _batches(Lines(as_text(file), reading), lines, blank, header, reading)
                return
    if is_first:
        yield frame(header.columns, [()] * len(header.columns), [])


def csv_reader(lines: Iterable[str], delimiter: str = ",", field_chars: int = _NO_LIMIT) -> Any:
    """A reader that takes no liberties: broken quoting is an error, and so is a field beyond the limit."""
    csv.field_size_limit(field_chars)  # the module's own default is 128 KiB, for all readers of the process
    return csv.reader(lines, delimiter=delimiter, strict=True)


@dataclass(frozen=True)
class _Header:
    """The header of a file; `lines` and `size` (bytes) are its own and those of blank lines before it."""

    lines: int
    size: int
    delimiter: str
    columns: list[str]


def _header(lines: Iterable[str], reading: Reading) -> _Header:
    """The header of a file.

    Raises:
        QuarantineError: no delimiter finds the columns of an order, or more than one does.
    """
    header, begun, size = "", 0, 0
    for number, line in enumerate(lines, start=1):
        size += len(line.encode("utf-8", "surrogateescape"))
        if not header and (not line.strip() or _EXCELS_OWN.fullmatch(line)):
            if number > _MOST_BLANK_LINES:
                raise QuarantineError("too_many_rows", f"More than {_MOST_BLANK_LINES:,} lines are blank.")
            continue
        header, begun = header + line, begun or number
        if len(header) > reading.row_chars:
            raise reading.row_beyond("The header")
        found = _split(header, reading)
        if len(found) == len(_DELIMITERS) or _fitting(found) or number - begun >= _HEADER_LINES:
            return _Header(number, size, *_columns(header, found))
    return _Header(begun, size, *_columns(header, _split(header, reading)))


def _split(header: str, reading: Reading) -> dict[str, list[str]]:
    """The header's column names by delimiter; none where quotes do not match, perhaps because a name goes on in the
    next line."""
    found: dict[str, list[str]] = {}
    for delimiter in _DELIMITERS:
        try:
            (fields,) = csv_reader(StringIO(header, newline=""), delimiter, reading.field_chars)
        except (csv.Error, ValueError):
            continue
        if len(fields) > MOST_COLUMNS:
            raise QuarantineError("too_many_columns", f"More than {MOST_COLUMNS} columns: is that an export of orders?")
        found[delimiter] = column_names(fields, reading.aliases)
    return found


def _fitting(found: dict[str, list[str]]) -> list[str]:
    return [delimiter for delimiter, names in found.items() if not missing_columns(names)]


def _columns(header: str, found: dict[str, list[str]]) -> tuple[str, list[str]]:
    if printable(header) != header:
        raise QuarantineError("encoding_not_utf8", "The header is not UTF-8. Save the file as UTF-8.")
    if not header:
        required([])
    if not found:
        raise QuarantineError("header_unreadable", "The first line is not a CSV header: its quotes do not match.")
    if len(fitting := _fitting(found)) > 1:
        raise QuarantineError("delimiter_unclear", f"The header can be read with {' and '.join(map(repr, fitting))}.")
    likely = min(found, key=lambda delimiter: len(missing_columns(found[delimiter])))
    return likely, required(found[likely])


def _sliced(names: list[str], columns: list[pl.Series], line: int) -> Generator[pl.DataFrame, None, int]:
    """Columns as batches; their first row is line `line`. Returns how many lines they take."""
    rows = len(columns[0])
    for first in range(0, rows, _PLAIN_ROWS):
        parts = [column.slice(first, _PLAIN_ROWS) for column in columns]
        yield frame(names, parts, range(line + first, line + first + len(parts[0])))
    return rows


def _batches(
    lines: Lines, before: int, blank: int, header: _Header, reading: Reading
) -> Generator[pl.DataFrame, None, tuple[int, int]]:
    """Lines as batches. `before`: the lines of the file before them, of which `blank` were found to be blank. Returns
    how many lines they are, and how many were blank until then."""
    columns, delimiter = header.columns, header.delimiter
    reader = csv_reader(lines, delimiter, reading.field_chars)
    rows: list[list[str]] = []
    begun = seen = 0
    try:
        for row in reader:
            rows.append(row)
            if len(rows) == BATCH_ROWS or lines.spent > BATCH_CHARS:
                yield _batch(columns, rows, before + begun + 1, reader.line_num - begun, delimiter)
                begun, seen, lines.spent = reader.line_num, seen + len(rows), 0
                blank += sum(not "".join(row).strip() for row in rows) if min(map(len, rows)) < 2 else 0
                if blank > _MOST_BLANK_LINES:
                    raise QuarantineError("too_many_rows", f"More than {_MOST_BLANK_LINES:,} lines are blank.")
                rows = []
    except csv.Error as error:
        line = before + reader.line_num
        if "field larger" in str(error):
            first = before + begun + 1 + sum(map(_lines_of, rows))
            if line > first:
                raise QuarantineError(
                    "csv_unreadable",
                    f"In the row that begins in line {first}, a quoted field is not closed within"
                    f" {reading.field_chars:,} characters. Close the quote; or, if the field is what it should be,"
                    " raise ORDERS_MAX_FIELD_CHARS and say `orders-pipeline retry KEY`.",
                ) from error
            raise reading.beyond("field_chars", f"A field of line {first} is longer") from error
        raise QuarantineError("csv_unreadable", f"Line {line} cannot be split into fields: {error}.") from error
    if rows or not seen:
        yield _batch(columns, rows, before + begun + 1, reader.line_num - begun, delimiter)
    return int(reader.line_num), blank


def _batch(columns: list[str], rows: list[list[str]], line: int, lines: int, delimiter: str) -> pl.DataFrame:
    """Rows as a batch; the first of them begins in line `line`, and they take `lines` lines."""
    if lines == len(rows) and {len(columns)}.issuperset(map(len, rows)):
        fields = list(zip(*rows, strict=True)) or [()] * len(columns)
        try:
            return frame(columns, fields, range(line, line + lines))
        except UnicodeEncodeError:
            pass  # to be found row by row
    return to_batch(columns, list(_numbered(rows, line, len(columns), delimiter)))


def _numbered(rows: list[list[str]], line: int, width: int, delimiter: str) -> Iterator[Row]:
    for row in rows:
        if len(row) == width:
            yield line, None, None, row
        elif len(row) > 1 or (row and row[0].strip()):
            yield line, "field_count", csv_text(row, delimiter), [None] * width
        line += _lines_of(row)


def _lines_of(row: list[str]) -> int:
    """How many lines of the file a row takes."""
    return 1 + len(_LINE_END.findall("\x00".join(row)))
