"""Read JSON values one by one from a text of any length: the elements of arrays, or a sequence of objects."""

import json
import re
from collections.abc import Generator, Iterator
from io import TextIOWrapper
from typing import Any, Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.encodings import printable
from orders_pipeline.formats.json_rows import Decoder, JsonRow
from orders_pipeline.formats.options import Reading

_BLOCK: Final = 1 << 20
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n\ufeff]*")  # concatenated files may each have a byte order mark
_SHOWN: Final = 20  # keys in a message
_LONGEST_KEY: Final = 60  # of these
_NEAR_THE_END: Final = 100  # characters: in a text that is cut off, the decoder reports no error before this

# One array of objects under a key. An empty one does not match: `{"errors": []}` would pass for a file without orders.
WRAPPER: Final = re.compile(r'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*(?=\[\s*\{)')


class NotAloneError(Exception):
    """The object that wraps an array has other keys, or something follows it."""


class Elements:
    """JSON values decoded one after the other. `spent` as of `rows.Source`."""

    def __init__(self, text: TextIOWrapper, reading: Reading) -> None:
        self.spent = 0
        self._text = text
        self._reading = reading
        self._decoder = Decoder(reading)
        self._buffer = ""
        self._at = 0
        self._broken = "The file begins as a JSON array, and is none"

    def array(self) -> Iterator[JsonRow]:
        """The elements of the one array that the text is."""
        self._next(_BETWEEN)
        yield from self._elements()
        if self._next(_BETWEEN):
            raise self._no_array("something follows the array")

    def wrapped(self) -> Iterator[JsonRow]:
        """The elements of the array under the only key of the one object that the text is, which matches WRAPPER.

        Raises:
            NotAloneError: the object has other keys, or something follows it.
        """
        self._next(_BETWEEN)
        begun = WRAPPER.match(self._buffer, self._at)
        self._at = begun.end() if begun else self._at
        try:
            yield from self._elements()
        except QuarantineError as error:
            if error.code == "json_unreadable":  # perhaps the object is one line of many
                raise NotAloneError from error
            raise
        if self._next() != "}":
            raise NotAloneError
        self._at += 1
        if self._next(_BETWEEN):
            raise NotAloneError

    def sequence(self) -> Iterator[JsonRow]:
        """Objects with only spaces between them, each over any number of lines."""
        number = 0
        while self._next(_BETWEEN):
            number += 1
            try:
                value, written = self._element(number)
            except json.JSONDecodeError as error:
                if is_cut(error, self._buffer):
                    raise QuarantineError(
                        "json_truncated", f"The last object ({number}) is cut short. Upload the file again, whole."
                    ) from error
                raise QuarantineError(
                    "json_unreadable",
                    printable(
                        f"The objects of the file span several lines, and object {number} is no JSON: {error.msg}."
                        " Correct it; or write one object a line (jq -c), so that a bad one is rejected alone."
                    ),
                ) from error
            except RecursionError as error:
                raise QuarantineError(
                    "json_unreadable",
                    f"The objects of the file span several lines, and object {number} is nested too deeply.",
                ) from error
            yield self._decoder.row(number, value, written)

    def records(self, path: str) -> Iterator[JsonRow]:
        """The elements of the array at a path of keys, in each of the objects that the text is. A key with a dot in it
        is a part of the path, too.

        Raises:
            QuarantineError: an object does not have exactly one array there.
        """
        self._broken = "The file is no JSON"
        number = objects = 0
        while begins := self._next(_BETWEEN):
            objects += 1
            seen: list[str] = []
            found = 0
            if begins == "{":
                number, found = yield from self._records(path, number, seen)
            if found != 1:
                where = f"`{path}` (json_records of the source {self._reading.source!r})"
                problem = f"{found} arrays are at {where}" if found else f"no array is at {where}"
                raise QuarantineError(
                    "json_unreadable",
                    printable(f"In object {objects} of the file, {problem}. Its keys: {', '.join(seen) or 'none'}."),
                )
        if not objects:
            raise self._no_array("it is blank")

    def first(self) -> tuple[str, str]:
        """The text of the first value, and some of what follows it.

        Raises:
            ValueError: there is no JSON value.
        """
        self._next(_BETWEEN)
        _, written = self._element(1)
        if self._at == len(self._buffer):
            self._more(0)
        return written, self._buffer[self._at : self._at + _NEAR_THE_END]

    def _elements(self, number: int = 0) -> Generator[JsonRow, None, int]:
        """The elements of the array that begins here, numbered on from `number`. Returns the last number."""
        for _ in self._items("[", "]"):
            number += 1
            value, written = self._readable(number)
            yield self._decoder.row(number, value, written)
        return number

    def _records(self, path: str, number: int, seen: list[str]) -> Generator[JsonRow, None, tuple[int, int]]:
        """The elements of the arrays at a path within the object that begins here, numbered on from `number`. Returns
        the last number, and how many arrays there are. Adds the first keys to `seen`."""
        found = 0
        for _ in self._items("{", "}"):
            key = self._key(number)
            if len(seen) < _SHOWN:
                seen.append(key[:_LONGEST_KEY])
            if key == path and self._next() == "[":
                number, found = (yield from self._elements(number)), found + 1
            elif path.startswith(f"{key}.") and self._next() == "{":
                number, inner = yield from self._records(path[len(key) + 1 :], number, seen)
                found += inner
            else:
                self._skip(number)
        return number, found

    def _key(self, number: int) -> str:
        if self._next() != '"':
            raise self._no_array("a key is missing")
        key, _ = self._readable(number)
        self._expect(":")
        return str(key)

    def _skip(self, number: int) -> None:
        """Skip a value; of an array or an object, part by part, so that it may be of any size."""
        begins = self._next()
        if begins == "[":
            for _ in self._items("[", "]"):
                self._readable(number)
        elif begins == "{":
            for _ in self._items("{", "}"):
                self._key(number)
                self._next()
                self._readable(number)
        else:
            self._readable(number)

    def _items(self, begin: str, end: str) -> Iterator[None]:
        """Stop at each item of the array or object that begins here. The caller reads it."""
        self._expect(begin)
        after = self._expect(end) if self._next() == end else ","
        while after == ",":
            self._next()
            yield
            after = self._expect(f",{end}")

    def _readable(self, number: int) -> tuple[Any, str]:
        try:
            return self._element(number)
        except json.JSONDecodeError as error:
            raise self._no_array(f"element {number}: {error.msg}") from error
        except RecursionError as error:
            raise self._no_array(f"element {number} is nested too deeply") from error

    def _element(self, number: int) -> tuple[Any, str]:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                may_continue = error.msg.startswith("Unterminated") or error.pos > len(self._buffer) - _NEAR_THE_END
                if not may_continue or not self._more(number):
                    raise
                continue
            # A number may continue beyond the buffer.
            if end < len(self._buffer) or isinstance(value, dict | list) or not self._more(number):
                written = self._buffer[self._at : end]
                self._at = end
                self.spent += len(written)
                return value, written

    def _expect(self, expected: str) -> str:
        found = self._next()
        if not found or found not in expected:
            raise self._no_array(f"{' or '.join(expected)} expected, {found or 'the end'} found")
        self._at += 1
        return found

    def _next(self, space: re.Pattern[str] = _SPACE) -> str:
        """The next character that is no space; none at the end."""
        while True:
            if found := space.match(self._buffer, self._at):
                self._at = found.end()
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more(0):
                return ""

    def _more(self, number: int) -> bool:
        """Read more, twice as much each time, so that a long element is not decoded too often. False: at the end."""
        left = len(self._buffer) - self._at
        if left > self._reading.row_chars:
            raise self._reading.row_beyond(f"Element {number}")
        block = self._text.read(max(_BLOCK, left))
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        return bool(block)

    def _no_array(self, problem: str) -> QuarantineError:
        return QuarantineError("json_unreadable", printable(f"{self._broken}: {problem}."))


def is_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Whether the text ends before the value is complete."""
    return error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip())
