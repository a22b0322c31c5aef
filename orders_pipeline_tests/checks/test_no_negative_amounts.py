"""The check no_negative_amounts: a sender with negative amounts is a warning, until a person accepts its returns."""

from orders_pipeline_tests.support.checks import WARN, evaluate
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline


def test_negative_amounts_are_named_by_sender_with_their_files_and_total(pipeline: Pipeline) -> None:
    pipeline.land_rows("shop/2026-03-04/a.csv", "1,ann,-1.00,2026-03-04", "2,ann,0.00,2026-03-04")
    pipeline.land_rows("shop/2026-03-05/a.csv", "3,ann,-1.50,2026-03-05", "4,ann,9.00,2026-03-05")
    pipeline.land_rows("other/a.csv", "5,ann,1.00,2026-03-05")
    pipeline.sync()

    found = evaluate(pipeline, "daily_orders", "no_negative_amounts")

    assert (found.passed, found.severity) == (False, WARN)
    assert (
        "landing/shop/ has a negative amount in 2 of 4 rows, -2.50 in total, in 2 files:"
        " landing/shop/2026-03-04/a.csv, landing/shop/2026-03-05/a.csv." in (found.description or "")
    )
    assert "other" not in (found.description or "")


def test_a_sender_whose_returns_are_accepted_is_not_named_again_for_the_next_return(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,-1.00,2026-03-04", "2,ann,5.00,2026-03-04")
    assert "no_negative_amounts" in pipeline.sync().failed_checks
    call("accept", "--kind", "no_negative_amounts")

    pipeline.land_rows("b.csv", "3,ann,-1.00,2026-03-05", "4,ann,5.00,2026-03-05")
    assert "no_negative_amounts" not in pipeline.sync().failed_checks

    pipeline.land_rows("shop/c.csv", "5,ann,-1.00,2026-03-05")
    assert "landing/shop/" in pipeline.sync().failed_checks["no_negative_amounts"]


def test_amounts_whose_sign_turns_are_named_though_returns_are_accepted(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,-1.00,2026-03-04", "2,ann,5.00,2026-03-04", "3,ann,5.00,2026-03-04")
    pipeline.sync()
    call("accept", "--kind", "no_negative_amounts")

    pipeline.land_rows("b.csv", "4,ann,-5.00,2026-03-05", "5,ann,-5.00,2026-03-05")

    assert "3 of 5 rows" in pipeline.sync().failed_checks["no_negative_amounts"]


def test_nothing_negative_passes_and_says_how_much_was_compared(pipeline: Pipeline) -> None:
    assert evaluate(pipeline, "daily_orders", "no_negative_amounts").description == "No order has landed yet."
    pipeline.land_rows("a.csv", "1,ann,0.00,2026-03-04", "2,ann,1.00,2026-03-04")
    pipeline.sync()

    found = evaluate(pipeline, "daily_orders", "no_negative_amounts")

    assert (found.passed, found.description) == (True, "No negative amount in 2 rows.")
