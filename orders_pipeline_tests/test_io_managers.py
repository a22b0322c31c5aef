"""Runs build the days that are stale, commit them whole, and show what they did."""

from datetime import date
from typing import Any

import dagster as dg
import pytest

from orders_pipeline.definitions import postgres
from orders_pipeline.io_managers import FULL_REFRESH_TAG
from orders_pipeline.ledger import days
from orders_pipeline.sensors import range_tags
from orders_pipeline_tests.driver import Pipeline

ASSETS = ("cleaned_orders", "daily_orders", "daily_revenue", "daily_revenue_partitioned")


def everything(pipeline: Pipeline) -> dict[str, dict[str, tuple[str, str]]]:
    return {asset: pipeline.built(asset) for asset in ASSETS}


@pytest.fixture
def march(pipeline: Pipeline) -> Pipeline:
    pipeline.land_rows("a.csv", *(f"{n},ann,1.00,2026-03-{n:02}" for n in range(1, 11)))
    pipeline.sync()
    return pipeline


def test_an_arrival_rebuilds_the_days_it_touches_and_no_others(march: Pipeline) -> None:
    before = everything(march)
    march.land_rows("b.csv", "90,bob,2.00,2026-03-04", "91,bob,2.00,2026-03-20")
    march.sync()
    after = everything(march)

    for asset in ASSETS:
        changed = {day for day in after[asset] if after[asset][day] != before[asset].get(day)}
        assert changed == {"2026-03-04", "2026-03-20"}, asset


def test_rerunning_a_partition_that_is_current_changes_nothing(march: Pipeline) -> None:
    before = everything(march)

    assert march.run("stale_days", partition="2026-03-04").success
    assert everything(march) == before


def test_a_full_refresh_rebuilds_what_is_asked_for_with_the_same_rows(march: Pipeline) -> None:
    before, spend = everything(march), march.spend()
    tags = {**range_tags(date(2026, 3, 2), date(2026, 3, 3)), FULL_REFRESH_TAG: "true"}

    assert march.run("stale_days", tags=tags).success
    after = everything(march)
    assert {day for day in after["daily_orders"] if after["daily_orders"][day] != before["daily_orders"][day]} == {
        "2026-03-02",
        "2026-03-03",
    }
    assert march.spend() == spend

    assert march.run("s3_arrival", tags={FULL_REFRESH_TAG: "true"}).success
    refreshed = march.built("cleaned_orders")
    assert all(refreshed[day] != before["cleaned_orders"][day] for day in refreshed)


def test_a_mart_whose_upstream_was_never_built_says_what_to_do(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival")

    result = pipeline.run("stale_days", partition="2026-03-04", assets=["daily_revenue_partitioned"])

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "daily_orders was never built for 2026-03-04: materialize it" in str(failure.step_failure_data.error)


def test_a_run_over_a_range_that_fails_keeps_the_days_it_finished(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", *(f"{n},ann,1.00,2026-03-{n:02}" for n in range(1, 6)))
    pipeline.run("s3_arrival")
    mark, marked = days.mark, []

    def fail_on_the_third(*arguments: Any) -> list[date]:
        marked.append(arguments)
        if len(marked) == 3:
            raise RuntimeError("the machine stopped")
        return mark(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(days, "mark", fail_on_the_third)
        assert not pipeline.run("stale_days", tags=range_tags(date(2026, 3, 1), date(2026, 3, 5))).success

    assert sorted(pipeline.built("daily_orders")) == ["2026-03-01", "2026-03-02"]
    assert pipeline.sync().is_complete
    assert len(pipeline.spend()) == 5


def test_rows_and_mark_of_a_mart_appear_together_or_not_at_all(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04")

    def fail(*_: object) -> None:
        raise RuntimeError("the connection broke")

    with monkeypatch.context() as patched:
        patched.setattr("orders_pipeline.io_managers.copy_frame", fail)
        assert not pipeline.run("s3_arrival").success

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert [str(day) for day in pipeline.stale("daily_revenue")] == ["2026-03-04"]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("2.00", 2)}


def test_a_day_touched_while_it_is_built_is_stale_again_afterwards(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    mark, meddled = days.mark, []

    def meddle(connection: Any, build: Any, *rest: Any) -> list[date]:
        if build.asset == "cleaned_orders" and not meddled:
            meddled.append(build)
            with postgres.ledger().begin() as other:
                days.touch(other, [date(2026, 3, 4)])
        return mark(connection, build, *rest)

    monkeypatch.setattr(days, "mark", meddle)
    pipeline.run("s3_arrival")

    assert [str(day) for day in pipeline.stale("cleaned_orders")] == ["2026-03-04"]


def test_each_partition_of_a_range_shows_its_own_rows(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,1.00,2026-03-05", "3,bob,1.00,2026-03-05")
    pipeline.run("s3_arrival")
    result = pipeline.run("stale_days", tags=range_tags(date(2026, 3, 4), date(2026, 3, 5)))

    shown = {
        (event.asset_key.to_user_string(), event.partition): event.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
        for event in [event]
    }
    assert shown["daily_orders", "2026-03-05"]["dagster/partition_row_count"].value == 2
    assert shown["daily_orders", "2026-03-04"]["dagster/partition_row_count"].value == 1
    assert shown["daily_revenue_partitioned", "2026-03-05"]["dagster/table_name"].value == (
        "analytics.daily_revenue_partitioned"
    )


def test_a_materialization_shows_what_a_person_wants_to_know(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    result = pipeline.run("s3_arrival")
    shown: dict[str, Any] = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }

    assert shown["raw_orders"]["files_loaded"].value == 1
    assert shown["raw_orders"]["files"].records[0].data == {
        "file": "landing/a.csv",
        "landed": shown["raw_orders"]["files"].records[0].data["landed"],
        "bytes": 80,
        "rows": 2,
        "rejected": 1,
    }
    assert "no source table" in shown["raw_orders"]["remarks"].value
    assert shown["cleaned_orders"]["dagster/row_count"].value == 1
    assert shown["cleaned_orders"]["days"].value == "2026-03-04"
    assert shown["cleaned_orders"]["dagster/uri"].value.endswith("/lake/cleaned_orders")
    assert shown["daily_revenue"]["dagster/table_name"].value == "analytics.daily_revenue"
    assert "data:image/svg+xml;base64," in shown["daily_revenue"]["revenue"].value
    for asset in ("cleaned_orders", "daily_revenue", "rejected_orders"):
        assert isinstance(shown[asset]["dagster/column_schema"], dg.TableSchemaMetadataValue)
        assert isinstance(shown[asset]["dagster/column_lineage"], dg.TableColumnLineageMetadataValue)
        assert shown[asset]["seconds"].value >= 0
