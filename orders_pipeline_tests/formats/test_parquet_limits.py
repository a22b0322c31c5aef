"""What is read of Parquet's headers is what Arrow reads of them: else a limit would be held against other figures."""

import struct
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import parquet_limits
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.rows import BATCH_ROWS

ROWS = 100
ROW_COUNT, ROW_GROUPS = b"\x16\xc8\x01", b"\x19"  # in the footer: field 3, an integer, 100; field 4, a list


def orders(path: Path) -> Path:
    columns = ("order_id", "customer_id", "amount", "order_date")
    pq.write_table(
        pa.table({name: [str(number) for number in range(ROWS)] for name in columns}), path, store_schema=False
    )
    return path


def with_footer(path: Path, before: bytes, after: bytes) -> None:
    """The file with other bytes in its footer."""
    whole = path.read_bytes()
    (length,) = struct.unpack("<I", whole[-8:-4])
    pages, footer = whole[: -8 - length], whole[-8 - length : -8]
    assert before in footer
    footer = footer.replace(before, after, 1)
    path.write_bytes(pages + footer + struct.pack("<I", len(footer)) + b"PAR1")


def numbered(number: int) -> bytes:
    """A field's number, written out: zigzag, seven bits a byte."""
    value, found = (number << 1) ^ (number >> 63), b""
    while value > 127:
        value, found = value >> 7, found + bytes([value & 127 | 128])
    return found + bytes([value])


def test_an_honest_file_is_planned(tmp_path: Path) -> None:
    assert parquet_limits.check(orders(tmp_path / "a.parquet"), Reading()).steps == [BATCH_ROWS]


@pytest.mark.parametrize(
    "after",
    [
        ROW_COUNT + b"\x09" + numbered(4 + (1 << 16)),
        ROW_COUNT + b"\x09" + numbered(4 - (1 << 16)),
        ROW_COUNT + b"\x09" + numbered(4 + (5 << 16)),
        b"\x06" + numbered(3 + (1 << 16)) + ROW_COUNT[1:] + ROW_GROUPS,
    ],
)
def test_a_field_whose_number_only_arrow_takes_for_a_known_one_hides_nothing(tmp_path: Path, after: bytes) -> None:
    """Arrow keeps 16 bits of a field's number: it would find row groups, of which no limit has seen a page."""
    path = orders(tmp_path / "a.parquet")
    with_footer(path, ROW_COUNT + ROW_GROUPS, after)
    assert pq.read_table(path).num_rows == ROWS

    with pytest.raises(QuarantineError, match="headers cannot be read"):
        parquet_limits.check(path, Reading())


def test_a_dictionary_that_only_arrow_finds_is_refused(tmp_path: Path) -> None:
    """Where a column's dictionary is may be left out: without it, its page would pass every limit unseen."""
    path = orders(tmp_path / "a.parquet")
    column = pq.read_metadata(path).row_group(0).column(0)
    data, dictionary = numbered(column.data_page_offset), numbered(column.dictionary_page_offset)
    hidden = b"\x26" + data + b"\x06" + numbered(11 + (1 << 16)) + dictionary
    with_footer(path, b"\x26" + data + b"\x26" + dictionary, hidden)
    assert pq.read_table(path).num_rows == ROWS

    with pytest.raises(QuarantineError, match="headers cannot be read"):
        parquet_limits.check(path, Reading())


@pytest.mark.parametrize("end", [b"\x10", b"\x20", b"\xf0"])
def test_a_structure_ends_where_it_ends_for_arrow(tmp_path: Path, end: bytes) -> None:
    """Four bits say so, whatever the other four are; what follows is not the file's."""
    path = orders(tmp_path / "a.parquet")
    whole = path.read_bytes()
    (length,) = struct.unpack("<I", whole[-8:-4])
    footer = whole[-8 - length : -8]
    with_footer(path, footer, footer[:-1] + end + b"\x16\x02\x00")

    assert pq.read_table(path).num_rows == ROWS
    assert parquet_limits.check(path, Reading()).steps == [BATCH_ROWS]


def test_a_file_without_rows_is_no_contradiction(tmp_path: Path) -> None:
    """Nor are lists, which have more values than rows, or none."""
    for name, groups in (("no-group.parquet", 0), ("empty-group.parquet", 1)):
        with pq.ParquetWriter(tmp_path / name, pa.schema([("order_id", pa.string())])) as writer:
            for _ in range(groups):
                writer.write_table(pa.table({"order_id": pa.array([], pa.string())}))
        assert parquet_limits.check(tmp_path / name, Reading()).steps == [BATCH_ROWS] * groups
    pq.write_table(pa.table({"order_id": ["1", "2", None], "lines": [[1, 2, 3], [], None]}), tmp_path / "lists.parquet")
    assert parquet_limits.check(tmp_path / "lists.parquet", Reading()).steps == [BATCH_ROWS]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ROW_COUNT + ROW_GROUPS, b"\x16\x90\x03" + ROW_GROUPS),  # 200 rows in the file
        (ROW_COUNT + ROW_GROUPS, b"\x16\x02" + ROW_GROUPS),  # 1
        (ROW_COUNT + ROW_GROUPS, b"\x16\x00" + ROW_GROUPS),  # none
        (ROW_COUNT + b"\x26", b"\x16\x64\x26"),  # 50 in the row group
        (b"\x16\xc8\x01\x16", b"\x16\x64\x16"),  # 50 values of the first column
    ],
)
def test_a_file_whose_counts_of_rows_differ_is_quarantined(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = orders(tmp_path / "a.parquet")
    with_footer(path, before, after)

    with pytest.raises(QuarantineError, match=r"footer counts|a column has"):
        parquet_limits.check(path, Reading())


@pytest.mark.parametrize("byte", [0x00, 0x18, 0x1C, 0xFF])
def test_a_damaged_byte_of_the_footer_is_at_most_a_reason(tmp_path: Path, byte: int) -> None:
    """Wherever it is: a text where a structure is due, a list without end, a number of another type."""
    path = orders(tmp_path / "a.parquet")
    whole = path.read_bytes()
    (length,) = struct.unpack("<I", whole[-8:-4])
    for at in range(len(whole) - 8 - length, len(whole) - 8):
        path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        with suppress(QuarantineError):
            parquet_limits.check(path, Reading())
