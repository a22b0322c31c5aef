"""Names with a dot: columns within others, in JSON and Parquet."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orders_pipeline.formats import parquet
from orders_pipeline.schema import PROBLEM
from orders_pipeline.sources.declaration import Source
from orders_pipeline_tests.support.declared import HEADER, read, refusal
from orders_pipeline_tests.support.files import fields

COLUMNS = {"customer_id": "Kunde.Id", "amount": "Summe.brutto.Betrag"}
ORDER = {"order_id": "007", "order_date": "2026-03-04"}
ONE_ROW = [["007", "ann", "1.50", "2026-03-04"]]


def as_json(values: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, values)).encode()


def as_parquet(values: list[dict[str, Any]]) -> bytes:
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(values), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("write", [as_json, as_parquet])
@pytest.mark.parametrize(
    "inner",
    [
        {"Kunde": {"Id": "ann", "Name": "x"}, "Summe": {"netto": 1, "brutto": {"Betrag": "1.50"}}},
        {"KUNDE": {" id ": "ann"}, " summe": {"Brutto": {"BETRAG": "1.50"}}},
        {"Kunde.Id": "ann", "Summe": {"brutto.Betrag": "1.50"}},
        {"Kunde.Id": "ann", "Kunde": {"Id": "bob"}, "Summe.brutto": {"Betrag": "1.50"}},
        {"kunde.id": "ann", "Kunde": None, "Summe.brutto.Betrag": "1.50", "Summe": {"brutto": {"Betrag": "9"}}},
        {"Kunde": {"Id": "ann", "x": {"Id": "bob"}}, "Summe": {"brutto": {"Betrag": "1.50"}, "Betrag": "9"}},
    ],
)
def test_a_name_with_a_dot_is_a_column_within_another_unless_one_has_that_very_name(
    tmp_path: Path, write: Any, inner: dict[str, Any]
) -> None:
    assert fields(read(tmp_path, write([{**ORDER, **inner}]), columns=COLUMNS)) == ONE_ROW


@pytest.mark.parametrize("write", [as_json, as_parquet])
def test_the_outer_column_is_kept_and_other_rows_may_have_none(tmp_path: Path, write: Any) -> None:
    kunden: list[Any] = [{"Id": 7.0, "Ort": None}, None, {"Id": None, "Ort": "x"}]
    values = [{**ORDER, "amount": "1", "Kunde": kunde} for kunde in kunden]

    rows = read(tmp_path, write(values), columns={"customer_id": "Kunde.Id"})

    assert [row["customer_id"] for row in rows] == ["7", None, None]
    assert [row[PROBLEM] for row in rows] == [None] * 3
    assert rows[0]["Kunde"].startswith('{"Id": 7')
    assert rows[1]["Kunde"] is None


@pytest.mark.parametrize("write", [as_json, as_parquet])
@pytest.mark.parametrize("kunde", [{"Nr": "ann"}, "ann", ["ann"]])
def test_a_file_without_a_value_of_that_name_is_set_aside(tmp_path: Path, write: Any, kunde: Any) -> None:
    content = write([{**ORDER, "amount": "1", "Kunde": kunde}])

    message = refusal(tmp_path, content, columns={"customer_id": "Kunde.Id"})

    assert message.startswith("column_missing: No column Kunde.Id (customer_id). Found: ")


def test_a_name_that_leads_to_an_object_is_no_value(tmp_path: Path) -> None:
    values = [{**ORDER, "amount": "1", "Kunde": {"Id": {"Id": "ann"}}}]

    assert [row[PROBLEM] for row in read(tmp_path, as_json(values), columns={"customer_id": "Kunde.Id"})] == [
        "nested_value"
    ]
    assert "column_type" in refusal(tmp_path, as_parquet(values), columns={"customer_id": "Kunde.Id"})


@pytest.mark.parametrize(
    "inner",
    [
        {"Kunde": {"Id": "ann"}, "kunde": {"Id": "bob"}},
        {"Kunde": {"Id": "ann", "ID": "bob"}},
        {"Kunde": {"Id": "ann"}, "kunde": None},
    ],
)
def test_two_columns_of_one_name_are_one_too_many(tmp_path: Path, inner: dict[str, Any]) -> None:
    value = {**ORDER, "amount": "1", **inner}

    rows = read(
        tmp_path, as_json([value, {**value, "Kunde": {"Id": "x"}, "kunde": 1}]), columns={"customer_id": "Kunde.Id"}
    )
    assert [row[PROBLEM] for row in rows][:1] == ["key_twice"]
    if None not in inner.values():
        assert "column_twice" in refusal(tmp_path, as_parquet([value]), columns={"customer_id": "Kunde.Id"})


@pytest.mark.parametrize("write", [as_json, as_parquet])
def test_a_column_that_decides_may_be_within_another(tmp_path: Path, write: Any) -> None:
    value = {**ORDER, "customer_id": "ann", "amount": "1", "status": {"Name": "paid"}}

    (row,) = read(tmp_path, write([value]), keep={"Status.name": ("paid",)})

    assert row["Status.name"] == "paid"
    assert "column_missing" in refusal(tmp_path, write([value]), keep={"Status.id": ("paid",)})


def test_csv_has_only_columns_of_that_very_name(tmp_path: Path) -> None:
    columns = {"customer_id": "Kunde.Id"}
    content = f"{HEADER.replace('customer_id', 'kunde.id')}\n007,ann,1.50,2026-03-04\n"

    assert fields(read(tmp_path, content, columns=columns)) == ONE_ROW


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.binary()])
@pytest.mark.parametrize("piece", [40, 16 << 20])
def test_texts_within_structures_are_read_however_they_are_stored(
    tmp_path: Path, kind: Any, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_BATCH_BYTES", piece)
    ids = [f"kunde-{n % 7}" for n in range(50)]
    texts = pa.array([text.encode() for text in ids], kind) if kind == pa.binary() else pa.array(ids).cast(kind)
    kunde = pa.StructArray.from_arrays([texts], ["Id"], mask=pa.array([n % 5 == 0 for n in range(50)]))
    others = {name: pa.array(["1"] * 50) for name in ("order_id", "amount", "order_date")}
    buffer = BytesIO()
    pq.write_table(pa.table({**others, "Kunde": kunde}), buffer, row_group_size=20)

    rows = read(tmp_path, buffer.getvalue(), columns={"customer_id": "Kunde.Id"})

    assert [row["customer_id"] for row in rows] == [None if n % 5 == 0 else text for n, text in enumerate(ids)]


def test_a_nested_name_that_decides_takes_the_bytes_again() -> None:
    assert Source(keep={"Status": ("paid",)}).bytes_hash is None
    assert Source(keep={"Status.Name": ("paid",)}).bytes_hash is not None
    one, other = (Source(keep={"Status.Name": (value,)}) for value in ("paid", "open"))
    assert one.bytes_hash == other.bytes_hash
    assert Source.of_reading(one.reading).bytes_hash == one.bytes_hash
