"""The command line: helpful, honest in its exit status, and silent about secrets."""

import json
from pathlib import Path
from typing import Any

import pytest

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import s3
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.ticks import tick

COMMANDS = {
    "demo",
    "dev",
    "land",
    "sync",
    "status",
    "retry",
    "retract",
    "rebuild",
    "vacuum",
    "recover",
    "stop",
    "migrate",
    "worker",
}


def test_the_commands_are_these_and_each_explains_itself() -> None:
    assert set(main.commands) == COMMANDS
    overview = call("--help").output
    for name in COMMANDS:
        assert name in overview
        shown = call(name, "--help")
        assert shown.exit_code == 0
        assert len(shown.output.split("\n\n")) >= 3


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


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ORDERS_START_DATE", "someday", "ORDERS_START_DATE"),
        ("ORDERS_TIMEZONE", "Mars/Base", "ORDERS_TIMEZONE"),
        ("ORDERS_VACUUM_AGE", "soon", "ORDERS_VACUUM_AGE"),
        ("ORDERS_DATABASE_URL", "mysql://u:hunter2@host/db", "needs Postgres"),
        ("ORDERS_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/db", "Postgres did not answer"),
        ("ORDERS_DATABASE_URL", "hunter2", "is not a URL"),
        ("ORDERS_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1/db?foo=bar", "foo"),
        ("ORDERS_S3_ENDPOINT_URL", "127.0.0.1:1", "ORDERS_S3_ENDPOINT_URL"),
        ("ORDERS_S3_ENDPOINT_URL", "http://127.0.0.1:1", "list s3://"),
        ("ORDERS_S3_BUCKET", "no-such-bucket", "NoSuchBucket"),
    ],
)
def test_a_wrong_environment_is_named_in_a_sentence_without_its_secrets(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    command = "vacuum" if variable == "ORDERS_VACUUM_AGE" else "status"

    result = call(command)

    assert result.exit_code == 2, result.output
    assert result.output.startswith("Error: ")
    assert told in result.output
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output


def test_a_lake_under_the_landing_prefix_is_refused(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_S3_BUCKET", "shop")
    for lake in ("s3://shop/landing/lake", "s3://shop/landing", "s3://shop", "s3://shop/"):
        monkeypatch.setenv("ORDERS_LAKE_URI", lake)

        result = call("vacuum")

        assert result.exit_code == 2
        assert "ORDERS_LAKE_URI" in result.output


def test_the_landing_zone_may_be_the_whole_bucket(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", "/")
    file = tmp_path / "orders.csv"
    file.write_text(f"{HEADER}\n1,ann,1.50,2026-03-04\n")

    assert call("land", str(file)).output.splitlines()[0] == f"s3://{s3.bucket}/orders.csv"
    assert call("land", str(file), "--prefix", "/shop/").output.splitlines()[0] == f"s3://{s3.bucket}/shop/orders.csv"
    evaluated = tick(pipeline, s3_arrival_sensor)
    assert [key for request in evaluated.run_requests for key in s3_keys(request)] == ["orders.csv", "shop/orders.csv"]
    assert pipeline.run("s3_arrival", config=evaluated.run_requests[0].run_config).success
    assert pipeline.revenue() == {"2026-03-04": ("1.50", 1)}
    assert call("sync").exit_code == 0
    assert call("retract", "shop/orders.csv").exit_code == 0
    assert json.loads(call("status", "--json").stdout)["files"]["ignored"] == 1

    for lake in (f"s3://{s3.bucket}/lake", f"s3://{s3.bucket}"):
        monkeypatch.setenv("ORDERS_LAKE_URI", lake)
        assert "Choose separate places" in call("vacuum").output


def s3_keys(request: Any) -> list[str]:
    return list(request.run_config["ops"]["raw_orders"]["config"]["s3_keys"])


@pytest.mark.parametrize("command", ["retry", "retract"])
def test_an_unknown_key_is_an_error_that_names_it(pipeline: Pipeline, command: str) -> None:
    result = call(command, "landing/never.csv")

    assert result.exit_code == 2
    assert "landing/never.csv" in result.output


def test_a_rebuild_makes_days_with_orders_stale_and_no_others(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04", "2,ann,1.50,2026-03-05", "3,ann,1.50,2026-03-09")
    pipeline.sync()

    assert "2026-03-05 will be rebuilt" in call("rebuild", "2026-03-05").output
    assert [str(day) for day in pipeline.stale("cleaned_orders")] == ["2026-03-05"]
    assert "2026-03-04 to 2026-03-05 will be" in call("rebuild", "1999-01-01", "2026-03-08").output
    assert [str(day) for day in pipeline.stale("daily_orders")] == ["2026-03-04", "2026-03-05"]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (("2026-03-05", "2026-03-04"), "FIRST_DAY (2026-03-05) is after LAST_DAY (2026-03-04)"),
        (("2026-03-04",), "nothing to build from 2026-03-04 to 2026-03-04"),
        (("1999-01-01", "1999-12-31"), "before ORDERS_START_DATE (2026-01-01)"),
    ],
)
def test_a_rebuild_of_nothing_is_an_error(pipeline: Pipeline, days: tuple[str, ...], told: str) -> None:
    result = call("rebuild", *days)

    assert result.exit_code == 2
    assert told in result.output
    assert pipeline.query("SELECT * FROM ledger.order_days") == []


def test_two_files_of_one_name_are_not_landed_one_over_the_other(pipeline: Pipeline, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text(HEADER)

    assert call("land", str(tmp_path / "one" / "x.csv"), str(tmp_path / "two" / "x.csv")).exit_code == 2
    assert pipeline.status().pending == []


def test_land_of_a_missing_file_uploads_nothing(pipeline: Pipeline) -> None:
    assert call("land", "no-such-file.csv").exit_code == 2
    assert pipeline.status().pending == []


def test_the_demo_empties_no_table_of_somebody_else(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE public.orders (number int, order_id int)")
    pipeline.execute("INSERT INTO public.orders VALUES (1, 4711)")

    result = call("demo", "--on-my-services")

    assert result.exit_code != 0
    assert "a separate database" in result.output
    assert pipeline.query("SELECT number, order_id FROM public.orders") == [(1, 4711)]
    assert list(s3.list_pages()) in ([], [[]])


def test_the_demo_refuses_to_write_to_services_of_yours(pipeline: Pipeline) -> None:
    result = call("demo")

    assert result.exit_code == 2
    assert "ORDERS_DATABASE_URL and ORDERS_S3_BUCKET" in result.output


def test_vacuum_marks_first_and_deletes_later(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv", "1,ann,2.50,2026-03-04")
    pipeline.sync()

    first = call("vacuum").output
    assert first.startswith(
        "0 objects deleted; 3 are in use; 3 are unused but not old enough to delete, 3 of them newly marked"
    )
    assert call("vacuum").output.startswith(
        "0 objects deleted; 3 are in use; 3 are unused but not old enough to delete, 0 of them"
    )

    someone_elses = pipeline.folder / "lake" / "thesis.docx"
    someone_elses.write_text("not ours")
    monkeypatch.setenv("ORDERS_VACUUM_AGE", "0s")
    assert call("vacuum").output.startswith("3 objects deleted; 3 are in use; 0 are unused")
    assert someone_elses.exists()
    assert pipeline.orders() == {"1": ("ann", "2.50", "2026-03-04 00:00:00")}
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("1.50", 1)}


def test_migrate_brings_the_ledger_and_dagster_s_storage_up_to_date(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    for _time in ("the first", "again"):
        done = call("migrate")
        assert done.exit_code == 0, done.output
        assert "The ledger and Dagster's storage are up to date." in done.output


def test_a_worker_says_what_its_dagster_yaml_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    done = call("worker")

    assert done.exit_code == 2
    assert "workers need WorkerRunLauncher" in done.output
