"""The check order_ids_are_unique: an id that occurs twice blocks its day."""

import polars as pl

from orders_pipeline_tests.support.checks import ERROR, evaluate, rewrite_day
from orders_pipeline_tests.support.driver import Pipeline, check_results


def test_unique_ids_pass(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "1,ann,2.00,2026-03-05")

    assert check_results(pipeline.run("s3_arrival"))["order_ids_are_unique"].passed


def test_an_id_that_is_there_twice_is_an_error_and_keeps_the_day_from_being_read(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    rewrite_day(pipeline, "cleaned_orders", lambda frame: pl.concat([frame, frame]))

    found = evaluate(pipeline, "cleaned_orders", "order_ids_are_unique")

    assert (found.passed, found.severity) == (False, ERROR)
    assert "1 order occurs more than once, on 2026-03-04, for example 1." in (found.description or "")
    assert pipeline.stale("daily_revenue") == []
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}


def test_the_daily_job_looks_for_ids_over_all_days(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    rewrite_day(pipeline, "cleaned_orders", lambda frame: pl.concat([frame, frame]))
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-05")

    arrival = check_results(pipeline.run("s3_arrival"))["order_ids_are_unique"]
    daily = check_results(pipeline.run("daily_pipeline", partition="2026-03-05"))["order_ids_are_unique"]

    assert arrival.passed
    assert not daily.passed
