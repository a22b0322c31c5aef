"""The pages of partitions that a run had nothing to build for: days without orders, and days that are current."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from orders_pipeline import run_tags
from orders_pipeline.definitions import s3
from orders_pipeline.ledger.builds import Build
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.settings import read_settings
from orders_pipeline.ui import partitions
from orders_pipeline_tests.support.driver import Pipeline, check_results, shown_of

TABLES = ("daily_orders", "daily_revenue_partitioned")
RANGE = run_tags.of_range(date(2026, 3, 4), date(2026, 3, 6))


def page(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of the partition itself, apart from its state: the rest is of the run."""
    of_the_day = ("Preview", "Orders", "dagster/partition_row_count", "dagster/row_count")
    return {label: shown[label] for label in of_the_day if label in shown}


def test_days_without_orders_and_current_days_of_a_range_say_so_on_their_partition(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", *(f"{n},ann,1.00,2026-03-04" for n in range(7)), "9,bob,2.50,2026-03-05")
    pipeline.run("s3_arrival")
    first = shown_of(pipeline.run("stale_days", tags=RANGE))
    again = shown_of(pipeline.run("stale_days", tags=RANGE))

    for table in TABLES:
        empty = first[table, "2026-03-06"]
        assert empty["State"].value == "no orders on this day"
        assert {label: value.value for label, value in page(empty).items()} == {
            "Orders": 0, "dagster/partition_row_count": 0,
        }  # fmt: skip
        for day in ("2026-03-04", "2026-03-05"):
            assert again[table, day]["State"].value.startswith("already current: not rebuilt, since nothing")
            assert page(again[table, day]) == page(first[table, day])
            assert len(page(again[table, day])["Preview"].records) >= 1
    assert len(again["daily_orders", "2026-03-04"]["Preview"].records) == 5
    assert again["daily_orders", "2026-03-04"]["dagster/partition_row_count"].value == 7


def test_the_page_of_a_current_day_says_when_its_object_is_gone(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    ((path,),) = pipeline.query("SELECT path FROM ledger.built_days WHERE asset = 'daily_orders'")
    s3.lake().delete(path)

    shown = shown_of(pipeline.run("stale_days", partition="2026-03-04", assets=["daily_orders"]))

    assert "the next run rebuilds it" in shown["daily_orders", "2026-03-04"]["State"].value
    assert pipeline.sync().rebuilt["daily_orders"] == [date(2026, 3, 4)]


@pytest.mark.parametrize(("day", "state"), [(4, "no orders on this day"), (5, "no orders on this day yet")])
def test_only_a_day_that_is_not_over_has_no_orders_yet(day: int, state: str) -> None:
    build = Build("daily_orders", {}, Calendar(date(2026, 1, 1), date(2026, 3, 5), "UTC"), empty=(date(2026, 3, day),))

    assert {shown["State"] for shown in partitions.empty(build).values()} == {state}


@pytest.mark.parametrize("landed", [[], ["1,ann,1.00,2026-03-04"]], ids=["nothing landed", "no orders today"])
def test_materialize_all_for_the_latest_day_succeeds_before_its_first_order(
    pipeline: Pipeline, landed: list[str]
) -> None:
    if landed:
        pipeline.land_rows("a.csv", *landed)
    today = str(read_settings().today())

    result = pipeline.run("__ASSET_JOB", partition=today)  # as the UI launches it

    assert result.success
    assert check_results(result)["orders_not_empty"].passed
    assert shown_of(result)["daily_revenue_partitioned", today]["State"].value == "no orders on this day yet"
