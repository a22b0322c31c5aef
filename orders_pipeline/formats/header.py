"""The header of a CSV file: its place, delimiter and columns."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.columns import column_names, missing_columns, other_names, required
from orders_pipeline.formats.encodings import Lines, csv_reader, open_text, printable
from orders_pipeline.formats.options import MOST_COLUMNS, Reading
from orders_pipeline.formats.transcode import refusal
from orders_pipeline.schema import REQUIRED_COLUMNS

MOST_BLANK_LINES: Final = 2_000_000  # a sheet of Excel has 1,048,576 rows, and may be exported with all of them

_DELIMITERS: Final = ",;\t|"
# A first line with the delimiter for Excel. Saved again, it is quoted, or padded to the width of the table.
_EXCELS_OWN: Final = re.compile(r'\ufeff*"?sep=.?"?[,;\t|\s]*', re.IGNORECASE)
_EMPTY_QUOTES: Final = re.compile(r'"\s*"')
_HEADER_LINES: Final = 20  # how far a header is looked for; a column's name may hold a line end
_FEWEST_NAMES: Final = 3  # for a line to be taken for a header with other names
_NAME: Final = re.compile(r"\s*[^\W\d_]")  # a letter first: no number, date or amount


@dataclass(frozen=True)
class Header:
    """The header of a file. `lines` and `size` (bytes) include all lines before it. `written`: the names of its columns
    as the file has them."""

    lines: int
    size: int
    delimiter: str
    columns: list[str]
    written: list[str]


def read_header(path: Path, reading: Reading) -> Header:
    """The header of a file.

    Raises:
        QuarantineError: no delimiter finds the columns of an order, or more than one does.
    """
    with open_text(path) as text:
        number, size, header, found = _first_row(Lines(text, reading), reading)
    if printable(header) != header:
        raise refusal(f"The header is not {reading.encoding.upper()}", reading)
    if len(fitting := _fitting(found, reading)) > 1:
        raise QuarantineError(
            "delimiter_unclear",
            f"The header can be read with {' and '.join(map(repr, fitting))}. Declare the `delimiter` of its source"
            " (docs/sources.md).",
        )
    likely = min(found, default="", key=lambda mark: (len(_missing(found[mark], reading)), -len(found[mark])))
    fields = found.get(likely, [])
    names = column_names(fields, reading)
    if (header or reading.skip_lines) and set(REQUIRED_COLUMNS).isdisjoint(names):
        raise _elsewhere(path, header, reading, len(names))
    return Header(number, size, likely, required(names, fields, reading), fields)


def is_blank(row: Sequence[str]) -> bool:
    """Whether all fields of a row are empty: a blank line, or an empty row as spreadsheets export them."""
    return not (row and row[0].strip()) and not "".join(row).strip()


def _first_row(lines: Lines, reading: Reading) -> tuple[int, int, str, dict[str, list[str]]]:
    """The first row that is neither skipped nor blank: lines and bytes up to its end, its text, and its fields by
    delimiter."""
    header, begun, size = "", 0, 0
    first: tuple[int, int, str, dict[str, list[str]]] | None = None
    for number, line in enumerate(lines, start=1):
        size += len(line.encode("utf-8", "surrogateescape"))
        if number <= reading.skip_lines:
            lines.spent = 0
            continue
        if not header and _is_no_row(line, reading):
            if number > MOST_BLANK_LINES:
                raise QuarantineError("too_many_rows", f"More than {MOST_BLANK_LINES:,} lines are blank.")
            continue
        header, begun = header + line, begun or number
        if len(header) > reading.row_chars:
            raise reading.row_beyond("The header")
        found = _split(header, reading)
        row = number, size, header, found
        if len(found) == len(reading.delimiter or _DELIMITERS) or _fitting(found, reading):
            return row
        first = first or (row if found else None)
        if number - begun >= _HEADER_LINES:
            break
    return first or (begun, size, header, {})


def _is_no_row(line: str, reading: Reading) -> bool:
    is_blank_line = not _EMPTY_QUOTES.sub("", line).strip(f"{_DELIMITERS}{reading.delimiter or ''}\ufeff \t\r\n")
    return is_blank_line or bool(_EXCELS_OWN.fullmatch(line))


def _split(header: str, reading: Reading) -> dict[str, list[str]]:
    """The header's fields by delimiter. A delimiter is left out if quotes do not match, perhaps because a name
    continues on the next line."""
    found: dict[str, list[str]] = {}
    for delimiter in reading.delimiter or _DELIMITERS:
        try:
            (fields,) = csv_reader(StringIO(header, newline=""), delimiter, reading.field_chars)
        except (csv.Error, ValueError):
            continue
        if len(fields) > MOST_COLUMNS:
            raise QuarantineError("too_many_columns", f"More than {MOST_COLUMNS} columns: is that an export of orders?")
        found[delimiter] = fields
    return found


def _missing(fields: list[str], reading: Reading) -> list[str]:
    return missing_columns(column_names(fields, reading), reading)


def _fitting(found: dict[str, list[str]], reading: Reading) -> list[str]:
    return [delimiter for delimiter, fields in found.items() if not _missing(fields, reading)]


def _elsewhere(path: Path, header: str, reading: Reading, names: int) -> QuarantineError:
    """The error for a file whose first row names no column of an order. With the line where the header seems to be."""
    with open_text(path) as text:
        lines = list(islice(Lines(text, reading), reading.skip_lines + _HEADER_LINES))
    rows = [_split(line, reading) for line in lines]
    texts = [number for number, line in enumerate(lines) if not _is_no_row(line, reading)]
    fitting = next((number for number in texts if _fitting(rows[number], reading)), None)
    named = next((number for number in texts if any(map(_are_names, rows[number].values()))), None)
    # This may be a row with personal data: it is counted, not shown.
    found = f"No column {', '.join(REQUIRED_COLUMNS)}. Found: {names} other name{'s' * (names != 1)}"
    others = _fitting(_split(header, replace(reading, delimiter=None)), reading) if reading.delimiter else []
    if others:
        advice = (
            f". The header can be read with {' or '.join(map(repr, others))}, and the source {reading.source!r}"
            f" declares `delimiter = {reading.delimiter!r}`."
        )
    elif fitting is not None:
        advice = f". The header seems to be in line {fitting + 1}.{_without_lines(fitting, reading)}"
    elif named is not None:
        before = _without_lines(named, reading) if reading.skip_lines or named > texts[0] else ""
        advice = f". The header seems to be in line {named + 1}, with other names.{before} {other_names(reading)}"
    elif not header:
        advice = f", since {reading.skip_lines} lines are skipped before the header (skip_lines of {reading.source!r})."
    elif not names:
        return QuarantineError("header_unreadable", "The first line is not a CSV header: its quotes do not match.")
    elif all(reading.columns.get(name, name).casefold() in header.casefold() for name in REQUIRED_COLUMNS):
        advice = (
            ". Does another character separate the names? Declare it as the `delimiter` of its source"
            " (docs/sources.md)."
        )
    else:
        advice = "; is the header missing? Put the names of the columns into the first line."
    return QuarantineError("column_missing", f"{found}{advice}")


def _without_lines(before: int, reading: Reading) -> str:
    """What to do about the lines before a header."""
    if reading.skip_lines:
        return f" Declare `skip_lines = {before}` for the source {reading.source!r} instead of {reading.skip_lines}."
    return (
        " Remove the lines before it and upload the file again, or declare"
        f" `skip_lines = {before}` for its source (docs/sources.md)."
    )


def _are_names(fields: list[str]) -> bool:
    filled = [field for field in fields if field.strip()]
    return len(filled) >= _FEWEST_NAMES and all(map(_NAME.match, filled))
