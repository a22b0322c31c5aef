"""Each check seen passing and failing, and saying in words what it found."""

from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest

from orders_pipeline import run_tags
from orders_pipeline.definitions import s3
from orders_pipeline.settings import Settings
from orders_pipeline_tests.support.driver import Pipeline, check_results

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def evaluate(pipeline: Pipeline, asset: str, check: str) -> dg.AssetCheckEvaluation:
    """Run one check alone, as from its page in the UI."""
    from orders_pipeline.definitions import defs

    key = dg.AssetCheckKey(dg.AssetKey(asset), check)
    job = dg.Definitions(
        assets=list(defs.assets or []),
        asset_checks=list(defs.asset_checks or []),
        resources=defs.resources,
        jobs=[dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(key))],
    ).resolve_job_def("one_check")
    result = job.execute_in_process(instance=pipeline.instance, raise_on_error=False)
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def rewrite_day(pipeline: Pipeline, asset: str, change: Any) -> None:
    """Tamper with the only built day of a table in the lake."""
    frame = pipeline.lake_frame(asset)
    path = s3.lake().write(f"{asset}/tampered", change(frame).write_parquet)
    pipeline.execute("UPDATE ledger.built_days SET path = :path WHERE asset = :asset", path=path, asset=asset)


def day_run(pipeline: Pipeline, first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
    if last is None:
        return pipeline.run("stale_days", partition=first)
    return pipeline.run("stale_days", tags=run_tags.of_range(date.fromisoformat(first), date.fromisoformat(last)))


# orders_not_empty


def test_a_day_with_orders_is_not_empty(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival")

    found = check_results(day_run(pipeline, "2026-03-04"))["orders_not_empty"]

    assert found.passed
    assert found.description == "1 orders on 2026-03-04."


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


# no_negative_amounts


def test_negative_amounts_warn_with_examples(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,-1.00,2026-03-04", "2,ann,0.00,2026-03-05")
    pipeline.run("s3_arrival")

    bad = check_results(day_run(pipeline, "2026-03-04"))["no_negative_amounts"]
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


# order_ids_are_unique


def test_unique_ids_pass(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "1,ann,2.00,2026-03-05")

    assert check_results(pipeline.run("s3_arrival"))["order_ids_are_unique"].passed


def test_an_id_that_is_there_twice_is_an_error_and_keeps_the_day_from_being_read(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    rewrite_day(pipeline, "cleaned_orders", lambda frame: pl.concat([frame, frame]))

    found = evaluate(pipeline, "cleaned_orders", "order_ids_are_unique")

    assert (found.passed, found.severity) == (False, ERROR)
    assert "1 orders occur more than once, on 2026-03-04, for example 1." in (found.description or "")
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


# landed_files_are_readable


def test_quarantined_files_are_listed_with_their_reasons(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    assert check_results(pipeline.run("s3_arrival"))["landed_files_are_readable"].passed
    pipeline.land("bad.csv", b"order_id\n1\n")

    found = check_results(pipeline.run("s3_arrival"))["landed_files_are_readable"]

    assert not found.passed
    assert "1 of 2 files are not loaded: landing/bad.csv (quarantined: column_missing)." in (found.description or "")
    (record,) = found.metadata["Files not loaded"].records  # type: ignore[union-attr]
    assert record.data["file"] == "landing/bad.csv"
    assert "column_missing" in str(record.data["reason"])


# no_order_is_lost


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


# revenue_reconciles


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
    assert "1 of 1 days: 2026-03-04: 7.00" in (of_another_day.description or "")

    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 1 WHERE order_date = '2026-03-04'")
    assert check_results(day_run(pipeline, "2026-03-05"))["revenue_reconciles"].passed


def test_a_day_that_one_chain_has_yet_to_rebuild_is_not_compared(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04")

    assert "nothing to compare" in (check_results(pipeline.run("s3_arrival"))["revenue_reconciles"].description or "")


# revenue_is_plausible

TODAY = date(2026, 6, 10)  # a Wednesday; nothing is said of it before it is over


@pytest.fixture
def shop(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Orders of 100.00 on each of the 70 days before TODAY, but for Saturdays."""
    monkeypatch.setattr(Settings, "today", lambda _self: TODAY)
    pipeline.land_rows("history.csv", *(f"{day},ann,100.00,{day}" for day in open_days()))
    return pipeline


def open_days() -> list[date]:
    """The days of ten weeks up to TODAY without their Saturdays."""
    return [day for ago in range(1, 71) if (day := TODAY - timedelta(days=ago)).weekday() != 5]


def plausible(pipeline: Pipeline, *rows: str) -> dg.AssetCheckEvaluation:
    """What the check says once these rows have landed."""
    if rows:
        pipeline.land_rows("more.csv", *rows)
    return check_results(pipeline.run("s3_arrival"))["revenue_is_plausible"]


def test_revenue_like_that_of_the_weekday_is_plausible(shop: Pipeline) -> None:
    found = plausible(shop)

    assert (found.passed, found.severity) == (True, WARN)
    assert "Revenue is as usual for the weekday on " in (found.description or "")
    assert found.metadata["Days compared"].value == 30  # of 10 weeks those that have 5 before, six days each


def test_a_day_far_above_its_weekday_warns_with_the_day_and_how_far(shop: Pipeline) -> None:
    plausible(shop)
    found = plausible(shop, "x,bob,900.00,2026-06-01")

    assert (found.passed, found.severity) == (False, WARN)
    assert (
        "on 1 of 12 days: 2026-06-01 (Monday) 1,000.00, 10.0 times the usual 100.00 (plausible: 50.00 to 200.00)."
    ) in (found.description or "")
    (record,) = found.metadata["Days with unusual revenue"].records  # type: ignore[union-attr]
    assert (record.data["day"], record.data["weeks compared"]) == ("2026-06-01", 8)


def test_an_old_day_is_compared_by_the_run_that_builds_it_and_no_longer_by_others(shop: Pipeline) -> None:
    plausible(shop)

    assert "2026-05-18 (Monday)" in (plausible(shop, "x,bob,900.00,2026-05-18").description or "")
    shop.land_rows("other.csv", "y,bob,1.00,2026-06-01")
    assert plausible(shop).passed


def test_a_recent_day_stays_odd_whatever_day_a_run_builds(shop: Pipeline) -> None:
    plausible(shop, "x,bob,900.00,2026-06-01")
    shop.land_rows("other.csv", f"y,bob,1.00,{TODAY}")

    assert "2026-06-01 (Monday)" in (plausible(shop).description or "")
    assert not evaluate(shop, "daily_revenue", "revenue_is_plausible").passed


def test_today_is_not_compared_before_it_is_over(shop: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plausible(shop, f"x,bob,0.01,{TODAY}").passed

    monkeypatch.setattr(Settings, "today", lambda _self: TODAY + timedelta(days=1))
    tomorrow = evaluate(shop, "daily_revenue", "revenue_is_plausible")
    assert f"{TODAY} (Wednesday) 0.01, 0.0 times the usual 100.00" in (tomorrow.description or "")


def test_a_day_without_orders_is_odd_where_its_weekday_trades(shop: Pipeline) -> None:
    plausible(shop)
    shop.land_rows("history.csv", *(f"{day},ann,100.00,{day}" for day in open_days() if day != date(2026, 6, 8)))

    found = plausible(shop)

    assert "on 1 of 30 days: 2026-06-08 (Monday) 0.00, where 100.00 is usual" in (found.description or "")
    assert "(Saturday)" not in (found.description or "")


def test_a_day_whose_orders_wait_to_be_built_is_not_taken_for_one_without(shop: Pipeline) -> None:
    plausible(shop)
    shop.execute("DELETE FROM ledger.built_days WHERE day = '2026-06-08' AND asset = 'daily_revenue'")
    shop.execute("DELETE FROM analytics.daily_revenue WHERE order_date = '2026-06-08'")

    assert evaluate(shop, "daily_revenue", "revenue_is_plausible").passed


def test_a_short_history_is_silent_and_says_so(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "today", lambda _self: TODAY)

    found = plausible(pipeline, "1,ann,1.00,2026-06-01", "2,ann,1000000.00,2026-06-08")

    assert found.passed
    assert (
        "Nothing to compare yet. 14 days were not compared: their weekday had revenue in fewer than 5 of the 8 weeks"
        in (found.description or "")
    )


# few_rows_are_rejected


def test_files_with_many_rejects_are_named_with_their_most_common_reasons(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [f"{n},ann,1.00,2026-03-04" for n in range(38)]
    pipeline.land_rows("bad.csv", *good, "x,ann,one,2026-03-04", "y,,1.00,2026-03-04", "z,,1.00,2026-03-04")
    pipeline.land_rows("good.csv", *good, "x,ann,one,2026-03-04", "y,,1.00,2026-03-04")
    pipeline.land_rows("small.csv", "x,ann,one,2026-03-04", "1,ann,1.00,2026-03-04")

    found = check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"]

    assert (found.passed, found.severity) == (False, WARN)
    assert "in 1 of 3 files" in (found.description or "")
    assert "landing/bad.csv: 3 of 41 (customer_id_missing 2, amount_not_decimal 1)" in (found.description or "")

    monkeypatch.setenv("ORDERS_MAX_REJECT_SHARE", "8%")
    again = evaluate(pipeline, "rejected_orders", "few_rows_are_rejected")
    assert again.passed
    assert "None of the 3 files" in (again.description or "")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([f'{n},ann,"{n},50",2026-03-04' for n in range(10)], "10 of 10 (amount_not_decimal 10)"),
        (["1,ann,1.00,04.03.2026"], "1 of 1 (order_date_unreadable 1)"),
        (["1,,1.00,2026-03-04", "2,ann,1.00,2026-03-04", "3,,,2026-03-04"], "2 of 3 (customer_id_missing 2)"),
        (
            [*(f"{n},ann,1.00,2026-03-04" for n in range(2)), "2,a,x,2026-03-04", "3,a,,2026-03-04", "4,a,1.00,?"],
            "3 of 5 (amount_missing 1, amount_not_decimal 1, order_date_unreadable 1)",
        ),
        ([",ann,1.00,2026-03-04"] * 19, "19 of 19 (order_id_missing 19)"),
    ],
)
def test_a_file_hardly_any_of_whose_rows_count_is_named_at_any_size(
    pipeline: Pipeline, rows: list[str], told: str
) -> None:
    pipeline.land_rows("small.csv", *rows)

    found = pipeline.sync().failed_checks["few_rows_are_rejected"]

    assert found.startswith("WARN: Too many rows are rejected in 1 of 1 files: landing/small.csv: ")
    assert told in found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("one of five", [*(f"{n},ann,1.00,2026-03-04" for n in range(4)), "x,ann,one,2026-03-04"]),
        ("half of them", ["1,ann,1.00,2026-03-04", "x,ann,one,2026-03-04"]),
        ("a header alone", []),
        ("blank lines", ["", "1,ann,1.00,2026-03-04", "", ""]),
    ],
)
def test_a_small_file_may_have_some_rejects(pipeline: Pipeline, name: str, content: list[str]) -> None:
    pipeline.land_rows("small.csv", *content)

    assert check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"].passed, name


def test_days_of_the_source_table_are_named_like_files(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id int, customer_id text, amount text, order_date date)")
    pipeline.execute("INSERT INTO orders VALUES (1, 'ann', '1,50', '2026-03-04'), (2, 'ann', '2.50', '2026-03-05')")

    found = pipeline.sync().failed_checks["few_rows_are_rejected"]

    assert "in 1 of 2 files: table:orders/2026-03-04: 1 of 1 (amount_not_decimal 1)" in found


def test_the_share_that_is_set_holds_for_small_files_too_where_it_is_the_larger(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_MAX_REJECT_SHARE", "80%")
    pipeline.land_rows("allowed.csv", "1,ann,1.00,2026-03-04", "2,ann,,2026-03-04", "3,ann,,2026-03-04")
    assert check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"].passed

    monkeypatch.setenv("ORDERS_MAX_REJECT_SHARE", "100%")
    pipeline.land_rows("nothing.csv", *("1,ann,,2026-03-04",) * 30)
    found = check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"]
    assert "in 1 of 2 files: landing/nothing.csv: 30 of 30" in (found.description or "")


def test_the_worst_files_are_named_first_and_the_larger_loss_before_the_smaller(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,,2026-03-04", "2,ann,,2026-03-04", "3,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "4,ann,,2026-03-04")
    pipeline.land_rows("c.csv", "5,ann,,2026-03-04", "6,ann,,2026-03-04")

    found = check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"].description or ""

    assert found.index("landing/c.csv") < found.index("landing/b.csv") < found.index("landing/a.csv")
