"""The check revenue_reconciles: both chains agree to the cent."""

import pytest

from orders_pipeline_tests.support.checks import ERROR, WARN, day_run, evaluate
from orders_pipeline_tests.support.driver import Pipeline, check_results


def test_nothing_to_compare_passes_and_says_so(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")

    found = check_results(pipeline.run("s3_arrival"))["revenue_reconciles"]

    assert found.passed
    assert "nothing to compare" in (found.description or "")


def test_both_chains_agree_or_the_day_is_named(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,2.00,2026-03-05")
    pipeline.sync()
    agreed = evaluate(pipeline, "daily_revenue", "revenue_reconciles")
    assert agreed.passed
    assert "2 days" in (agreed.description or "")

    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = revenue + 0.01 WHERE order_date = '2026-03-05'")
    off_by_a_cent = evaluate(pipeline, "daily_revenue", "revenue_reconciles")
    assert (off_by_a_cent.passed, off_by_a_cent.severity) == (False, ERROR)
    assert "1 of 2 days: 2026-03-05: 2.01 (1 orders) against 2.00 (1)" in (off_by_a_cent.description or "")

    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 2, order_count = 7 WHERE order_date = '2026-03-05'")
    assert not evaluate(pipeline, "daily_revenue", "revenue_reconciles").passed

    pipeline.execute("DELETE FROM analytics.daily_revenue WHERE order_date = '2026-03-05'")
    assert not evaluate(pipeline, "daily_revenue", "revenue_reconciles").passed


@pytest.mark.parametrize("job", ["s3_arrival", "stale_days", "daily_pipeline"])
def test_whichever_chain_runs_both_tables_show_the_result_and_only_one_of_them_as_an_error(
    pipeline: Pipeline, job: str
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 7")

    run = pipeline.run(job, partition=None if job == "s3_arrival" else "2026-03-04")

    found = [one for one in run.get_asset_check_evaluations() if one.check_name == "revenue_reconciles"]
    assert [(one.asset_key.to_user_string(), one.passed, one.severity) for one in found] == [
        ("daily_revenue_partitioned", False, WARN),
        ("daily_revenue", False, ERROR),
    ]
    assert len({one.description for one in found}) == 1


def test_a_run_compares_the_days_that_were_built_since_they_agreed(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,2.00,2026-03-05")
    pipeline.sync()
    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 7 WHERE order_date = '2026-03-04'")
    pipeline.land_rows("b.csv", "3,ann,1.00,2026-03-05")
    pipeline.run("s3_arrival")

    of_the_day = check_results(day_run(pipeline, "2026-03-05"))["revenue_reconciles"]
    of_all_days = check_results(pipeline.run("daily_pipeline", partition="2026-03-05"))["revenue_reconciles"]

    assert of_the_day.passed
    assert "on 2 days, 1 of them compared now" in (of_the_day.description or "")
    assert "1 of 2 days: 2026-03-04: 7.00" in (of_all_days.description or "")


def test_a_day_that_differs_is_reported_by_every_run_until_it_agrees(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,2.00,2026-03-05")
    pipeline.sync()
    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 7 WHERE order_date = '2026-03-04'")
    assert not evaluate(pipeline, "daily_revenue", "revenue_reconciles").passed
    pipeline.land_rows("b.csv", "3,ann,1.00,2026-03-05")

    of_another_day = check_results(pipeline.run("s3_arrival"))["revenue_reconciles"]
    assert "1 of 1 day: 2026-03-04: 7.00" in (of_another_day.description or "")

    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 1 WHERE order_date = '2026-03-04'")
    assert check_results(day_run(pipeline, "2026-03-05"))["revenue_reconciles"].passed


def test_a_day_that_one_chain_has_yet_to_rebuild_is_not_compared(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04")

    assert "nothing to compare" in (check_results(pipeline.run("s3_arrival"))["revenue_reconciles"].description or "")
