"""Read JSON values one by one from a text of any length: the elements of one array, or a sequence of objects."""

import json
import re
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any, Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.encodings import printable
from orders_pipeline.formats.json_rows import Decoder, JsonRow
from orders_pipeline.formats.options import Reading

_BLOCK: Final = 1 << 20
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n\ufeff]*")  # concatenated files may each have a byte order mark
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

    def _elements(self) -> Iterator[JsonRow]:
        self._expect("[")
        number, after = 0, ""
        if self._next() == "]":
            after = self._expect("]")
        while after != "]":
            number += 1
            self._next()
            try:
                value, written = self._element(number)
            except json.JSONDecodeError as error:
                raise self._no_array(f"element {number}: {error.msg}") from error
            except RecursionError as error:
                raise self._no_array(f"element {number} is nested too deeply") from error
            yield self._decoder.row(number, value, written)
            after = self._expect(",]")

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
        return QuarantineError(
            "json_unreadable", printable(f"The file begins as a JSON array, and is none: {problem}.")
        )


def is_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Whether the text ends before the value is complete."""
    return error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip())
