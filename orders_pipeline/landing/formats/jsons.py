"""JSON: an object a line, or one array of objects. Numbers stay as they are written."""

import json
import re
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing.formats.rows import Row, Source, column_names, printable, required, to_batches
from orders_pipeline.landing.formats.text import Lines, open_text
from orders_pipeline.landing.reading import LONGEST_COLUMN_NAME, MOST_COLUMNS, Reading
from orders_pipeline.schema import ORDER_COLUMNS, REQUIRED_COLUMNS

_BLOCK: Final = 1 << 20
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NEAR_THE_END: Final = 100  # characters: where the text is cut off, the decoder complains no earlier

_JsonRow = tuple[int, str | None, str | None, dict[str, str | None]]  # row number, problem, text, fields by key
_Opened = Callable[[TextIOWrapper, Reading], tuple[Source, Iterator[_JsonRow]]]


def read_json_lines(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    return _read(path, reading, _lines)


def read_json_array(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    return _read(path, reading, _array)


def _read(path: Path, reading: Reading, opened: _Opened) -> Iterator[pl.DataFrame]:
    with open_text(path) as text:
        keys = _keys(*opened(text, reading), reading)
    names = required(column_names(keys, reading.aliases))
    with open_text(path) as text:
        source, objects = opened(text, reading)
        rows: Iterator[Row] = (
            (number, problem, said, [fields.get(key) for key in keys]) for number, problem, said, fields in objects
        )
        yield from to_batches(names, rows, source)


def _keys(source: Source, rows: Iterator[_JsonRow], reading: Reading) -> list[str]:
    """The keys of all objects, in the order in which they come."""
    keys: dict[str, None] = {}
    is_empty, has_object = True, False
    for number, problem, _, fields in rows:
        source.spent, is_empty = 0, False
        has_object |= problem != "json_unreadable"
        if number > reading.rows:
            raise reading.beyond("rows", "The file has more lines")
        keys.update(dict.fromkeys(fields))
        if len(keys) > MOST_COLUMNS or any(len(key) > LONGEST_COLUMN_NAME for key in fields):
            break  # to be refused as a header would be
    if not (is_empty or has_object):
        raise QuarantineError(
            "json_unreadable", "No line of the file is JSON by itself: write one object a line (jq -c), or an array."
        )
    return list(REQUIRED_COLUMNS if is_empty else keys)


def _lines(text: TextIOWrapper, reading: Reading) -> tuple[Source, Iterator[_JsonRow]]:
    lines = Lines(text, reading)
    return lines, _line_rows(lines, reading)


def _line_rows(lines: Lines, reading: Reading) -> Iterator[_JsonRow]:
    decoder = _Decoder(reading)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        is_whole = line.endswith(("\r", "\n"))
        if is_whole and not line.isascii() and printable(line) != line:
            yield number, "not_utf8", printable(line).rstrip("\r\n"), {}
            continue
        try:
            value = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            if str(error).startswith("Extra data") and not is_whole:
                raise QuarantineError(
                    "json_unreadable", f"Line {number} holds more than one object: write one object a line (jq -c)."
                ) from error
            if not is_whole:
                raise QuarantineError(
                    "json_truncated",
                    printable(f"The last line ({number}) is cut short: {error}. Upload the file again, whole."),
                ) from error
            yield number, "json_unreadable", line.rstrip("\r\n"), {}
            continue
        if not is_whole and printable(line) != line:
            yield number, "not_utf8", printable(line), {}
            continue
        yield decoder.row(number, value, line.strip())


def _array(text: TextIOWrapper, reading: Reading) -> tuple[Source, Iterator[_JsonRow]]:
    elements = _Elements(text, reading)
    return elements, elements.rows()


class _Elements:
    """The elements of one array, decoded one after the other."""

    def __init__(self, text: TextIOWrapper, reading: Reading) -> None:
        self.spent = 0
        self._text = text
        self._reading = reading
        self._decoder = _Decoder(reading)
        self._buffer = ""
        self._at = 0

    def rows(self) -> Iterator[_JsonRow]:
        self._expect("[")
        number, after = 0, ""
        if self._next() == "]":
            after = self._expect("]")
        while after != "]":
            number += 1
            value, said = self._element(number)
            yield self._decoder.row(number, value, said)
            after = self._expect(",]")
        if self._next():
            raise self._unreadable("something follows the array")

    def _element(self, number: int) -> tuple[Any, str]:
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self._buffer) - _NEAR_THE_END
                if not is_cut or not self._more(number):
                    raise self._unreadable(f"element {number}: {error.msg}") from error
                continue
            except RecursionError as error:
                raise self._unreadable(f"element {number} is nested too deeply") from error
            except ValueError as error:
                raise self._unreadable(f"element {number}: {error}") from error
            # A number may go on beyond what was read.
            if end < len(self._buffer) or isinstance(value, dict | list) or not self._more(number):
                said = self._buffer[self._at : end]
                self._at = end
                self.spent += len(said)
                return value, said

    def _expect(self, wanted: str) -> str:
        found = self._next()
        if not found or found not in wanted:
            raise self._unreadable(f"{' or '.join(wanted)} expected, {found or 'the end'} found")
        self._at += 1
        return found

    def _next(self) -> str:
        """The next character that is no space; none at the end."""
        while True:
            if found := _SPACE.match(self._buffer, self._at):
                self._at = found.end()
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more(0):
                return ""

    def _more(self, number: int) -> bool:
        """Read on, twice as much each time, so that a long element is not decoded too often. False: that was all."""
        held = len(self._buffer) - self._at
        if held > self._reading.row_chars:
            raise self._reading.row_beyond(f"Element {number}")
        block = self._text.read(max(_BLOCK, held))
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        return bool(block)

    def _unreadable(self, problem: str) -> QuarantineError:
        return QuarantineError(
            "json_unreadable", printable(f"The file begins as a JSON array, and is none: {problem}.")
        )


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Decoder(json.JSONDecoder):
    """Keeps numbers as written: an amount must not pass through a float. Notices keys that an object has twice."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(
            parse_float=_Number, parse_int=_Number, parse_constant=_constant, object_pairs_hook=self._object
        )
        self._reading = reading
        self._is_doubtful = False

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        self._is_doubtful |= len(value) < len(pairs)
        return value

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        self._is_doubtful = False
        return super().raw_decode(s, idx)

    def row(self, number: int, value: Any, said: str) -> _JsonRow:
        """The row that a value makes, which was decoded just now from what is said."""
        if not isinstance(value, dict):
            return number, "not_an_object", said, {}
        if self._is_doubtful:
            return number, "key_twice", said, dict.fromkeys(value)
        if any(isinstance(field, dict | list) and self._is_of_order(key) for key, field in value.items()):
            return number, "nested_value", said, dict.fromkeys(value)
        try:
            fields = {key: _text(field) for key, field in value.items()}
        except RecursionError:
            return number, "json_unreadable", said, {}
        if len(said) > self._reading.field_chars:
            self._require_short(number, fields)
        return number, None, None, fields

    def _is_of_order(self, key: str) -> bool:
        return column_names([key], self._reading.aliases)[0] in ORDER_COLUMNS

    def _require_short(self, number: int, fields: dict[str, str | None]) -> None:
        if any(field is not None and len(field) > self._reading.field_chars for field in fields.values()):
            raise self._reading.beyond("field_chars", f"A field of row {number} is longer")


def _constant(written: str) -> None:
    """NaN is what pandas writes where there is no value; JSON has neither that nor infinities."""
    if written != "NaN":
        raise ValueError(f"{written} is no JSON")


def _text(value: Any) -> str | None:
    return None if value is None else str(value) if isinstance(value, str) else _nested(value)


def _nested(value: Any) -> str:
    """JSON of a decoded value, its numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_nested(key)}: {_nested(field)}" for key, field in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return value if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
