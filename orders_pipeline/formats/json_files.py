"""JSON: one object a line, a sequence of objects, or one array of objects: bare, under a single key, or where its
source declares it."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.columns import missing_columns, required, unused_name
from orders_pipeline.formats.encodings import Lines, open_text, printable
from orders_pipeline.formats.envelopes import recognize
from orders_pipeline.formats.json_elements import WRAPPER, Elements, NotAloneError, is_cut
from orders_pipeline.formats.json_rows import Decoder, JsonRow
from orders_pipeline.formats.options import MOST_COLUMNS, Reading
from orders_pipeline.formats.rows import Row, Source, to_batches
from orders_pipeline.schema import ORDER_COLUMNS

_HEAD: Final = 1 << 20  # characters that decide the layout
_ANOTHER_BESIDE: Final = re.compile(r"[ \t]+\{")

# Numbers stay text: Python refuses integers of more than 4,300 digits.
_loads: Final = partial(json.loads, parse_int=str)

_Layout = Callable[[TextIOWrapper, Reading], tuple[Source, Iterator[JsonRow]]]


def read_json(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    layout, keys = _laid_out(path, reading)
    names = [key if key in ORDER_COLUMNS else unused_name(key, number) for number, key in enumerate(keys, start=1)]
    names = required(names, keys, reading)
    with open_text(path) as text:
        source, objects = layout(text, reading)
        rows: Iterator[Row] = (
            (number, problem, written, [fields.get(key) for key in keys])
            for number, problem, written, fields in objects
        )
        yield from to_batches(names, rows, source)


def has_a_row_a_line(path: Path, reading: Reading) -> bool:
    """Whether a readable file has one object a line."""
    return _laid_out(path, reading)[0] is _lines


def _laid_out(path: Path, reading: Reading) -> tuple[_Layout, list[str]]:
    """The layout of a file, and the keys of all its objects.

    Raises:
        QuarantineError: the layout is unknown, or none of its objects is an order.
    """
    if reading.json_records:
        return _records, _keys(path, reading, _records)
    with open_text(path) as text:
        head = text.read(_HEAD).lstrip("\ufeff \t\r\n")
    if head.startswith("["):
        return _array, _keys(path, reading, _array)
    if WRAPPER.match(head):
        try:
            return _wrapped, _keys(path, reading, _wrapped)
        except NotAloneError:
            pass
    layout = _lines if _is_json(re.split(r"[\r\n]", head, maxsplit=1)[0]) else _over_lines(path, reading)
    return layout, _keys(path, reading, layout)


def _over_lines(path: Path, reading: Reading) -> _Layout:
    """The layout of a file whose first line is not JSON: a sequence, if the first object continues after that line."""
    with open_text(path) as text:
        elements = Elements(text, reading)
        try:
            written, after = elements.first()
        except json.JSONDecodeError as error:
            return _sequence if is_cut(error, error.doc) and error.doc.strip().count("\n") else _lines
        except (QuarantineError, ValueError, RecursionError):
            return _lines
    return _sequence if "\n" in written or "\r" in written or _ANOTHER_BESIDE.match(after) else _lines


def _is_json(line: str) -> bool:
    try:
        _loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _keys(path: Path, reading: Reading, layout: _Layout) -> list[str]:
    """The keys of all objects, in order of appearance."""
    keys: dict[str, None] = {}
    first: dict[str, Any] | None = None
    is_empty, has_object, has_row = True, False, False
    with open_text(path) as text:
        source, rows = layout(text, reading)
        for number, problem, written, fields in rows:
            source.spent, is_empty = 0, False
            has_object |= problem != "json_unreadable"
            has_row |= problem is None
            if number > reading.rows:
                raise reading.beyond("rows", "The file has more rows")
            if first is None and fields:
                first = {key: _decoded(text) for key, text in fields.items()} if written is None else _loads(written)
            keys.update(dict.fromkeys(fields))
            reading.require_cells(number, min(len(keys), MOST_COLUMNS))
            if len(keys) > MOST_COLUMNS:
                break  # refused later, like a header
    if is_empty and layout in (_lines, _sequence):
        raise QuarantineError("json_unreadable", "The file is blank.")
    if is_empty:
        return list(dict.fromkeys([*missing_columns([], reading), *reading.needed]))
    if not has_object:
        raise QuarantineError(
            "json_unreadable", "No line of the file is JSON by itself: write one object a line (jq -c), or an array."
        )
    missing = missing_columns(list(keys), reading)
    if first and (missing or not has_row) and (kind := recognize(first, is_inner=reading.json_records is not None)):
        if missing:
            raise QuarantineError("column_missing", f"No column {', '.join(missing)}: {kind}")
        raise QuarantineError("format_unsupported", f"No row of the file can be read: {kind}")
    return list(keys)


def _decoded(text: str | None) -> Any:
    """A field decoded, if it is a list or an object; any other as it is."""
    return _loads(text) if text and text.startswith(("{", "[")) and _is_json(text) else text


def _array(text: TextIOWrapper, reading: Reading) -> tuple[Source, Iterator[JsonRow]]:
    elements = Elements(text, reading)
    return elements, elements.array()


def _wrapped(text: TextIOWrapper, reading: Reading) -> tuple[Source, Iterator[JsonRow]]:
    elements = Elements(text, reading)
    return elements, elements.wrapped()


def _records(text: TextIOWrapper, reading: Reading) -> tuple[Source, Iterator[JsonRow]]:
    elements = Elements(text, reading)
    return elements, elements.records(reading.json_records or "")


def _sequence(text: TextIOWrapper, reading: Reading) -> tuple[Source, Iterator[JsonRow]]:
    elements = Elements(text, reading)
    return elements, elements.sequence()


def _lines(text: TextIOWrapper, reading: Reading) -> tuple[Source, Iterator[JsonRow]]:
    lines = Lines(text, reading)
    return lines, _line_rows(lines, reading)


def _line_rows(lines: Lines, reading: Reading) -> Iterator[JsonRow]:
    decoder = Decoder(reading)
    for number, written in enumerate(lines, start=1):
        line = written.lstrip("\ufeff \t")  # concatenated files may each have a byte order mark
        if not line.strip():
            continue
        is_whole = line.endswith(("\r", "\n"))
        if is_whole and not line.isascii() and printable(line) != line:
            yield number, "not_utf8", printable(line).rstrip("\r\n"), {}
            continue
        try:
            value = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            if not is_whole and isinstance(error, json.JSONDecodeError) and _ends_within(line, error):
                raise QuarantineError(
                    "json_truncated",
                    printable(f"The last line ({number}) is cut short: {error}. Upload the file again, whole."),
                ) from error
            yield number, "json_unreadable", printable(line.rstrip("\r\n")), {}
            continue
        if not is_whole and printable(line) != line:
            yield number, "not_utf8", printable(line), {}
            continue
        yield decoder.row(number, value, line.strip())


def _ends_within(line: str, error: json.JSONDecodeError) -> bool:
    """Whether a line that is not JSON ends in the middle of an object."""
    return line.lstrip().startswith("{") and (is_cut(error, line) or not line.rstrip().endswith("}"))
