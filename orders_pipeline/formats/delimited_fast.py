"""The fast path for simple CSV: each line is a row with as many fields as the header, and each quote is in its place.

Nearly all rows of nearly all files are like this. A compiled reader returns for them what `csv` would return, only
faster. For everything else it returns nothing, and `csv` reads it.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

_PIECE: Final = 8 << 20  # bytes
_DENSE: Final = 3  # bytes for each quote: with more quotes, checking each takes too much memory
# The compiled reader would silently read these as a row of empty fields, or drop them.
_BLANK: Final = (b"\n\n", b"\n\r", b"\r\r")
_BLANK_OR_MARK: Final = (b"\n", b"\r", BOM_UTF8)
_SEPARATORS: Final = (b"\x1f", b"\x1e", b"\x1d", b"\x1c")
_SPACES: Final = "".join(filter(str.isspace, map(chr, range(0x3001))))


@dataclass(frozen=True)
class Piece:
    """Bytes of a file from `start` on. `is_whole`: they end at the end of a line or of the file."""

    start: int
    content: bytes
    is_whole: bool

    def stands_alone(self, delimiter: str) -> bool:
        """Whether it can be split into rows on its own: each quoted field begins and ends within one line."""
        marks = self.content.count(b'"')
        if not self.is_whole or not marks:
            return self.is_whole
        content, delimiter = self._by_one_byte(delimiter)
        if not delimiter.isascii() or marks > len(content) // _DENSE:
            return False
        text = np.frombuffer(b"\n" + content + b"\n", np.uint8)
        quotes = np.flatnonzero(text == ord('"'))
        if len(quotes) % 2:
            return False
        begins, ends = quotes[::2], quotes[1::2]
        doubled = begins[1:] == ends[:-1] + 1  # a quote within a field is written twice
        between = np.frombuffer(f"{delimiter}\r\n".encode(), np.uint8)
        begins_well = np.isin(text[begins - 1], between) | np.r_[False, doubled]
        ends_well = np.isin(text[ends + 1], between) | np.r_[doubled, False]
        line_ends = np.flatnonzero((text == ord("\n")) | (text == ord("\r")))
        in_one_line = np.searchsorted(line_ends, begins) == np.searchsorted(line_ends, ends)
        return bool((begins_well & ends_well & in_one_line).all())

    def columns(self, names: list[str], delimiter: str, field_chars: int) -> list[pl.Series] | None:
        """Its fields as columns of text; None: a line is not a simple row, or a field may be too long."""
        if self._is_odd or not self.stands_alone(delimiter):
            return None
        texts = pc.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        content, mark = self._by_one_byte(delimiter)
        if not mark.isascii():
            return None
        lines = pc.ParseOptions(delimiter=mark, ignore_empty_lines=False)
        try:
            table = pc.read_csv(BytesIO(content), pc.ReadOptions(column_names=names), lines, texts)
        except pa.ArrowInvalid:
            return None
        columns = pl.DataFrame(table).get_columns()
        if mark != delimiter and b'"' in content:  # within quotes, it is text
            columns = [column.str.replace_all(mark, delimiter, literal=True) for column in columns]
        return columns if max(map(_longest, columns)) <= field_chars else None

    def _by_one_byte(self, delimiter: str) -> tuple[bytes, str]:
        """The content with another delimiter instead of one of several bytes: a control character that it does not
        have. As it is, if it has them all."""
        if delimiter.isascii():
            return self.content, delimiter
        for mark in _SEPARATORS:
            if mark not in self.content:
                return self.content.replace(delimiter.encode(), mark), mark.decode()
        return self.content, delimiter

    @property
    def has_formulas(self) -> bool:
        """Whether a field may be a formula that stands for a text: `="00777"`."""
        return b'"' in self.content and b'="' in self.content  # the first test is the faster one if there is no quote

    @property
    def _is_odd(self) -> bool:
        return self.content.startswith(_BLANK_OR_MARK) or any(blank in self.content for blank in _BLANK)


def pieces(file: BinaryIO) -> Iterator[Piece]:
    """The rest of a file, cut after an LF."""
    start, rest = file.tell(), b""
    while block := file.read(max(_PIECE - len(rest), 1)):
        rest += block
        cut = rest.rfind(b"\n") + 1
        yield Piece(start, rest[:cut] or rest, is_whole=cut > 0)
        start, rest = start + (cut or len(rest)), rest[cut:] if cut else b""
    if rest:
        yield Piece(start, rest, is_whole=True)


def filled_rows(columns: list[pl.Series]) -> pl.Series | None:
    """Which rows have anything but spaces in a field; None: all of them, which is cheap to find out."""
    first = columns[0]
    if not ((first < "!") | (first > "~")).any():  # nothing begins with a space: those beyond ASCII sort last
        return None
    filled = pl.any_horizontal(pl.all().str.strip_chars(_SPACES) != "")
    return pl.DataFrame(columns).select(filled=filled)["filled"]


def _longest(column: pl.Series) -> int:
    """The bytes of a column's longest text."""
    size = column.str.len_bytes().max()
    return size if isinstance(size, int) else 0
