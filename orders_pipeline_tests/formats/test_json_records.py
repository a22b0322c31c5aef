"""JSON whose orders are in an array where a source declares it."""

import json
import random
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import json_elements
from orders_pipeline.formats.detect import place_of_rows, read_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.schema import PROBLEM, ROW_NUMBER
from orders_pipeline_tests.support.declared import read, refusal
from orders_pipeline_tests.support.files import JSON_ROW, ONE_ROW, ORDER, fields


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"orders": [JSON_ROW], "next": None}, "orders"),
        ({"next": "https://x?y={[", "orders": [JSON_ROW]}, "orders"),
        ({"data": {"orders": [JSON_ROW], "page": 1}, "errors": []}, "data.orders"),
        ({"meta": {"orders": [5]}, "data": {"data": {"data": [JSON_ROW]}}}, "data.data.data"),
        ({"data.orders": [JSON_ROW]}, "data.orders"),
        ({"a": {"b.c": {"d": [JSON_ROW]}}}, "a.b.c.d"),
        ({"a": {"b": 1}, "a.b": [JSON_ROW]}, "a.b"),
        ({"orders": "none", "x": [{"orders": [1]}], "data": {"orders": [JSON_ROW]}}, "data.orders"),
        ({'die Bestellungen "ü"': [JSON_ROW]}, 'die Bestellungen "ü"'),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("block", [1, 50, 1 << 20])
def test_the_array_at_the_declared_path_is_read(
    tmp_path: Path, value: Any, path: str, indent: int | None, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_elements, "_BLOCK", block)

    rows = read(tmp_path, json.dumps(value, indent=indent), json_records=path)

    assert fields(rows) == ONE_ROW
    assert place_of_rows(tmp_path / "file", Reading(json_records=path)) == "row"


@pytest.mark.parametrize("between", ["\n", "", "\r\n\r\n", "\n\ufeff"])
@pytest.mark.parametrize("indent", [None, 1])
def test_pages_one_after_the_other_are_one_file(tmp_path: Path, between: str, indent: int | None) -> None:
    pages = [{"data": {"orders": [JSON_ROW] * n}, "page": n} for n in (2, 0, 1)]

    rows = read(tmp_path, between.join(json.dumps(page, indent=indent) for page in pages), json_records="data.orders")

    assert [(row["order_id"], row[ROW_NUMBER]) for row in rows] == [("007", 1), ("007", 2), ("007", 3)]


def test_what_is_no_object_is_rejected_alone_and_an_empty_array_has_no_rows(tmp_path: Path) -> None:
    rows = read(tmp_path, json.dumps({"n": 1, "orders": [5, JSON_ROW, [JSON_ROW]]}), json_records="orders")

    assert [row[PROBLEM] for row in rows] == ["not_an_object", None, "not_an_object"]
    assert read(tmp_path, '{"orders": []}', json_records="orders") == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            '{"errors": [], "status": 500}',
            "no array is at `data.orders` (json_records of the source 'acme'). Its keys: errors",
        ),
        ('{"data": {"order": []}}', "In object 1 of the file, no array is at `data.orders`"),
        ('{"data": null}', "no array is at"),
        ('{"data": []}', "no array is at"),
        ('{"data": {"orders": null}}', "no array is at"),
        ('{"data": {"orders": {}}}', "no array is at"),
        ('{"data": {"orders": []}, "data.orders": []}', "2 arrays are at `data.orders`"),
        ('{"data": {"orders": [], "orders": []}}', "2 arrays are at"),
        ('{"data": {"orders": []}}\n{"data": {}}', "In object 2 of the file, no array"),
        ('[{"data": {"orders": []}}]', "In object 1 of the file, no array"),
        ('{"data": {"orders": [{}, {]}}', "The file is no JSON: element 2"),
        ('{"data": {"orders": [{"order_id": 1}, ', "The file is no JSON: element 2"),
        ('{"data": {"orders": [{"order_id": 1}]', "The file is no JSON: , or } expected, the end found"),
        ('{"data": {"orders": []}}]', "In object 2 of the file, no array"),
        ('{"data": {"orders": []},}', "The file is no JSON: a key is missing"),
        ('{"x": [1, 2, "data": {"orders": []}}', "The file is no JSON: , or ] expected, : found"),
        ('{"x": {"y": 1 2}, "data": {"orders": []}}', "The file is no JSON: , or } expected, 2 found"),
        ('{"x": ' + "[" * 9_000 + "}", "nested too deeply"),
    ],
)
def test_a_file_without_exactly_one_array_there_is_refused(tmp_path: Path, content: str, says: str) -> None:
    message = refusal(tmp_path, content, json_records="data.orders")

    assert message.startswith("json_unreadable: ")
    assert says in message


@pytest.mark.parametrize("declared", [{"format": "json"}, {"format": "json", "json_records": "a"}])
def test_a_blank_file_is_no_file_without_rows(tmp_path: Path, declared: dict[str, Any]) -> None:
    assert "blank" in refusal(tmp_path, " \n \n", **declared)


def test_orders_with_other_names_are_not_looked_for_deeper_still(tmp_path: Path) -> None:
    message = refusal(tmp_path, '{"orders": [{"id": 1, "items": [{"sku": 1}]}]}', json_records="orders")

    assert "No column order_id" in message
    assert "jq" not in message


def test_what_is_beside_the_array_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_elements, "_BLOCK", 1 << 14)
    beside = json.dumps([{"sku": "x" * 900}] * 3_000)
    (tmp_path / "file").write_text(f'{{"a": {beside}, "b": {{"c": 1}}, "orders": [{json.dumps(JSON_ROW)}]}}')
    tracemalloc.start()

    rows = [row for batch in read_rows(tmp_path / "file", Reading(json_records="orders")) for row in batch.to_dicts()]

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fields(rows) == ONE_ROW
    assert peak < len(beside) / 2  # and no more if it is larger


def test_a_value_beside_the_array_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('{"a": "' + "x" * 4_000_000 + '", "orders": []}')

    with pytest.raises(QuarantineError, match="row_too_long"):
        list(read_rows(tmp_path / "file", Reading(json_records="orders", field_chars=1_000)))


_KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    keys=st.lists(_KEYS.filter(lambda key: "." not in key), min_size=1, max_size=3),
    rows=st.lists(st.lists(st.text(max_size=5), min_size=4, max_size=4), max_size=4),
    others=st.lists(st.dictionaries(_KEYS, _JSON, max_size=3), min_size=3, max_size=3),
    seed=st.integers(0, 2**32),
    block=st.sampled_from([1, 9, 1 << 20]),
)
def test_orders_at_any_path_beside_anything_read_back(
    keys: list[str], rows: list[list[str]], others: list[dict[str, Any]], seed: int, block: int
) -> None:
    odd = random.Random(seed)
    value: Any = [dict(zip(ORDER, row, strict=True)) for row in rows]
    for key, other in zip(reversed(keys), others, strict=False):
        beside = [(name, held) for name, held in other.items() if name.split(".")[0] != key]
        members = [*beside, (key, value)]
        odd.shuffle(members)
        value = dict(members)
    content = json.dumps(value, indent=odd.choice([None, 1]), ensure_ascii=odd.choice([True, False]))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_elements, "_BLOCK", block)
        found = read(Path(folder), content.encode("utf-8", "surrogatepass"), json_records=".".join(keys))

    assert fields(found) == rows
