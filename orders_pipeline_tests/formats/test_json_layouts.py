"""How JSON may be laid out: objects a line or over several, an array bare or wrapped; whose fault is a row's."""

import json
from pathlib import Path
from typing import Any

import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.schema import PROBLEM, ROW_NUMBER

ALIASES = {"orderid": "order_id", "id": "order_id", "total": "amount"}
GOOD = {"order_id": "1", "customer_id": "a", "amount": "1.50", "order_date": "2026-03-04"}


def rows_of(tmp_path: Path, content: str) -> list[dict[str, Any]]:
    file = tmp_path / "file"
    file.write_text(content)
    return [row for batch in read_rows(file, Reading(aliases=ALIASES)) for row in batch.to_dicts()]


def refusal(tmp_path: Path, content: str) -> str:
    with pytest.raises(QuarantineError) as caught:
        rows_of(tmp_path, content)
    return str(caught.value)


def renamed(**names: str) -> dict[str, str]:
    return {names.get(key, key): value for key, value in GOOD.items()}


def as_lines(objects: list[Any]) -> str:
    return "\n".join(map(json.dumps, objects)) + "\n"


@pytest.mark.parametrize("write", [as_lines, json.dumps])
@pytest.mark.parametrize(
    "other",
    [
        renamed(order_id="orderId", amount="total"),
        renamed(order_id="Order_ID"),
        renamed(order_id="ID", amount=" AMOUNT "),
        {**GOOD, "orderId": "other", "total": "9"},
    ],
)
def test_keys_of_several_producers_are_one_column(tmp_path: Path, write: Any, other: dict[str, str]) -> None:
    rows = rows_of(tmp_path, write([GOOD, other]))

    assert [(row["order_id"], row["amount"], row[PROBLEM]) for row in rows] == [("1", "1.50", None)] * 2


@pytest.mark.parametrize("write", [as_lines, json.dumps])
@pytest.mark.parametrize(
    ("odd", "problem"),
    [
        ({**GOOD, "Order_ID": "2"}, "key_twice"),
        ({**renamed(order_id="orderId"), "id": "2"}, "key_twice"),
        ({**GOOD, "AMOUNT": "2"}, "key_twice"),
        ({f"k{n}": n for n in range(1_001)}, "field_count"),
        ({**GOOD, "k" * 501: "x"}, "field_count"),
        ({**GOOD, "amount": float("inf")}, "json_unreadable"),
        ({**GOOD, "amount": {"value": 1}}, "nested_value"),
    ],
)
def test_one_odd_object_is_rejected_alone(tmp_path: Path, write: Any, odd: dict[str, Any], problem: str) -> None:
    rows = rows_of(tmp_path, write([*[GOOD] * 25, odd, *[GOOD] * 25]))

    assert [row[PROBLEM] for row in rows] == [*[None] * 25, problem, *[None] * 25]


def test_an_alias_beside_its_column_is_an_unused_column(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, as_lines([{**GOOD, "orderId": "other"}, renamed(order_id="orderId")]))

    assert [(row["order_id"], row["orderId"]) for row in rows] == [("1", "other"), ("1", None)]


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n\n"])
@pytest.mark.parametrize("between", ["\n", "\r\n", "", "\n\n"])
def test_objects_over_several_lines_are_rows(tmp_path: Path, between: str, end: str) -> None:
    rows = rows_of(tmp_path, between.join([json.dumps(GOOD, indent=2)] * 3) + end)

    assert [(row["order_id"], row[ROW_NUMBER], row[PROBLEM]) for row in rows] == [("1", n, None) for n in (1, 2, 3)]


def test_objects_with_spaces_between_them_are_rows(tmp_path: Path) -> None:
    assert len(rows_of(tmp_path, " ".join([json.dumps(GOOD)] * 3))) == 3


@pytest.mark.parametrize("indent", [1, 4, "\t"])
def test_what_is_cut_short_is_told_from_what_is_not(tmp_path: Path, indent: Any) -> None:
    pretty = json.dumps(GOOD, indent=indent)

    assert "json_truncated" in refusal(tmp_path, f"{pretty}\n{pretty[:-20]}")
    assert "json_truncated" in refusal(tmp_path, pretty[:-20])
    assert "json_truncated" in refusal(tmp_path, as_lines([GOOD]) + json.dumps(GOOD)[:-9])
    assert "object 2 is no JSON" in refusal(
        tmp_path, f"{pretty}\n{pretty.replace('1.50', '1.5' + chr(34) + '0')}\n{pretty}"
    )


@pytest.mark.parametrize("last", ["nonsense", "]", '{"order_id": x}', '{"a": 1} {"b": 2}', "# end"])
def test_a_bad_last_line_is_rejected_alone(tmp_path: Path, last: str) -> None:
    rows = rows_of(tmp_path, as_lines([GOOD] * 3) + last)

    assert [row[PROBLEM] for row in rows] == [None] * 3 + ["json_unreadable"]


def test_a_bad_first_line_is_rejected_alone(tmp_path: Path) -> None:
    for first in ('{"order_id": }', '{"order_id": "1', '{"order_id":', '{"orders": [{"a": }]}'):
        rows = rows_of(tmp_path, f"{first}\n{as_lines([GOOD] * 3)}")
        assert [row[PROBLEM] for row in rows] == ["json_unreadable", None, None, None]


@pytest.mark.parametrize("key", ["orders", "data", "order_items ü"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_under_a_single_key_is_read(tmp_path: Path, key: str, indent: int | None) -> None:
    rows = rows_of(tmp_path, json.dumps({key: [GOOD, 5, GOOD]}, indent=indent) + "\n")

    assert [(row[ROW_NUMBER], row[PROBLEM]) for row in rows] == [(1, None), (2, "not_an_object"), (3, None)]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"orders": [GOOD], "next": None}, ".orders"),
        ({"count": 1, "orders": [GOOD]}, ".orders"),
        ({"data": {"orders": [GOOD]}}, ".data.orders"),
        ({"meta": {}, "data": {"the orders": [GOOD]}}, '.data."the orders"'),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_that_lies_deeper_is_named_with_the_way_out(
    tmp_path: Path, value: Any, path: str, indent: int | None
) -> None:
    message = refusal(tmp_path, json.dumps(value, indent=indent))

    assert message.startswith("column_missing: No column order_id, customer_id, amount, order_date: ")
    assert f"jq -c '{path}[]'" in message
    assert f'`json_records = "{path[1:].replace(chr(34), "")}"`' in message


def test_lines_of_arrays_and_empty_ones_are_refused(tmp_path: Path) -> None:
    assert "jq -c '.orders[]'" in refusal(tmp_path, as_lines([{"orders": [GOOD]}, {"orders": [GOOD]}]))
    assert "column_missing" in refusal(tmp_path, '{"errors": []}')


@pytest.mark.parametrize(
    ("objects", "named"),
    [
        (
            [{"before": None, "after": GOOD, "op": "c"}, None],
            "Debezium change events, with the orders under `.after`",
        ),
        ([{"schema": {}, "payload": {"before": GOOD, "after": None, "op": "d"}}], "`.payload.after`"),
        ([{"before": GOOD, "after": GOOD, "op": "u", "source": {"db": "x"}}] * 30, "ExtractNewRecordState"),
        ([{**GOOD, "amount": {"$numberDecimal": "1.50"}}], "MongoDB Extended JSON"),
        ([{**GOOD, "order_id": {"$oid": "65f"}}] * 30, "MongoDB Extended JSON"),
        ([{**GOOD, "order_date": {"$date": {"$numberLong": "1"}}}] * 3, "MongoDB Extended JSON"),
        ([{"_id": {"$oid": "65f"}, "total_price": 5}], "MongoDB Extended JSON"),
    ],
)
@pytest.mark.parametrize("write", [as_lines, json.dumps])
def test_an_envelope_is_named_as_what_it_is(tmp_path: Path, objects: list[Any], named: str, write: Any) -> None:
    assert named in refusal(tmp_path, write(objects))


@pytest.mark.parametrize("mark", ["\ufeff", "\ufeff\ufeff"])
@pytest.mark.parametrize("indent", [None, 1])
def test_files_put_together_with_their_byte_order_marks_lose_no_order(
    tmp_path: Path, mark: str, indent: int | None
) -> None:
    one = f"{mark}{json.dumps(GOOD, indent=indent)}\n"

    assert [row[PROBLEM] for row in rows_of(tmp_path, f"\ufeff{one * 3}")] == [None] * 3
    assert len(rows_of(tmp_path, f"{mark}{json.dumps([GOOD] * 3, indent=indent)}{mark}\n")) == 3


def test_objects_over_several_lines_that_are_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    pretty = json.dumps(GOOD, indent=1)

    message = refusal(tmp_path, f'{pretty}\n{{\n"x": {"[" * 5000}{"]" * 5000}}}\n')
    assert message.endswith("object 2 is nested too deeply.")


@pytest.mark.parametrize("rows", [1, 2])
def test_a_number_of_any_length_is_read_beside_a_bad_value(tmp_path: Path, rows: int) -> None:
    bad = json.dumps({**GOOD, "order_id": {}})[:-1] + f', "x": {"1" * 5000}}}\n'

    assert [row[PROBLEM] for row in rows_of(tmp_path, bad * rows)] == ["nested_value"] * rows
