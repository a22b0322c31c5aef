"""Estimate the memory that a Parquet file needs, from its footer and page headers, before anything is expanded.

A page of a few kilobytes can claim, or expand to, gigabytes, and the totals in the footer can be wrong. So the header
of each page is read, with limits on the size of the headers themselves.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from thrift.protocol.TCompactProtocol import TCompactProtocol  # type: ignore[import-untyped]  # it has no types
from thrift.Thrift import TException, TType  # type: ignore[import-untyped]
from thrift.transport.TTransport import TFileObjectTransport  # type: ignore[import-untyped]

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.options import MOST_COLUMNS, Reading
from orders_pipeline.formats.rows import batch_rows

_LARGEST_FOOTER: Final = 16 << 20
_LARGEST_HEADER: Final = 1 << 20
_LARGEST_PAGES: Final = 160 << 20  # bytes: the largest pages of all columns of a row group are in memory together
_MOST_PAGES: Final = 200_000
_MOST_NESTED: Final = 4_000_000  # values of a nested column in a row group
_BYTES_PER_CHAR: Final = 4
_DECODED_AT_A_TIME: Final = 16 << 20  # bytes of all columns, by the averages of their pages
_UNPACKED_AT_A_TIME: Final = 64 << 20  # bytes of all columns whose pages may hold far more than their sizes say
_DELTAS: Final = frozenset({6, 7})  # encodings of texts by length, and by the prefix shared with the previous text
_DEEPEST: Final = 20
_MOST_VALUES: Final = 2_000_000  # of a footer or header, each a few dozen bytes in memory
# Headers that end too early, have no structure, or have a value of the wrong type.
_DAMAGE: Final = (TException, EOFError, LookupError, TypeError, AttributeError, ValueError, OverflowError, struct.error)

# Field numbers of the Parquet format.
_SCHEMA, _ROW_COUNT, _ROW_GROUPS, _GROUP_COLUMNS, _GROUP_ROWS, _COLUMN_META, _COLUMN_FILE = 2, 3, 4, 1, 3, 3, 1
_CHILDREN = 5
_ENCODINGS, _PATH, _VALUES, _PACKED, _DATA_AT, _DICTIONARY_AT = 2, 3, 5, 7, 9, 11
_PAGE_EXPANDED, _PAGE_PACKED, _PAGE_V1, _PAGE_DICTIONARY, _PAGE_V2, _PAGE_VALUES = 2, 3, 5, 7, 8, 1

_SCALARS: Final[dict[int, Callable[[Any], Any]]] = {
    TType.BOOL: TCompactProtocol.readBool,
    TType.BYTE: TCompactProtocol.readByte,
    TType.I16: TCompactProtocol.readI16,
    TType.I32: TCompactProtocol.readI32,
    TType.I64: TCompactProtocol.readI64,
    TType.DOUBLE: TCompactProtocol.readDouble,
    TType.STRING: TCompactProtocol.readBinary,
}


@dataclass(frozen=True)
class Plan:
    """How to read a file. `steps`: for each row group, how many rows may be decoded at a time. `delta`: the columns
    with encodings that Arrow does not decode as dictionaries."""

    steps: list[int]
    delta: frozenset[str]


def check(path: Path, reading: Reading) -> Plan:
    """How a file can be read within the limits.

    Raises:
        QuarantineError: it cannot be read within the limits.
    """
    with path.open("rb") as file:
        try:
            footer = _footer(file)
            if footer[_ROW_COUNT] > reading.rows:
                raise reading.beyond("rows", f"The footer of the file counts {footer[_ROW_COUNT]:,} rows")
            if len(footer[_SCHEMA]) > 4 * MOST_COLUMNS:
                raise QuarantineError("too_many_columns", f"More than {MOST_COLUMNS} columns: is that orders?")
            pages = _Pages(file, path.stat().st_size, reading)
            columns = sum(not element.get(_CHILDREN) for element in footer[_SCHEMA])
            reading.require_cells(footer[_ROW_COUNT], columns)
            groups = footer[_ROW_GROUPS]
            rows = sum(group[_GROUP_ROWS] for group in groups)
            if rows != footer[_ROW_COUNT]:  # Arrow would read only the rows of the groups
                raise _broken(f"its footer counts {footer[_ROW_COUNT]:,} rows, and {rows:,} in its row groups")
            steps = [pages.step(group, batch_rows(columns)) for group in groups]
            return Plan(steps, frozenset(pages.delta))
        except _DAMAGE as error:
            raise _broken(f"its headers cannot be read ({type(error).__name__})") from error


class _Pages:
    """Walks the page headers of row groups, adding up what they expand to."""

    def __init__(self, file: IO[bytes], size: int, reading: Reading) -> None:
        self._file, self._size, self._reading = file, size, reading
        self._expanded = self._count = 0
        self.delta: set[str] = set()

    def step(self, group: dict[int, Any], most_rows: int) -> int:
        """How many rows of a row group may be decoded at a time."""
        largest_pages = 0
        of_one_row = unpacked = 1.0
        for column in group[_GROUP_COLUMNS]:
            if _COLUMN_FILE in column:
                raise _broken("its columns are in other files")
            meta = column[_COLUMN_META]
            if meta[_VALUES] < group[_GROUP_ROWS]:  # nulls and empty lists are values too
                raise _broken(f"a column has {meta[_VALUES]:,} values for {group[_GROUP_ROWS]:,} rows")
            largest, of_one, is_delta = self._column(meta)
            largest_pages += largest
            of_one *= max(1, meta[_VALUES] / max(group[_GROUP_ROWS], 1))  # a row has several, if it has a list
            of_one_row += 0 if is_delta else of_one
            unpacked += of_one if is_delta else 0
        if largest_pages > _LARGEST_PAGES:
            raise _broken(f"its pages take more than {_LARGEST_PAGES:,} bytes at a time; write smaller pages")
        fitting = min(_DECODED_AT_A_TIME / of_one_row, _UNPACKED_AT_A_TIME / unpacked)
        return max(1, min(most_rows, int(fitting)))

    def _column(self, meta: dict[int, Any]) -> tuple[int, float, bool]:
        """The size of a column's largest page, the bytes of one of its values, and whether they may be as many as those
        of a page."""
        if not meta[_VALUES]:
            return 0, 0, False  # a row group without rows need not have pages
        starts = [meta[_DATA_AT], *([meta[_DICTIONARY_AT]] if meta.get(_DICTIONARY_AT) else [])]
        at, end = min(starts), min(starts) + meta[_PACKED]
        if not 0 < at <= end <= self._size:
            raise _broken("a column is outside the file")
        largest, values, of_one = 0, 0, 0.0
        is_delta = not _DELTAS.isdisjoint(meta[_ENCODINGS])
        if is_delta:
            self.delta.add(b".".join(meta[_PATH]).decode(errors="replace"))
        while at < end and values < meta[_VALUES]:
            header = self._header(at)
            expanded, packed = header[_PAGE_EXPANDED], header[_PAGE_PACKED]
            if expanded < 0 or packed < 0:
                raise _broken("a page has no size")
            data = header.get(_PAGE_V1) or header.get(_PAGE_V2)
            count = max(1, (data or header.get(_PAGE_DICTIONARY) or {_PAGE_VALUES: 1})[_PAGE_VALUES])
            self._add(expanded)
            if expanded > count * (_BYTES_PER_CHAR * self._reading.field_chars + 64):
                raise self._reading.beyond("field_chars", "A value of the file is longer")
            largest = max(largest, expanded)
            values += count if data else 0
            # A delta can repeat the whole previous value; and in these columns, dictionaries are expanded.
            of_one = max(of_one, expanded if is_delta else expanded / count if data else 0)
            at = self._file.tell() + packed
        if len(meta[_PATH]) > 1 and max(values, meta[_VALUES]) > _MOST_NESTED:
            raise _broken(f"a column of lists has more than {_MOST_NESTED:,} values in a row group")
        return largest, of_one, is_delta

    def _add(self, expanded: int) -> None:
        self._expanded += expanded
        self._count += 1
        if self._expanded > self._reading.expanded_bytes:
            limit = self._reading.expanded_bytes
            raise self._reading.beyond("expanded_bytes", f"The file expands to more than {limit:,} bytes")
        if self._count > _MOST_PAGES:
            raise _broken(f"it has more than {_MOST_PAGES:,} pages")

    def _header(self, at: int) -> dict[int, Any]:
        """The header of the page that begins there. Leaves the file where the page's data begins."""
        self._file.seek(at)
        return _Structs(self._file, _LARGEST_HEADER).read()


def _footer(file: IO[bytes]) -> dict[int, Any]:
    end = file.seek(0, 2) - 8
    file.seek(max(0, end))
    length, magic = struct.unpack("<I4s", file.read(8))
    if magic != b"PAR1" or length > end:
        raise _broken("its end is missing")
    if length > _LARGEST_FOOTER:
        raise _broken(f"its footer has more than {_LARGEST_FOOTER:,} bytes")
    file.seek(end - length)
    return _Structs(file, length).read()


def _broken(problem: str) -> QuarantineError:
    return QuarantineError("parquet_unreadable", f"The file begins as Parquet and cannot be read: {problem}.")


class _Structs:
    """Structures of Thrift's compact protocol, as `{field number: value}`.

    Raises:
        one of _DAMAGE: there is no such structure, or it is larger than any file needs.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        """`most`: how many bytes the structure may take, from the present position of the file."""
        self._file, self._end = file, file.tell() + most
        self._protocol = TCompactProtocol(TFileObjectTransport(file), most, most)
        self._values = 0

    def read(self, depth: int = 0) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        self._protocol.readStructBegin()
        while (field := self._protocol.readFieldBegin())[1] != TType.STOP:
            _name, kind, number = field
            if not 0 < number < 1 << 15:  # Arrow keeps 16 bits of it, so to Arrow 65540 would be the row groups
                raise ValueError("no number of a field")
            fields[number] = self._value(kind, depth)
            self._protocol.readFieldEnd()
        self._protocol.readStructEnd()
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES or self._file.tell() > self._end:
            raise ValueError("nested too deeply, or too much of it")
        if kind == TType.STRUCT:
            return self.read(depth + 1)
        if kind in (TType.LIST, TType.SET):
            of_kind, size = self._protocol.readListBegin()
            values = [self._value(of_kind, depth + 1) for _ in range(size)]
            self._protocol.readListEnd()
            return values
        return _SCALARS[kind](self._protocol)
