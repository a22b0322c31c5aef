"""Bytes in, rows as text out; or a reason why not."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import delimited_fast
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading, parse_aliases
from orders_pipeline.schema import PROBLEM, ROW_NUMBER, TEXT
from orders_pipeline_tests.support.driver import gzipped

HEADER = b"order_id,customer_id,amount,order_date\n"
ORDER = ["order_id", "customer_id", "amount", "order_date"]


def read(tmp_path: Path, content: bytes) -> list[dict[str, Any]]:
    file = tmp_path / "file"
    file.write_bytes(content)
    return [row for batch in read_rows(file) for row in batch.to_dicts()]


def fields(rows: list[dict[str, Any]]) -> list[list[Any]]:
    return [[row[name] for name in ORDER] for row in rows]


def parquet(**columns: Any) -> bytes:
    buffer = BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


ONE_ROW = [["007", "ann", "1.50", "2026-03-04"]]
JSON_ROW = {"order_id": "007", "customer_id": "ann", "amount": "1.50", "order_date": "2026-03-04"}


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b"007,ann,1.50,2026-03-04\n",
        HEADER + b"007,ann,1.50,2026-03-04",
        b"\xef\xbb\xbf" + HEADER + b"007,ann,1.50,2026-03-04\r\n",
        HEADER.upper() + b'"007","ann","1.50","2026-03-04"\n',
        b" Order_ID ;CUSTOMER_ID;amount;order_date\n007;ann;1.50;2026-03-04\n",
        HEADER.replace(b",", b"\t") + b"007\tann\t1.50\t2026-03-04\n",
        b'"order_id";"customer_id";"amount";"order_date"\n"007";"ann";"1.50";"2026-03-04"\n',
        HEADER.strip() + b",_amount\n007,ann,1.50,2026-03-04,9\n",
        b"amount,surplus,order_date,customer_id,order_id\n1.50,x,2026-03-04,ann,007\n",
        HEADER + b"\n007,ann,1.50,2026-03-04\n\n  \n",
        gzipped(HEADER + b"007,ann,1.50,2026-03-04\n"),
        pa.Codec("zstd").compress(HEADER + b"007,ann,1.50,2026-03-04\n").to_pybytes(),
        json.dumps(JSON_ROW).encode(),
        b"\n" + json.dumps(JSON_ROW).encode() + b"\n\n",
        json.dumps([JSON_ROW], indent=1).encode(),
        b'{"Order_Id": "007", "customer_id": "ann", "amount": 1.50, "order_date": "2026-03-04", "tags": [1, 2.50]}\n',
        parquet(**{name: [value] for name, value in JSON_ROW.items()}),
        gzipped(parquet(**{name: [value] for name, value in JSON_ROW.items()})),
    ],
)
def test_an_order_is_read_from_every_format_by_its_bytes(tmp_path: Path, content: bytes) -> None:
    assert fields(read(tmp_path, content)) == ONE_ROW


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


ALIASES = 'Name=order_id,Nummer=order_id,"Total, EUR"=amount,"a=b"=customer_id'


def as_csv(header: list[str], row: list[str]) -> bytes:
    return ("\n".join(";".join(line) for line in (header, row)) + "\n").encode()


def as_parquet(header: list[str], row: list[str]) -> bytes:
    return parquet(**{name: [value] for name, value in zip(header, row, strict=True)})


@pytest.mark.parametrize("write", [as_csv, as_parquet])
@pytest.mark.parametrize("alias", ["name", "Name", " NUMMER "])
def test_the_name_of_a_column_wins_over_its_aliases(
    tmp_path: Path, write: Callable[[list[str], list[str]], bytes], alias: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(write([alias, *ORDER], ["Smith", *ONE_ROW[0]]))

    rows = [row for batch in read_rows(file, Reading(aliases=parse_aliases(ALIASES))) for row in batch.to_dicts()]

    assert fields(rows) == ONE_ROW
    assert rows[0][alias.strip()] == "Smith"


@pytest.mark.parametrize("write", [as_csv, as_parquet])
def test_aliases_with_commas_and_equals_signs_are_read(
    tmp_path: Path, write: Callable[[list[str], list[str]], bytes]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(write(["nummer", "A=B", "Total, EUR", "order_date"], ONE_ROW[0]))

    rows = [row for batch in read_rows(file, Reading(aliases=parse_aliases(ALIASES))) for row in batch.to_dicts()]

    assert fields(rows) == ONE_ROW


@pytest.mark.parametrize("write", [as_csv, as_parquet])
@pytest.mark.parametrize(
    ("header", "named"),
    [
        (["Name", "nummer", *ORDER[1:]], "'Name' (an alias of order_id) and 'nummer' (an alias of order_id)"),
        (["order_id", "Order_ID", *ORDER[1:]], "'order_id' and 'Order_ID'. Remove or rename all but one."),
        (["Name", "order_id", " ORDER_ID", *ORDER[1:]], "'order_id' and 'ORDER_ID'"),
    ],
)
def test_two_columns_that_are_one_are_named_as_written(
    tmp_path: Path, write: Callable[[list[str], list[str]], bytes], header: list[str], named: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(write(header, ["1"] * len(header)))

    with pytest.raises(QuarantineError, match=f"column_twice: More than one column order_id: .*{re.escape(named)}"):
        list(read_rows(file, Reading(aliases=parse_aliases(ALIASES))))


def test_a_row_that_cannot_be_split_is_kept_as_text_with_its_problem(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER + b'1,a,1\n2,a,1,d,"x,y"\n3,\xe4,1,d\n4,a,1,d\n')

    assert [(row[ROW_NUMBER], row[PROBLEM], row[TEXT]) for row in rows] == [
        (2, "field_count", "1,a,1"),
        (3, "field_count", '2,a,1,d,"x,y"'),
        (4, "not_utf8", r"3,\xe4,1,d"),
        (5, None, None),
    ]


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


def test_typed_parquet_columns_become_their_exact_text(tmp_path: Path) -> None:
    content = parquet(
        order_id=[1, 2],
        customer_id=pl.Series(["ann", None], dtype=pl.Categorical),
        amount=[Decimal("1.50"), None],
        order_date=[datetime(2026, 3, 4, 1, tzinfo=UTC), None],
        updated_at=[datetime(2026, 3, 4, 1, 2, 3, 250000), None],
        shares=[[1], [2]],
    )

    rows = read(tmp_path, content)

    assert fields(rows) == [["1", "ann", "1.50", "2026-03-04 01:00:00.000000Z"], ["2", None, None, None]]
    assert rows[0]["updated_at"] == "2026-03-04 01:02:03.250000"
    assert rows[1][ROW_NUMBER] == 2


def test_parquet_dates_and_floats_become_their_shortest_text(tmp_path: Path) -> None:
    content = parquet(order_id=["1"], customer_id=["a"], amount=[0.1], order_date=[date(2026, 3, 4)])

    assert fields(read(tmp_path, content)) == [["1", "a", "0.1", "2026-03-04"]]


def test_extra_columns_are_kept_under_names_of_their_own(tmp_path: Path) -> None:
    rows = read(tmp_path, b"order_id,customer_id,amount,order_date,_source,x,x,x_2,\n1,2,3,4,5,6,7,8,9\n")

    extra = {name: value for name, value in rows[0].items() if name not in [*ORDER, ROW_NUMBER, PROBLEM, TEXT]}
    assert extra == {"x_source": "5", "x": "6", "x_2": "7", "x_2_2": "8", "column_9": "9"}


GOOD = HEADER + b"1,a,1,2026-03-04\n" * 50
PARQUET = parquet(**{name: [value] for name, value in JSON_ROW.items()})


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        (b"order_id,amount\n1,2\n", "column_missing", "customer_id, order_date. Found: order_id, amount"),
        (b"order_id,,amount,order_date\n1,2,3,4\n", "column_missing", "customer_id"),
        (b"1,a,1,2026-03-04\n", "column_missing", "Found: 4 other names; is the header missing"),
        (b"\x00\x01\xff" * 40, "encoding_not_utf8", "UTF-8"),
        (b"\x00\x01\x02" * 40, "column_missing", "order_id"),
        (HEADER.strip() + b",Amount\n", "column_twice", "amount"),
        (HEADER.strip() + b",Gr\xf6\xdfe\n1,a,1,2026-03-04,3\n", "encoding_not_utf8", "header"),
        (HEADER.strip() + b",x" * 1500 + b"\n", "too_many_columns", "1000"),
        (b'"order_id,customer_id\n', "header_unreadable", "quotes"),
        (HEADER + b'1,"a,1,2026-03-04\n2,b,1,2026-03-04\n', "csv_unreadable", "end of data"),
        (HEADER + b'1,"a"b,1,2026-03-04\n', "csv_unreadable", "Line 2"),
        (GOOD.decode().encode("utf-16"), "encoding_not_utf8", "UTF-16"),
        (gzipped(GOOD)[:-12], "compression_broken", "expanded"),
        (gzipped(GOOD)[:20], "compression_broken", "expanded"),
        (pa.Codec("zstd").compress(GOOD).to_pybytes()[:-12], "compression_broken", "expanded"),
        (PARQUET[:-20], "parquet_unreadable", "Parquet"),
        (json.dumps(JSON_ROW).encode() + b'\n{"order_id": "00', "json_truncated", "line (2)"),
        (b'[{"order_id": 1}', "json_unreadable", "array"),
        (b'{"order_id": 1}\n', "column_missing", "customer_id, amount, order_date"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, code: str, named: str) -> None:
    with pytest.raises(QuarantineError) as caught:
        read(tmp_path, content)

    assert caught.value.code == code
    assert named in str(caught.value)


def test_a_large_file_comes_in_batches(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(HEADER + b"1,a,1,2026-03-04\n" * 520_001)

    heights = [batch.height for batch in read_rows(file)]
    file.write_bytes(HEADER + b'1,"a\nb",1,2026-03-04\n' * 120_001)
    careful = [batch.height for batch in read_rows(file)]

    assert max(heights) <= 250_000
    assert sum(heights) == 520_001
    assert careful == [50_000, 50_000, 20_001]


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


def test_parquet_ids_of_other_types_become_the_text_that_was_meant(tmp_path: Path) -> None:
    content = parquet(
        order_id=[b"00a", b"\xff"], customer_id=[7.0, 7.5], amount=["1", "1"], order_date=["2026-03-04"] * 2
    )

    rows = read(tmp_path, content)

    assert fields(rows)[0] == ["00a", "7", "1", "2026-03-04"]
    assert (rows[1][PROBLEM], rows[1][TEXT]) == ("not_utf8", r"\xff,7.5,1,2026-03-04")


def test_an_order_column_that_holds_lists_is_refused(tmp_path: Path) -> None:
    content = parquet(order_id=[[1]], customer_id=["a"], amount=["1"], order_date=["2026-03-04"])

    with pytest.raises(QuarantineError, match="column_type"):
        read(tmp_path, content)


def test_a_time_beyond_all_calendars_is_a_text_that_says_so(tmp_path: Path) -> None:
    columns = {name: pa.array([value]) for name, value in JSON_ROW.items()}
    file = tmp_path / "file"
    pq.write_table(pa.table({**columns, "at": pa.array([2**63 - 1], pa.timestamp("us"))}), file)

    (row,) = [row for batch in read_rows(file) for row in batch.to_dicts()]
    assert row["at"] == "<value out of range: 9223372036854775807>"


def test_a_long_field_is_read(tmp_path: Path) -> None:
    note = b"x" * 200_000

    assert fields(read(tmp_path, HEADER.strip() + b",note\n007,ann,1.50,2026-03-04," + note + b"\n")) == ONE_ROW


def test_an_element_that_two_blocks_of_an_array_share_is_read_whole(tmp_path: Path) -> None:
    content = b"[" + b" " * ((1 << 20) - 3) + b"12345, " + json.dumps(JSON_ROW).encode() + b"]"

    rows = read(tmp_path, content)

    assert [(row[ROW_NUMBER], row[PROBLEM], row[TEXT]) for row in rows] == [
        (1, "not_an_object", "12345"),
        (2, None, None),
    ]


def test_old_times_beyond_the_reach_of_nanoseconds_do_not_come_round_again(tmp_path: Path) -> None:
    text = {key: ["1", "2"] for key in ["order_id", "customer_id", "amount"]}
    times = pa.array([datetime(2026, 3, 4), datetime(2026, 3, 5)], pa.timestamp("ns"))
    file = tmp_path / "file"
    pq.write_table(
        pa.table({**text, "order_date": times}),
        file,
        use_deprecated_int96_timestamps=True,
        use_dictionary=False,
        compression="none",
        write_statistics=False,
    )
    day = (2_440_588 + (date(2026, 3, 5) - date(1970, 1, 1)).days).to_bytes(4, "little")
    far = (2_440_588 + (date(2610, 3, 5) - date(1970, 1, 1)).days).to_bytes(4, "little")
    content = file.read_bytes()
    assert content.count(day) == 1

    rows = read(tmp_path, content.replace(day, far))

    assert [row["order_date"][:10] for row in rows] == ["2026-03-04", "2610-03-05"]
