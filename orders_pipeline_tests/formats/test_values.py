"""One value, one text: ids that are equal count once, whatever type and format brings them."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.schema import PROBLEM

HEADER = "order_id,customer_id,amount,order_date\n"


def rows_of(tmp_path: Path, content: str | bytes) -> list[dict[str, Any]]:
    file = tmp_path / "file"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return [row for batch in read_rows(file) for row in batch.to_dicts()]


def column(tmp_path: Path, name: str, values: Any, *, store_schema: bool = True) -> list[Any]:
    """What an order's column of these Arrow values is read as."""
    others = {other: ["1"] * len(values) for other in HEADER.strip().split(",") if other != name}
    buffer = BytesIO()
    pq.write_table(pa.table({**others, name: values}), buffer, store_schema=store_schema)
    return [row[name] for row in rows_of(tmp_path, buffer.getvalue())]


@pytest.mark.parametrize("name", ["order_id", "customer_id"])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e15", "1000000000000000"), ("1001.0", "1001"), ("1001.00", "1001"), ("-0.0", "0"), ("-0", "0"),
        ("0.1", "0.1"), ("1.50", "1.5"), ("1E-7", "0.0000001"), ("-1.0e2", "-100"),
        ("12345678901234567890.0", "12345678901234567890"),
        ('"1001.0"', "1001.0"), ('"1e15"', "1e15"), ('"007"', "007"), ("true", "true"), ("null", None), ("NaN", None),
        ("1e999999999", "1e999999999"), ("1e99999999999999999999", "1e99999999999999999999"),
    ],
)  # fmt: skip
def test_a_json_number_in_an_id_is_plain_digits_and_a_text_stays(
    tmp_path: Path, name: str, written: str, read: str | None
) -> None:
    fields = {"order_id": "1", "customer_id": "1", name: written}
    line = ", ".join(f'"{key}": {value}' for key, value in fields.items())
    for content in (
        f'{{{line}, "amount": 1.50, "order_date": 1e3}}\n',
        f'[{{{line}, "amount": 1.50, "order_date": 1e3}}]',
    ):
        (row,) = rows_of(tmp_path, content)
        assert (row[name], row["amount"], row["order_date"]) == (read, "1.50", "1e3")


NOON = datetime(2026, 3, 4, 12)


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (pa.array([1001], pa.int16()), "1001"),
        (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
        (pa.array([1001.0], pa.float16()), "1001"),
        (pa.array([1001.0], pa.float32()), "1001"),
        (pa.array([1e15], pa.float64()), "1000000000000000"),
        (pa.array([-0.0], pa.float64()), "0"),
        (pa.array([0.1], pa.float64()), "0.1"),
        (pa.array([1e15], pa.float64()).dictionary_encode(), "1000000000000000"),
        (pa.array([Decimal("1001.00")], pa.decimal32(9, 2)), "1001"),
        (pa.array([Decimal("1001.00")], pa.decimal64(12, 2)), "1001"),
        (pa.array([Decimal("1001.50")], pa.decimal128(10, 2)), "1001.5"),
        (pa.array([Decimal("1001.00")], pa.decimal256(60, 2)), "1001"),
        (pa.array([Decimal(0)], pa.decimal128(38, 9)), "0"),
        (pa.array([Decimal("1000")], pa.decimal128(10, 0)), "1000"),
        (pa.array(["1001.00"]), "1001.00"),
        (pa.array(["1001.0"], pa.string_view()), "1001.0"),
        (pa.array([b"1001.0"], pa.binary()), "1001.0"),
        (pa.array([b"1001.0"], pa.binary(6)), "1001.0"),
        (pa.array(["1001.0"]).dictionary_encode(), "1001.0"),
        (pa.array([b"\x11" * 16], pa.uuid()), "11111111-1111-1111-1111-111111111111"),
        (pa.array([True]), "true"),
        (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())), "true"),
        (pa.array([date(2026, 3, 4)], pa.date32()), "2026-03-04"),
        (pa.array([date(2026, 3, 4)], pa.date64()), "2026-03-04"),
        *((pa.array([NOON], pa.timestamp(unit)), "2026-03-04 12:00:00") for unit in ("s", "ms", "us", "ns")),
        *((pa.array([NOON.replace(tzinfo=UTC)], pa.timestamp(unit, "Asia/Tokyo")), "2026-03-04 12:00:00Z")
          for unit in ("s", "ms", "us", "ns")),
        (pa.array([NOON.replace(microsecond=120000)], pa.timestamp("us")), "2026-03-04 12:00:00.12"),
        (pa.array([time(12)], pa.time32("s")), "12:00:00"),
        (pa.array([time(12)], pa.time64("ns")), "12:00:00"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else value,
)  # fmt: skip
def test_a_parquet_id_has_one_text_whatever_its_type(tmp_path: Path, values: Any, read: str) -> None:
    assert column(tmp_path, "order_id", values) == [read]
    assert column(tmp_path, "customer_id", values) == [read]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (pa.array([Decimal("1.50")], pa.decimal128(10, 2)), "1.50"),
        (pa.array([Decimal(0)], pa.decimal128(38, 9)), "0.000000000"),
        (pa.array([1e15]), "1000000000000000"),
        (pa.array([1.5], pa.float32()), "1.5"),
    ],
)
def test_an_amount_keeps_its_digits(tmp_path: Path, values: Any, read: str) -> None:
    assert column(tmp_path, "amount", values) == [read]


@pytest.mark.parametrize("name", ["order_id", "amount", "order_date"])
@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_a_duration_is_no_value_of_an_order(tmp_path: Path, name: str, unit: str) -> None:
    with pytest.raises(QuarantineError, match=rf"column_type.*{name}.*duration\[{unit}\]"):
        column(tmp_path, name, pa.array([5], pa.duration(unit)))


FORMULAS = [
    ('="00777"', "00777"),
    ('"=""00777"""', "00777"),
    (' ="00777" ', "00777"),
    ('="a ""b"""', 'a "b"'),
    ('=""', ""),
    ('="007', '="007'),
    ('="a"&"b"', '="a"&"b"'),
    ("=A1", "=A1"),
    ("'00777", "'00777"),
]


@pytest.mark.parametrize(("written", "read"), FORMULAS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_text_that_a_spreadsheet_was_made_to_keep_is_the_text(
    tmp_path: Path, written: str, read: str, delimiter: str
) -> None:
    header = f"{HEADER.strip()},note\n".replace(",", delimiter)
    row = delimiter.join([written, written, "1.50", "2026-03-04", written])

    (found,) = rows_of(tmp_path, f"{header}{row}\n")

    assert (found["order_id"], found["customer_id"], found[PROBLEM]) == (read, read, None)
    assert found["note"] == (written if not written.startswith('"') else '="00777"')


def test_json_and_parquet_have_no_formulas(tmp_path: Path) -> None:
    line = r'{"order_id": "=\"00777\"", "customer_id": "1", "amount": 1, "order_date": "2026-03-04"}'

    assert [row["order_id"] for row in rows_of(tmp_path, line)] == ['="00777"']
    assert column(tmp_path, "order_id", pa.array(['="00777"'])) == ['="00777"']
