"""JSON: lines, arrays, numbers as they are written."""

import json
from pathlib import Path

from orders_pipeline.schema import PROBLEM, ROW_NUMBER, TEXT
from orders_pipeline_tests.support.files import JSON_ROW, fields, read


def test_json_lines_that_are_no_orders_are_kept_with_their_problem(tmp_path: Path) -> None:
    rows = read(tmp_path, json.dumps(JSON_ROW).encode() + b"\nnonsense\n[1]\n\xff\n")

    assert [(row[ROW_NUMBER], row[PROBLEM], row[TEXT]) for row in rows] == [
        (1, None, None),
        (2, "json_unreadable", "nonsense"),
        (3, "not_an_object", "[1]"),
        (4, "not_utf8", r"\xff"),
    ]


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    lines = b'{"order_id": 123456789012345678901, "customer_id": 1, "amount": 0.10, "order_date": null}\n'

    assert fields(read(tmp_path, lines)) == [["123456789012345678901", "1", "0.10", None]]


def test_half_a_character_makes_a_reject_of_the_row_that_holds_it(tmp_path: Path) -> None:
    odd = json.dumps({**JSON_ROW, "customer_id": "\ud83d"}).encode()
    key = json.dumps({**JSON_ROW, "\ud83d": "x"}).encode()

    rows = read(tmp_path, json.dumps(JSON_ROW).encode() + b"\n" + odd + b"\n" + key + b'\n"\\ud800"\n')

    assert [row[PROBLEM] for row in rows] == [None, "not_utf8", None, "not_an_object"]
    assert "\\ud83d" in rows[1][TEXT]


def test_a_key_that_is_there_twice_is_no_value_to_guess(tmp_path: Path) -> None:
    rows = read(tmp_path, json.dumps(JSON_ROW).encode() + b'\n{"amount": 1, "amount": 2}\n')

    assert [row[PROBLEM] for row in rows] == [None, "key_twice"]


def test_an_empty_json_array_is_a_file_without_rows(tmp_path: Path) -> None:
    assert read(tmp_path, b"[]") == []


def test_an_element_that_two_blocks_of_an_array_share_is_read_whole(tmp_path: Path) -> None:
    content = b"[" + b" " * ((1 << 20) - 3) + b"12345, " + json.dumps(JSON_ROW).encode() + b"]"

    rows = read(tmp_path, content)

    assert [(row[ROW_NUMBER], row[PROBLEM], row[TEXT]) for row in rows] == [
        (1, "not_an_object", "12345"),
        (2, None, None),
    ]
