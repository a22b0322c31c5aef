"""The format that a source declares: the file is of it, or is set aside with both names."""

import json
from pathlib import Path

import pytest

from orders_pipeline.formats.detect import place_of_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.sources.declaration import Source
from orders_pipeline_tests.support.declared import HEADER, ONE_ROW, ROW, read, refusal
from orders_pipeline_tests.support.files import JSON_ROW, fields, parquet

FILES = {
    "csv": f"{HEADER}\n{ROW}\n".encode(),
    "json": json.dumps(JSON_ROW).encode(),
    "parquet": parquet(**{name: [value] for name, value in JSON_ROW.items()}),
}


@pytest.mark.parametrize("declared", FILES)
@pytest.mark.parametrize("found", FILES)
def test_a_file_is_of_the_declared_format_or_set_aside(tmp_path: Path, found: str, declared: str) -> None:
    if found == declared:
        assert fields(read(tmp_path, FILES[found], format=declared)) == ONE_ROW
        return
    message = refusal(tmp_path, FILES[found], format=declared)

    names = {"csv": "CSV", "json": "JSON", "parquet": "Parquet"}
    assert message.startswith(f"format_other: The file seems to be {names[found]}, and the source 'acme' declares")
    assert f"declares {names[declared]}" in message


def test_csv_that_begins_like_json_is_read_where_it_is_declared(tmp_path: Path) -> None:
    content = f"[{HEADER.replace(',', '],[')}]\n{ROW}\n"
    columns = {name: f"[{name}]" for name in HEADER.split(",")}
    assert "json_unreadable" in refusal(tmp_path, content, columns=columns)

    assert fields(read(tmp_path, content, columns=columns, format="csv")) == ONE_ROW
    assert place_of_rows(tmp_path / "file", Reading().of_source(Source(format="csv"))) == "line"


def test_json_lines_after_a_line_of_something_else_are_read_where_they_are_declared(tmp_path: Path) -> None:
    rows = read(tmp_path, f"# export\n{json.dumps(JSON_ROW)}\n", format="json")

    assert fields(rows) == [[None] * 4, *ONE_ROW]
    assert place_of_rows(tmp_path / "file", Reading().of_source(Source(format="json"))) == "line"


def test_another_kind_of_file_is_still_called_by_its_name(tmp_path: Path) -> None:
    assert "Excel workbook" in refusal(tmp_path, b"PK\x03\x04 xl/workbook", format="csv")
    assert "Excel workbook" in refusal(tmp_path, b"PK\x03\x04 xl/workbook", format="json")
    assert "Excel workbook" in refusal(tmp_path, b"PK\x03\x04 xl/workbook", format="parquet")
