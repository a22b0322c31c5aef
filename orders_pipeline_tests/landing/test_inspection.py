"""What `inspect` says of a file is what a landing of it gives."""

import gzip
import json
from collections import defaultdict
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from orders_pipeline.formats import detect
from orders_pipeline.landing import inspected_rows
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline

CASES = Path(__file__).parents[3] / "shared" / "cases"
CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"


def csv(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def parquet(**columns: list[Any]) -> bytes:
    content = BytesIO()
    pl.DataFrame(columns).write_parquet(content)
    return content.getvalue()


# By key below the landing prefix. No order is in two files.
FILES = {
    "gz/days.csv": gzip.compress(csv("gz-1,ann,1.00,2026-03-04", "gz-2,bob,2.00,2026-03-05 10:00"), mtime=0),
    "zones/offsets.csv": csv("zo-1,ann,1.00,2026-03-04T23:59:00-05:00", "zo-2,ann,1.00,2026-03-05 00:00"),
    "updates/late.csv": csv(
        "up-1,ann,5.00,2026-03-04,2026-03-05 12:00",
        "up-1,ann,7.00,2026-03-06,2026-03-05 11:00",
        "up-2,bob,1.00,2026-03-04,",
        "up-2,bob,1.50,2026-03-05,",
        header=f"{HEADER},updated_at",
    ),
    "rejects/some.csv": csv(
        "re-1,ann,1.00,2026-03-04", "re-2,ann,1.234,2026-03-04", "re-3,,1.00,2026-03-04", "re-4,ann,1.00,04.03.26"
    ),
    "rejects/bytes.csv": csv("by-1,ann,1.00,2026-03-04") + b"by-2,\xe4nn,1.00,2026-03-04\n",
    "rejects/most.csv": csv(*(f"mo-{number},ann,1;00,2026-03-04" for number in range(25))),
    "far/days.csv": csv("fa-1,ann,1.00,1999-03-04", "fa-2,ann,1.00,2026-03-04"),
    "none/header.csv": csv(),
    "none/empty.csv": b"",
    "none/packed.csv.gz": gzip.compress(b"", mtime=0),
    "json/array.json": json.dumps(
        [{"order_id": f"ja-{n}", "customer_id": "ann", "amount": 1.5, "order_date": "2026-03-04"} for n in range(3)]
    ).encode(),
    "parquet/typed.parquet": parquet(
        order_id=["pa-1", "pa-2"], customer_id=[1, 2], amount=[1.5, 0.30000000000000004], order_date=["2026-03-04"] * 2
    ),
    "open/quote.csv": csv("oq-1,ann,1.00,2026-03-04", '"oq-2,ann,1.00,2026-03-04'),
    "delimiter/unclear.csv": csv("x", header="order_id;customer_id,amount;order_date"),
    "_side/file.csv": csv("si-1,ann,1.00,2026-03-04"),
    "declared/ignored.log": csv("ig-1,ann,1.00,2026-03-04"),
    "declared/cdc.csv": csv(
        "I,cd-1,ann,1.00,2026-03-04", "I,cd-2,ann,2.00,2026-03-04", "D,cd-1,,,", header=f"Op,{HEADER}"
    ),
    "declared/no_column.csv": csv("nc-1,ann,1.00,2026-03-04"),
    "undeclared/cdc.csv": csv("I,cu-1,ann,1.00,2026-03-04", "D,cu-1,,,", header=f"Op,{HEADER}"),
    "lines/items.csv": csv(
        "li-1,ann,10.00,2026-03-04,paid",
        "li-1,ann,5.00,2026-03-04,paid",
        "li-1,ann,2.00,2026-03-04,refused",
        "li-1,,,,",
        "li-2,ann,5.00,2026-03-04,paid",
        "li-2,ann,n.n.,2026-03-04,paid",
        "li-3,ann,5.00,2026-03-04,paid",
        "li-3,bob,5.00,2026-03-04,paid",
        header=f"{HEADER},state",
    ),
    "names/german.csv": csv("Bob;ge-1;12.50;2026-03-04", header="Kunde;Bestellnummer;Betrag;order_date"),
}
DECLARATION = """
[[source]]
name = "changes"
keys = "landing/declared/*"
deletes = { Op = ["D"] }
ignore = ["*.log"]

[[source]]
name = "items"
keys = "landing/lines/*"
lines = "sum"
drop = { state = ["refused"] }

[[source]]
name = "german"
keys = "landing/names/*"
columns = { order_id = "bestellnummer", customer_id = "Kunde", amount = "Betrag" }
"""


def inspected(*arguments: str) -> Any:
    done = call("inspect", *arguments, "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == (0 if found["loads"] else 1)
    return found


def totals(found: Any) -> tuple[Any, ...] | None:
    """What the ledger records of the rows."""
    if found["rows"] is None:
        return None
    rows, amounts = found["rows"]["by_outcome"], found["rows"]["amounts"]
    return (
        found["rows"]["total"],
        *(rows[name] for name in ("counts", "void", "merged", "blank")),
        *(Decimal(amounts[name]) for name in ("counts", "void", "rejected")),
        [day["day"] for day in found["rows"]["days"]],
    )


def recorded(pipeline: Pipeline) -> dict[str, Any]:
    """For each key what the ledger has: status, reason, message, and of a loaded one its rows and money."""
    found = pipeline.query(
        "SELECT key, status, reason, message, rows, clean_rows, void_rows, merged_rows, blank_rows, clean_amount,"
        " void_amount, rejected_amount, days FROM ledger.landed_files"
    )
    return {
        key: (status, reason, message, (*rows, list(map(str, days))) if status == "loaded" else None)
        for key, status, reason, message, *rows, days in found
    }


def orders(pipeline: Pipeline) -> dict[str, dict[str, tuple[int, Decimal]]]:
    """The orders and the money of each file in the tables, by day."""
    found: dict[str, dict[str, tuple[int, Decimal]]] = defaultdict(dict)
    frame = pipeline.lake_frame("cleaned_orders")
    by_day = frame.group_by("_source", pl.col("order_date").dt.date()).agg(pl.len(), pl.col("amount").sum())
    for key, day, count, amount in by_day.iter_rows():
        found[key][str(day)] = count, amount
    return found


def agree(pipeline: Pipeline, keys: dict[str, Any]) -> None:
    """Compare what was said of files before they counted with what they came to."""
    ledger, tables, left_out = recorded(pipeline), orders(pipeline), {"side_file", "ignored"}
    for key, said in keys.items():
        if said["reason"] in left_out:
            assert key not in ledger
            continue
        assert (said["status"], said["reason"], said["message"], totals(said)) == ledger[key], key
        days = said["rows"]["days"] if said["rows"] else []
        counted = {day["day"]: (day["orders"], Decimal(day["amount"])) for day in days if day["is_in_range"]}
        assert {day: found for day, found in counted.items() if found[0]} == tables.get(key, {}), key


def test_a_key_comes_to_what_was_said_before_it_was_loaded(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspected_rows, "_IDS_AT_ONCE", 1)
    pipeline.declare(DECLARATION)
    keys = [pipeline.land(key, content) for key, content in FILES.items()]

    said = {key: inspected(key) for key in keys}
    assert pipeline.query("SELECT count(*) FROM ledger.landed_files") == [(0,)]
    pipeline.sync()

    agree(pipeline, said)
    assert {one["status"] for one in said.values()} == {"loaded", "quarantined", "ignored"}
    lines = said["landing/lines/items.csv"]["rows"]
    assert lines["by_outcome"] == {"counts": 1, "void": 0, "merged": 2, "blank": 1, "rejected": 4}
    assert lines["days"] == [{"day": "2026-03-04", "rows": 1, "orders": 1, "amount": "15.00", "is_in_range": True}]
    late = said["landing/updates/late.csv"]["rows"]
    assert [(day["day"], day["rows"], day["amount"]) for day in late["days"]] == [
        ("2026-03-04", 2, "5.00"),
        ("2026-03-05", 1, "1.50"),
        ("2026-03-06", 1, "0.00"),
    ]
    assert (late["superseded"], late["superseded_amount"]) == (2, "8.00")
    assert said["landing/names/german.csv"]["columns"] == {
        "order_id": "Bestellnummer",
        "customer_id": "Kunde",
        "amount": "Betrag",
        "order_date": "order_date",
    }
    assert [day["is_in_range"] for day in said["landing/far/days.csv"]["rows"]["days"]] == [False, True]
    assert said["landing/declared/cdc.csv"]["rows"]["days"][0]["amount"] == "2.00"


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases (../shared/cases) are not beside this checkout")
def test_the_cases_from_the_field_come_to_what_was_said(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", "orderId=order_id,total=amount,Name=order_id")
    files = [path for path in sorted(CASES.iterdir()) if path.suffix not in (".md", ".sql")]
    said = {pipeline.land(f"{path.stem}/{path.name}", path.read_bytes()): inspected(str(path)) for path in files}

    pipeline.sync()

    agree(pipeline, said)
    assert len(said) > 30


def test_any_bytes_come_to_what_was_said(pipeline: Pipeline) -> None:
    """Of these, some files have the same orders, so only what the ledger records of each is compared."""
    files = sorted(CORPUS.iterdir())
    said = {pipeline.land(path.name, path.read_bytes()): inspected(str(path)) for path in files}

    pipeline.sync()

    ledger = recorded(pipeline)
    for key, one in said.items():
        assert (one["status"], one["reason"], one["message"], totals(one)) == ledger[key], key


def test_what_was_recognised_is_shown(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv.gz"
    file.write_bytes(
        gzip.compress(b"sep=;\n\norder_id;customer_id;amount;order_date;\xc3\xa4\n1;ann;1.00;2026-03-04;x\n")
    )
    before = file.read_bytes()

    found = inspected(str(file))

    assert found["recognised"] == {
        "compression": "gzip",
        "format": "csv",
        "encoding": "UTF-8",
        "delimiter": ";",
        "header_line": 3,
        "rows_are": "line",
    }
    assert found["unused_columns"] == ["ä"]
    assert found["first_rows"] == [
        {
            "row_number": 4,
            "order_id": "1",
            "customer_id": "ann",
            "amount": "1.00",
            "day": "2026-03-04",
            "outcome": "counts",
            "reason": None,
        }
    ]
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["orders.csv.gz"]


def test_rejects_are_shown_with_the_first_line_and_value(tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_bytes(FILES["rejects/some.csv"] + b"re-5,ann,1.239,2026-03-04\n")

    found = inspected(str(file))

    assert found["rejects"] == [
        {"reason": "amount_not_decimal", "rows": 2, "row_number": 3, "value": "1.234"},
        {"reason": "customer_id_missing", "rows": 1, "row_number": 4, "value": ""},
        {"reason": "order_date_unreadable", "rows": 1, "row_number": 5, "value": "04.03.26"},
    ]


def test_rows_of_a_file_that_would_be_quarantined_are_shown_and_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "most.csv"
    file.write_bytes(FILES["rejects/most.csv"])

    found = inspected(str(file))

    assert (found["reason"], found["rows"], len(found["first_rows"])) == ("mostly_unreadable", None, 5)
    assert found["rejects"] == [{"reason": "amount_not_decimal", "rows": 25, "row_number": 2, "value": "1;00"}]


def test_a_file_beyond_a_limit_is_not_even_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_MAX_FILE_BYTES", "10")
    monkeypatch.setattr(detect, "expand", lambda *_: pytest.fail("It was read."))
    file = tmp_path / "a.csv"
    file.write_bytes(FILES["far/days.csv"])

    assert inspected(str(file))["reason"] == "file_too_large"
