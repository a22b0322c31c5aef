"""What a user sees of a mistake, in `sync`, `status` and the sensor: once, in the words of the setting, and counted."""

from datetime import timedelta

import pytest

from orders_pipeline.landing.source_table import WHOLE, called
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline.settings import Settings
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import tick


def test_a_lake_whose_bucket_is_missing_is_named_once_for_all_files(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        pipeline.land_rows(f"{number}.csv", f"{number},ann,1.00,2026-03-04")
    monkeypatch.setenv("ORDERS_LAKE_URI", "s3://no-such-lake/here")

    synced, status = call("sync"), call("status")

    for shown in (synced.output, status.output):
        assert "failing" in shown
        assert "3 files (landing/0.csv, landing/1.csv, landing/2.csv): " in shown
        assert shown.count("There is no bucket 'no-such-lake'. Create it, or correct ORDERS_LAKE_URI.") == 1
    assert status.output.startswith("Orders pipeline: work to do; needs you: 3 failing files\n")

    monkeypatch.undo()


def test_the_headline_counts_what_needs_a_person(pipeline: Pipeline) -> None:
    """A quarantined file once, although a check has a finding of it; a note not at all."""
    pipeline.land("bad.csv", "nonsense\n")
    pipeline.land_rows("a.csv", "1,ann,-5.00,2026-03-04", "2,ann,1.00,2025-12-31")
    synced = call("sync").output
    assert "after 2 runs." in synced or "after 1 run." in synced
    assert "cleaned_orders: 1 day rebuilt (2026-03-04)" in synced

    status = call("status").output
    headline = status.splitlines()[0]

    assert headline == (
        "Orders pipeline: up to date; needs you: 1 quarantined file, 1 open finding, 1 order before ORDERS_START_DATE"
    )
    assert " 1 days" not in synced + status


def test_a_start_in_the_future_warns(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Settings().today() + timedelta(days=2)
    monkeypatch.setenv("ORDERS_START_DATE", str(first))

    told = f"ORDERS_START_DATE is {first}, after today: no day is built before then, and no order counts."
    assert told in call("sync").output
    assert told in call("status").output
    assert told in str(tick(pipeline, s3_arrival_sensor).skip_message)


def test_a_source_that_is_away_is_said_once_and_is_no_file(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_SOURCE_URL", "postgresql://a:hunter2@127.0.0.1:1/x")
    pipeline.land_rows("a.csv", "1,ann,5.00,2026-03-05")

    synced, status = call("sync").output, call("status").output

    told = "The source table 'orders' could not be read. No Postgres listens at 127.0.0.1:1."
    for shown in (synced, status):
        assert shown.count(told) == 1
        assert "table:orders/all" not in shown
        assert "hunter2" not in shown
    assert status.startswith("Orders pipeline: work to do; needs you: the source table\n")
    assert (
        "1 of 2 files and days of the source table are not loaded: the source table orders (failing: outage)" in synced
    )


def test_days_of_the_source_table_are_called_by_its_name(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.execute(
        "CREATE TABLE web_orders AS SELECT '3' order_id, 'ann' customer_id, 3.00 amount, date '2026-03-04' order_date"
    )
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", "web_orders")
    pipeline.land_rows("a.csv", "1,ann,5.00,2026-03-05")
    pipeline.sync()

    lines = call("status").output.splitlines()

    assert "  files     0 pending, 1 loaded, 0 quarantined, 0 ignored, 0 failing" in lines
    assert "  table     web_orders: days 1 loaded" in lines
    assert pipeline.status().files["loaded"] == 2  # the interface counts both


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("landing/a.csv", "landing/a.csv"),
        ("table:orders/2026-03-04", "2026-03-04 of the source table web.orders (table:orders/2026-03-04)"),
        ("table:orders/none", "rows without a day of the source table web.orders (table:orders/none)"),
        (WHOLE.key, "the source table web.orders"),
    ],
)
def test_a_key_is_called_as_people_read_it(key: str, shown: str) -> None:
    assert called(key, "web.orders") == shown


@pytest.mark.parametrize("day", ["01.01.2026", "2026-02-30", "yesterday", "2026-03-05T10:00"])
def test_a_day_is_written_in_one_way(day: str) -> None:
    shown = call("rebuild", day)

    assert shown.exit_code == 2
    assert "is not a day like '2026-03-05'." in shown.output
    assert "%Y" not in shown.output
