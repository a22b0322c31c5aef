"""What `sync` and `status` print, and the exit status."""

import json
from pathlib import Path

import pytest

from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline


def test_land_then_sync_then_status(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "my orders.csv"
    file.write_text(f"{HEADER}\n1,ann,1.50,2026-03-04\n2,,1.00,2026-03-04\n")

    landed = call("land", str(file), "--prefix", "shop/uk")
    assert landed.exit_code == 0
    assert landed.output.splitlines()[0].endswith("/landing/shop/uk/my orders.csv")

    synced = call("sync")
    assert synced.exit_code == 0, synced.output
    assert "Up to date" in synced.output
    assert "Nothing to do" in call("sync").output

    status = call("status")
    assert "up to date" in status.output
    assert "2 rows" not in status.output
    assert "1 clean + 1 rejected" in status.output


def test_the_status_as_json_is_json_alone(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    before = json.loads(call("status", "--json").stdout)
    assert before["pending"] == ["landing/a.csv"]
    assert before["files"]["pending"] == 1

    pipeline.land("bad.csv", b"nonsense\n")
    pipeline.land("empty.csv", b"")
    pipeline.sync()
    after = json.loads(call("status", "--json").stdout)

    assert after["files"] == {"pending": 0, "loaded": 1, "quarantined": 1, "ignored": 1, "failing": 0}
    assert after["quarantined"][0]["key"] == "landing/bad.csv"
    assert after["quarantined"][0]["reason"] == "column_missing"
    assert after["ignored"][0]["key"] == "landing/empty.csv"
    assert after["stale_days"] == {table: [] for table in after["stale_days"]}
    assert after["totals"]["revenue"] == "1.50"
    assert after["totals"]["clean_orders"] == 1


def test_sync_fails_while_something_stays_pending(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    from orders_pipeline.landing import raw_objects

    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    monkeypatch.setattr(raw_objects, "write_object", fail)

    synced = call("sync")

    assert synced.exit_code == 1
    assert "landing/a.csv" in synced.output
    assert "boom" in synced.output


def test_a_failed_check_is_reported_and_does_not_change_the_exit_status(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,-1.50,2026-03-04")

    synced = call("sync")

    assert synced.exit_code == 0
    assert "no_negative_amounts" in synced.output


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("commas.csv", f"{HEADER}\n" + '1,ann,"1,50",2026-03-04\n' * 10, "10 of 10 (amount_not_decimal 10)"),
        ("one.csv", f"{HEADER}\n1,,1.50,2026-03-04\n", "1 of 1 (customer_id_missing 1)"),
        ("no.jsonl", '{"order_id": "1", "customer_id": "c", "amount": 1e-3, "order_date": "?"}\n' * 3, "3 of 3 ("),
        ("nonsense.csv", "nonsense\n", "column_missing"),
        ("book.xlsx", b"PK\x03\x04 xl/workbook", "format_unsupported"),
        ("cut.json", '[{"order_id": "1", "cust', "json_"),
    ],
)
def test_a_file_none_of_whose_rows_count_is_named_for_as_long_as_it_lies_there(
    pipeline: Pipeline, name: str, content: str | bytes, told: str
) -> None:
    key = pipeline.land(name, content)

    for _time in ("as it lands", "later"):
        output = call("sync").output
        (line, *_) = [line for line in output.splitlines() if key in line and "landed_files" not in line]
        assert told in line, output
    assert "Nothing to do" in output
    found = json.loads(call("status", "--json").stdout)
    assert [file["key"] for file in found["high_reject_rate"] + found["quarantined"]] == [key]
    assert told in call("status").output


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"nonsense\n", "quarantined"), (b"", "ignored"), (b'{"order_id": ', "quarantined"), (b"\x1f\x8b", "quarantined")],
)
def test_a_file_in_whose_place_an_earlier_version_counts_is_named_with_that(
    pipeline: Pipeline, content: bytes, status: str
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    call("sync")
    key = pipeline.land("a.csv", content)

    for output in (call("sync").output, call("sync").output, call("status").output):
        (line, *_) = [line for line in output.splitlines() if key in line and "check landed" not in line]
        assert line.strip().startswith(status)
        assert line.endswith("Its last readable version still counts.")
    assert json.loads(call("status", "--json").stdout)[status][0]["still_counts"]
    assert pipeline.revenue() == {"2026-03-04": ("1.50", 1)}


def test_an_empty_file_that_takes_no_place_is_no_finding(pipeline: Pipeline) -> None:
    for name in ("folder/", "a.csv", "b.csv"):
        pipeline.land(name, b"")

    synced = pipeline.sync()

    assert synced.unloaded == []
    assert synced.failed_checks == {}


def test_sync_names_few_of_many_files_and_says_where_the_others_are(pipeline: Pipeline) -> None:
    for number in range(12):
        pipeline.land(f"{number:02}.csv", b"nonsense\n")

    output = call("sync").output

    assert "landing/09.csv: " in output
    assert "landing/10.csv: " not in output
    assert "and 2 more: `orders-pipeline status` lists them all" in output
