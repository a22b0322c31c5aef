"""The text of files, read block by block so that no line exceeds the limit in memory, and made printable."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO, TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

from orders_pipeline.formats.options import Reading

BATCH_CHARS: Final = 8 << 20
_BLOCK: Final = 1 << 20
_NO_LIMIT: Final = 1 << 30


def open_text(path: Path) -> TextIOWrapper:
    """A file as text, without its byte order mark. Bytes that are not UTF-8 become lone surrogates. No
    valid text has these, so they mark the bad rows."""
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def as_text(content: BinaryIO) -> TextIOWrapper:
    """Bytes from within a file as text, like `open_text`."""
    return TextIOWrapper(content, encoding="utf-8", errors="surrogateescape", newline="")


def printable(text: str) -> str:
    """The text with lone surrogates spelled out: bytes that were not UTF-8, or half a character in JSON."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def csv_reader(lines: Iterable[str], delimiter: str = ",", field_chars: int = _NO_LIMIT) -> Any:
    """A strict reader: broken quoting is an error, and so is a field beyond the limit."""
    csv.field_size_limit(field_chars)  # the module's own default is 128 KiB, for all readers of the process
    return csv.reader(lines, delimiter=delimiter, strict=True)


def csv_text(fields: Sequence[str], delimiter: str = ",") -> str:
    """Fields as a line of CSV."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(fields)  # quotes fields with CR or LF
    return printable(text.getvalue().removesuffix("\r\n"))


class Lines:
    """The lines of a file with their ends, split where an editor splits them: at LF, CR LF and CR.

    `spent` counts the characters read since it was last set to zero. The caller that batches the lines begins a new
    batch when it grows large, and resets it. It grows a block at a time.

    Raises:
        QuarantineError: a line, or the text read until `spent` is reset, is longer than a row may be.
    """

    def __init__(self, text: TextIOWrapper, reading: Reading) -> None:
        self.spent = 0
        self._text = text
        self._reading = reading
        self._lines = chain.from_iterable(StringIO(block, newline="") for block in self._blocks())

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _blocks(self) -> Iterator[str]:
        rest = ""
        while block := self._text.read(_BLOCK):
            rest += block
            # A CR at the very end may be half a line end.
            cut = rest.rfind("\n") + 1 or rest.rfind("\r", 0, -1) + 1
            if len(rest) - cut > self._reading.row_chars:
                raise self._reading.row_beyond("A line")
            if cut:
                self._spend(cut)
                yield rest[:cut]
                rest = rest[cut:]
        self._spend(len(rest))
        yield rest

    def _spend(self, chars: int) -> None:
        self.spent += chars
        if self.spent > BATCH_CHARS + 2 * _BLOCK + self._reading.row_chars:
            raise self._reading.row_beyond("A row of many lines")
