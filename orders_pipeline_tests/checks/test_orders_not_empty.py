"""The check orders_not_empty: a day that was requested has had orders."""

from datetime import timedelta

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.quality import deliveries
from orders_pipeline.settings import read_settings
from orders_pipeline_tests.support.checks import ERROR, WARN, day_run, evaluate
from orders_pipeline_tests.support.driver import Pipeline, check_results


def test_a_day_with_orders_is_not_empty(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival")

    found = check_results(day_run(pipeline, "2026-03-04"))["orders_not_empty"]

    assert found.passed
    assert found.description == "1 order on 2026-03-04."


def test_the_only_day_of_a_run_without_orders_is_an_error_and_blocks(pipeline: Pipeline) -> None:
    result = day_run(pipeline, "2026-03-04")
    found = check_results(result)["orders_not_empty"]

    assert (found.passed, found.severity) == (False, ERROR)
    assert "2026-03-04" in (found.description or "")
    assert not result.success
    assert "daily_revenue_partitioned" not in {
        event.asset_key.to_user_string()
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }


def test_in_a_range_days_without_orders_are_named_in_a_warning(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival")

    result = day_run(pipeline, "2026-03-03", "2026-03-05")
    found = check_results(result)["orders_not_empty"]

    assert (found.passed, found.severity) == (False, WARN)
    assert "2026-03-03, 2026-03-05" in (found.description or "")
    assert result.success
    assert pipeline.spend() == {("2026-03-04", "ann"): "1.00"}


def test_a_single_day_of_a_backfill_without_orders_is_a_warning(pipeline: Pipeline) -> None:
    result = pipeline.run("stale_days", partition="2026-03-04", tags={"dagster/backfill": "b"})
    found = check_results(result)["orders_not_empty"]

    assert (found.passed, found.severity) == (False, WARN)
    assert result.success


def test_today_has_no_orders_yet_and_yesterday_never_had_any(pipeline: Pipeline) -> None:
    today = read_settings().today()
    engine, calendar = postgres.ledger(), Calendar.of(read_settings())

    found = deliveries.find(engine, [today - timedelta(days=1), today], calendar)
    assert (found.missing, found.awaited) == ([today - timedelta(days=1)], [today])
    assert deliveries.find(engine, [today], calendar).missing == []


def test_a_day_that_was_delivered_and_emptied_passes_says_so_and_leaves_the_marts(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-05")
    pipeline.run("s3_arrival")

    found = check_results(day_run(pipeline, "2026-03-04"))["orders_not_empty"]

    assert found.passed
    assert "had orders before" in (found.description or "")
    assert pipeline.spend() == {}


def test_without_any_day_the_check_does_not_pass(pipeline: Pipeline) -> None:
    assert not evaluate(pipeline, "daily_orders", "orders_not_empty").passed
