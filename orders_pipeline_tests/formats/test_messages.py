"""What the owner of a file that is set aside is told: what was recognized, where, and what to do."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.sources.declaration import PLAIN
from orders_pipeline.storage.lake import FolderLake
from orders_pipeline_tests.support import driver

HEADER = f"{driver.HEADER}\n"
ROW = "1,zelda,1.50,2026-03-04\n"


def message_of(tmp_path: Path, content: str) -> str | None:
    """Why a file is quarantined; None: it is not."""
    file = tmp_path / "file"
    file.write_text(content)
    version = FileVersion("bucket", "a.csv", "etag", len(content), datetime(2026, 3, 5, tzinfo=UTC))
    try:
        origin = Origin.of(version, "UTC", PLAIN, None, version.last_modified)
        raw_objects.write_object(FolderLake(str(tmp_path / "lake")), file, origin)
    except QuarantineError as error:
        return str(error)
    return None


def bad(amount: str = "1.50", day: str = "2026-03-04", delimiter: str = ";") -> str:
    rows = [HEADER.strip().split(","), *[[f"secret-{n}", "zelda", amount, day] for n in range(30)]]
    return "\n".join(map(delimiter.join, rows))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (bad("0,50"), ["30 of 30", "line 2 (amount '0,50')", "line 4 (amount", "decimal comma"]),
        (bad("1.234,50"), ["'1.234,50'", "decimal comma"]),
        (bad("12,34 €"), ["'12,34 €'", "decimal comma"]),
        (bad("1,234.50"), ["'1,234.50'", "thousands separators"]),
        (bad("$12.34"), ["'$12.34'", "currency"]),
        (bad("12.34 EUR"), ["'12.34 EUR'", "currency"]),
        (bad("1e3"), ["'1e3'", "exponent"]),
        (bad("?"), ["'?'", "Correct the file and upload it again"]),
        (bad("\x1b[31m" + "x" * 500), [r"'\x1b[31mxxx", "…'"]),
        (bad(day="31.03.2026"), ["line 2 (order_date '31.03.2026')", "day first"]),
        (bad(day="31/03/26 10:00"), ["day first"]),
        (bad(day="03/31/2026"), ["month first"]),
        (bad(day="05-03-2026T18:53:56+00:00"), ["day first or month first"]),
        (bad(day="1772582400"), ["since 1970"]),
        (bad(day="20260304"), ["no hyphens"]),
        (bad(day="Mar-05-26 23:45:00"), ["names of months"]),
        (bad("0,50", delimiter=","), ["line 2 (5 fields instead of 4)", "field"]),
        (bad().replace(";2026-03-04", ""), ["line 2 (3 fields instead of 4)"]),
        (HEADER + "1,zelda,1.50,2026-03-04,\n" * 30, ["(5 fields instead of 4)"]),
    ],
)  # fmt: skip
def test_a_file_that_is_mostly_unreadable_shows_values_and_the_way_out(
    tmp_path: Path, content: str, says: list[str]
) -> None:
    message = message_of(tmp_path, content) or ""

    assert message.startswith("mostly_unreadable: ")
    assert [said for said in says if said not in message] == []
    assert "secret" not in message
    assert "zelda" not in message
    assert message.count("(amount '") + message.count("(order_date '") + message.count("fields instead") in (0, 3)


def test_rows_of_mongo_among_others_are_named(tmp_path: Path) -> None:
    line = '{"order_id": "1", "customer_id": "a", "amount": %s, "order_date": "2026-03-04"}\n'

    message = message_of(tmp_path, (line % '{"$numberDecimal": "1.50"}') * 20 + line % "1.50") or ""

    assert "mostly_unreadable: 20 of 21" in message
    assert "MongoDB Extended JSON" in message


def test_the_commonest_reason_is_the_one_that_is_shown(tmp_path: Path) -> None:
    content = HEADER + "1,zelda,x,2026-03-04\n" * 5 + "1,zelda,1.50,x\n" * 20

    message = message_of(tmp_path, content) or ""

    assert "25 of 25 rows" in message
    assert "Most often (20 rows)" in message
    assert "line 7 (order_date 'x')" in message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            f"Orders report\nGenerated: 2026-03-06\n\n{HEADER}{ROW}",
            "in line 4. Remove the lines before it and upload the file again, or declare `skip_lines = 3`",
        ),
        (f"# exported by shop 1.2\n{HEADER}{ROW}", "or declare `skip_lines = 1` for its source (docs/sources.md)."),
        (f"Report,,,\n,,,\n{HEADER}{ROW}", "or declare `skip_lines = 2`"),
        (
            f"Orders; all of them\n{HEADER.replace(',', ';')}",
            "or declare `skip_lines = 1` for its source (docs/sources.md).",
        ),
        (",,,\nNumber,Buyer,Total Price,Sale Date\n1,u1,$12.34,Mar-05-26\n", "in line 2, with other names. Rename"),
        ('"Sales Number","Buyer Name","Total"\n"1","u1","$12.34"\n', "in line 1, with other names. Rename"),
        (
            "Export\nNumber,Buyer,Total Price\n1,u1,$12.34\n",
            "or declare `skip_lines = 1` for its source (docs/sources.md). Rename the columns",
        ),
        ("1,zelda,1.50,2026-03-04\n2,zelda,1.50,2026-03-04\n", "is the header missing? Put the names"),
    ],
)
def test_a_file_without_a_header_in_its_place_is_told_where_it_seems_to_be(
    tmp_path: Path, content: str, says: str
) -> None:
    message = message_of(tmp_path, content) or ""

    assert message.startswith("column_missing: No column order_id, customer_id, amount, order_date. Found: ")
    assert says in message
    assert "zelda" not in message


def test_a_header_beyond_the_first_lines_is_not_looked_for(tmp_path: Path) -> None:
    assert "is the header missing" in (message_of(tmp_path, "1\n" * 20 + HEADER + ROW) or "")


LOGS = [
    ("Op", "I", "D"),
    ("__deleted", "false", "true"),
    ("op_type", "insert", "delete"),
    ("_change_type", "insert", "delete"),
    ("_fivetran_deleted", "false", "TRUE"),
    ("_ab_cdc_deleted_at", "", "2026-03-05T00:00:00Z"),
]


@pytest.mark.parametrize(("column", "kept", "deleted"), LOGS)
def test_a_log_that_deletes_orders_is_refused(tmp_path: Path, column: str, kept: str, deleted: str) -> None:
    header, rows = f"{column},{HEADER}", f"{kept},{ROW}" * 3

    assert message_of(tmp_path, header + rows) is None
    message = message_of(tmp_path, f"{header}{rows}{deleted},{ROW}") or ""
    assert message.startswith(
        f"format_unsupported: The file is a log of changes: its column {column} marks line 5 as deleted"
    )


def test_a_column_of_another_meaning_is_no_log(tmp_path: Path) -> None:
    assert message_of(tmp_path, f"op,{HEADER}D,{ROW}K,{ROW}") is None
    assert message_of(tmp_path, f"deleted,{HEADER}true,{ROW}") is None


@pytest.mark.parametrize("column", ["Op", "__op", "_change_type"])
@pytest.mark.parametrize("other", ["NULL", "\\N", "T"])
def test_an_operation_that_is_none_or_a_rare_one_hides_no_deletion(tmp_path: Path, column: str, other: str) -> None:
    message = message_of(tmp_path, f"{HEADER.strip()},{column}\n1,a,1,2026-03-04,{other}\n2,a,1,2026-03-04,D\n") or ""

    assert f"column {column} marks line 3 as deleted" in message
    assert "If the column means something else, rename it" in message
    assert f"`deletes = {{ {column} = [" in message


@pytest.mark.parametrize("column", ["__op", "header__change_oper", "_change_type", "METADATA$ACTION"])
def test_what_only_a_log_has_counts_beside_operations_that_are_unknown(tmp_path: Path, column: str) -> None:
    content = f"{HEADER.strip()},{column}\n1,a,1,2026-03-04,snapshot\n2,a,1,2026-03-04,delete\n"

    assert f"column {column} marks line 3 as deleted" in (message_of(tmp_path, content) or "")


@pytest.mark.parametrize("column", ["_ab_cdc_deleted_at", "_sdc_deleted_at", "__deleted"])
@pytest.mark.parametrize("nothing", ["", " ", "NULL", "null", "\\N", "n/a"])
def test_no_value_deletes_nothing(tmp_path: Path, column: str, nothing: str) -> None:
    assert message_of(tmp_path, f"{HEADER.strip()},{column}\n1,a,1,2026-03-04,{nothing}\n") is None


@pytest.mark.parametrize("column", ["_fivetran_deleted", "_hoodie_is_deleted", "_PEERDB_IS_DELETED"])
def test_a_flag_that_pandas_wrote_as_a_number_deletes(tmp_path: Path, column: str) -> None:
    content = f"{HEADER.strip()},{column}\n1,a,1,2026-03-04,0.0\n2,a,1,2026-03-04,1.0\n"

    assert f"column {column} marks line 3 as deleted" in (message_of(tmp_path, content) or "")


@pytest.mark.parametrize(
    ("place", "layout"),
    [
        ("line", lambda objects: "\n".join(map(json.dumps, objects))),
        ("row", lambda objects: "\n".join(json.dumps(one, indent=1) for one in objects)),
        ("row", json.dumps),
        ("row", lambda objects: json.dumps({"orders": objects}, indent=1)),
    ],
)
def test_what_is_no_line_of_json_is_not_called_one(tmp_path: Path, place: str, layout: Callable[[Any], str]) -> None:
    good = {"order_id": "1", "customer_id": "a", "amount": "1.50", "order_date": "2026-03-04", "op": "I"}

    assert f"First seen in {place} 2 (" in (
        message_of(tmp_path, layout([good, *[{**good, "amount": "1,5"}] * 20])) or ""
    )
    assert f"op marks {place} 2 as deleted" in (message_of(tmp_path, layout([good, {**good, "op": "D"}])) or "")
