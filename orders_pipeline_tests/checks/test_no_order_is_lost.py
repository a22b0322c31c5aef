"""The check no_order_is_lost: every row is clean, void, rejected, superseded or out of range, and so is its amount."""

from pathlib import Path

import polars as pl

from orders_pipeline_tests.support.checks import ERROR, evaluate, rewrite_day
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline, check_results


def test_all_orders_are_accounted_for(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "1,ann,2.00,2026-03-05", "2,,1,2026-03-04")

    found = check_results(pipeline.run("s3_arrival"))["no_order_is_lost"]

    assert found.passed
    assert "All 2 orders read" in (found.description or "")
    assert "1 clean, 1 superseded" in (found.description or "")


def test_an_order_that_is_missing_is_lost_with_its_money(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.50,2026-03-04")
    pipeline.sync()
    rewrite_day(pipeline, "cleaned_orders", lambda frame: frame.filter(pl.col("order_id") == "1"))

    found = evaluate(pipeline, "rejected_orders", "no_order_is_lost")

    assert (found.passed, found.severity) == (False, ERROR)
    assert "1 rows worth 2.50 on 2026-03-04 are neither clean nor superseded (orders 2)" in (found.description or "")


def test_an_order_that_no_file_holds_is_found(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    ghost = pl.col("_row_number") + 100
    rewrite_day(
        pipeline, "cleaned_orders", lambda f: pl.concat([f, f.with_columns(order_id=pl.lit("9"), _row_number=ghost)])
    )

    assert "1 clean orders are in no file" in (
        evaluate(pipeline, "rejected_orders", "no_order_is_lost").description or ""
    )


def test_a_day_that_the_ledger_lost_sight_of_is_found(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-05")
    pipeline.sync()
    for table in ("order_days", "built_days"):
        pipeline.execute(f"DELETE FROM ledger.{table} WHERE day = '2026-03-04'")

    found = evaluate(pipeline, "rejected_orders", "no_order_is_lost")

    assert not found.passed
    assert "1 rows worth 1.00" in (found.description or "")


def test_clean_orders_without_any_file_are_found(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute("UPDATE ledger.landed_files SET active = false")

    assert "1 clean orders are in no file" in (
        evaluate(pipeline, "rejected_orders", "no_order_is_lost").description or ""
    )


def test_a_full_refresh_lists_the_rejects_again(pipeline: Pipeline) -> None:
    from orders_pipeline import run_tags

    pipeline.land_rows("a.csv", "1,,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute("DELETE FROM analytics.rejected_orders")

    assert pipeline.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"}).success
    assert len(pipeline.rejected()) == 1


def test_a_superseded_row_in_place_of_its_successor_is_found(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "1,ann,2.00,2026-03-04")
    pipeline.sync()
    rewrite_day(pipeline, "cleaned_orders", lambda frame: frame.with_columns(_row_number=pl.lit(2, pl.Int64)))

    assert not evaluate(pipeline, "rejected_orders", "no_order_is_lost").passed


def test_a_reject_that_is_not_listed_is_found(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,,1.00,2026-03-04")
    pipeline.sync()
    assert evaluate(pipeline, "rejected_orders", "no_order_is_lost").passed
    pipeline.execute("DELETE FROM analytics.rejected_orders")

    found = evaluate(pipeline, "rejected_orders", "no_order_is_lost")

    assert not found.passed
    assert "landing/a.csv" in (found.description or "")


def test_of_summed_lines_the_one_that_counts_is_compared(pipeline: Pipeline, tmp_path: Path) -> None:
    declaration = tmp_path / "sources.toml"
    declaration.write_text('[[source]]\nname = "acme"\nkeys = "landing/*"\nlines = "sum"\n')
    assert call("sources", "apply", str(declaration)).exit_code == 0
    pipeline.land_rows("a.csv", *["1,ann,1.25,2026-03-04"] * 3, "1,,,", "2,ann,1.00,2026-03-04")
    pipeline.sync()
    assert evaluate(pipeline, "rejected_orders", "no_order_is_lost").passed

    rewrite_day(pipeline, "cleaned_orders", lambda frame: frame.filter(pl.col("order_id") == "2"))
    lost = evaluate(pipeline, "rejected_orders", "no_order_is_lost")
    merged = pl.lit(2, pl.Int64)
    rewrite_day(pipeline, "cleaned_orders", lambda f: pl.concat([f, f.with_columns(_row_number=merged)]))
    foreign = evaluate(pipeline, "rejected_orders", "no_order_is_lost")

    assert "1 rows worth 3.75 on 2026-03-04 are neither clean nor superseded (orders 1)" in (lost.description or "")
    assert "1 clean orders are in no file" in (foreign.description or "")
