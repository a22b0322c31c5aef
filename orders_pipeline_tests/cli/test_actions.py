"""The commands that change something: `land`, `retry`, `retract`, `rebuild`, `vacuum`, `demo`."""

import json
from pathlib import Path
from typing import Any

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.places import new_bucket
from orders_pipeline_tests.support.ticks import tick


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


def test_a_prefix_is_below_the_landing_prefix_whether_it_names_that_or_not(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f"{HEADER}\n1,ann,1.50,2026-03-04\n")
    for prefix in ("", "/", "landing", "landing/", "/landing/"):
        assert call("land", str(file), "--prefix", prefix).output.startswith(f"s3://{s3.bucket}/landing/orders.csv\n")
    for prefix in ("shop", "/shop/", "landing/shop", "landing/shop/"):
        assert call("land", str(file), "--prefix", prefix).output.startswith(f"s3://{s3.bucket}/landing/shop/orders")


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
        (("2026-03-04",), "nothing to build for 2026-03-04: no orders"),
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


def test_a_full_name_is_of_its_bucket_and_a_key_is_of_the_landing_zone(
    pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, key = s3.bucket, pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    monkeypatch.setenv("ORDERS_S3_BUCKET", new_bucket(services))
    pipeline.land_rows("a.csv", "2,ann,2.00,2026-03-04")
    pipeline.sync()

    for command in (("retry", "--loaded"), ("retry",)):
        refused = call(*command, f"s3://{old}/{key}")
        assert refused.exit_code == 2
        assert "is not in the landing zone" in refused.output
    assert call("retry", "--loaded", f"s3://{s3.bucket}/{key}").output.startswith(f"{key} is pending again")
    assert call("retract", f"s3://{old}/{key}").output.startswith(f"s3://{old}/{key} no longer counts.")
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-04": ("2.00", 1)}
    assert call("retract", "--undo", f"s3://{old}/land*").output.startswith(f"s3://{old}/{key} counts again.")
    assert call("retract", key).output.startswith(f"{key} no longer counts.")
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert "full names (s3://bucket/key)" in call("retract", f"s3://{old}/no.csv").output
    assert "is no full name like" in call("retract", f"s3://{old}").output
