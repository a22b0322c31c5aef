"""Delimited text: header, rows, blank lines."""

from pathlib import Path

import pytest

from orders_pipeline.formats import delimited_fast
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.schema import PROBLEM, ROW_NUMBER, TEXT
from orders_pipeline_tests.support.files import HEADER, ONE_ROW, ORDER, fields, read


def test_a_header_alone_is_a_file_without_rows(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER) == []


def test_row_numbers_are_the_lines_that_an_editor_shows(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER + b'1,"two\nlines",1,d\n\n2,b,1,d\n')

    assert [(row["order_id"], row["customer_id"], row[ROW_NUMBER]) for row in rows] == [
        ("1", "two\nlines", 2),
        ("2", "b", 5),
    ]


@pytest.mark.parametrize("blank", [",,,", ",,", ",,,,", " , ,\t,", '"","","",""', '" ",,,""', ",,,\n,,,", ",,,\n\n,,,"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("piece", [60, 1 << 20])
def test_the_empty_rows_of_spreadsheets_are_blank_lines(
    tmp_path: Path, blank: str, delimiter: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited_fast, "_PIECE", piece)
    lines = f"{blank}\n{HEADER.decode()}1,a,1,d\n{blank}\n2,a,1,d\n{blank}\n{blank}\n{blank}"
    content = lines.replace("\t", " ").replace(",", delimiter)

    rows = read(tmp_path, content.encode())

    below = blank.count("\n") + 1
    assert [(row["order_id"], row[PROBLEM], row[ROW_NUMBER]) for row in rows] == [
        ("1", None, below + 2),
        ("2", None, 2 * below + 3),
    ]


@pytest.mark.parametrize(
    "first",
    [
        "sep=;",
        '"sep=;"',
        "SEP=;",
        "Sep=;",
        "sep=;;;;",
        '"sep=;";;;',
        "\ufeffsep=;",
        '\ufeff"SEP=;"',
        "sep=\t",
        "sep=,",
        "sep=; ",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_that_tells_excel_the_delimiter_is_no_header(tmp_path: Path, first: str, end: str) -> None:
    content = end.join([first, "order_id;customer_id;amount;order_date", "007;ann;1.50;2026-03-04", ""])

    assert fields(read(tmp_path, content.encode())) == ONE_ROW


def test_a_row_that_cannot_be_split_is_kept_as_text_with_its_problem(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER + b'1,a,1\n2,a,1,d,"x,y"\n3,\xe4,1,d\n4,a,1,d\n')

    assert [(row[ROW_NUMBER], row[PROBLEM], row[TEXT]) for row in rows] == [
        (2, "field_count", "1,a,1"),
        (3, "field_count", '2,a,1,d,"x,y"'),
        (4, "not_utf8", r"3,\xe4,1,d"),
        (5, None, None),
    ]


def test_extra_columns_are_kept_under_names_of_their_own(tmp_path: Path) -> None:
    rows = read(tmp_path, b"order_id,customer_id,amount,order_date,_source,x,x,x_2,\n1,2,3,4,5,6,7,8,9\n")

    extra = {name: value for name, value in rows[0].items() if name not in [*ORDER, ROW_NUMBER, PROBLEM, TEXT]}
    assert extra == {"x_source": "5", "x": "6", "x_2": "7", "x_2_2": "8", "column_9": "9"}


def test_a_large_file_comes_in_batches(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(HEADER + b"1,a,1,2026-03-04\n" * 520_001)

    heights = [batch.height for batch in read_rows(file)]
    file.write_bytes(HEADER + b'1,"a\nb",1,2026-03-04\n' * 120_001)
    careful = [batch.height for batch in read_rows(file)]

    assert max(heights) <= 250_000
    assert sum(heights) == 520_001
    assert careful == [50_000, 50_000, 20_001]


def test_a_long_field_is_read(tmp_path: Path) -> None:
    note = b"x" * 200_000

    assert fields(read(tmp_path, HEADER.strip() + b",note\n007,ann,1.50,2026-03-04," + note + b"\n")) == ONE_ROW
