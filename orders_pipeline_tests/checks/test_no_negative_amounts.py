"""The check no_negative_amounts: a negative amount is a warning."""

from orders_pipeline_tests.support.checks import WARN, day_run, evaluate
from orders_pipeline_tests.support.driver import Pipeline, check_results


def test_negative_amounts_warn_with_examples(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,-1.00,2026-03-04", "2,ann,0.00,2026-03-05")
    pipeline.run("s3_arrival")

    bad = check_results(day_run(pipeline, "2026-03-04"))["no_negative_amounts"]
    pipeline.execute("UPDATE ledger.findings SET accepted_at = now()")
    good = check_results(day_run(pipeline, "2026-03-05"))["no_negative_amounts"]

    assert (bad.passed, bad.severity) == (False, WARN)
    assert (
        "1 orders on 2026-03-04 have a negative amount, -1.00 in total: for example 1, in 1 files: landing/a.csv"
        in (bad.description or "")
    )
    assert good.passed


def test_negative_amounts_are_not_denied_where_nothing_is_built_yet(pipeline: Pipeline) -> None:
    assert evaluate(pipeline, "daily_orders", "no_negative_amounts").passed
    pipeline.land_rows("a.csv", "1,ann,-1.00,2026-03-04")
    pipeline.run("s3_arrival")

    found = evaluate(pipeline, "daily_orders", "no_negative_amounts")

    assert not found.passed
    assert "1 days are due: 2026-03-04. Materialize it" in (found.description or "")
