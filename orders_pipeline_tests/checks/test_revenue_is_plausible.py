"""The check revenue_is_plausible: a day far from its weekday's usual revenue is named."""

from datetime import date, timedelta

import dagster as dg
import pytest

from orders_pipeline.settings import Settings
from orders_pipeline_tests.support.checks import WARN, evaluate
from orders_pipeline_tests.support.driver import Pipeline, check_results

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
    assert found.metadata["Days compared"].value == "30"  # of 10 weeks those that have 5 before, six days each


def test_a_day_far_above_its_weekday_warns_with_the_day_and_how_far(shop: Pipeline) -> None:
    plausible(shop)
    found = plausible(shop, "x,bob,900.00,2026-06-01")

    assert (found.passed, found.severity) == (False, WARN)
    assert (
        "on 1 of 12 days: 2026-06-01 (Monday) 1,000.00, 10.0 times the usual 100.00 (plausible: 50.00 to 200.00)."
    ) in (found.description or "")
    (record,) = found.metadata["Days with unusual revenue"].records  # type: ignore[union-attr]
    assert (record.data["day"], record.data["weeks compared"]) == ("2026-06-01", 8)


def test_an_old_day_is_compared_by_the_run_that_builds_it_and_by_others_only_if_it_was_odd(shop: Pipeline) -> None:
    plausible(shop)

    assert "2026-05-18 (Monday)" in (plausible(shop, "x,bob,900.00,2026-05-18").description or "")
    shop.execute("UPDATE analytics.daily_revenue SET revenue = 1 WHERE order_date = '2026-05-11'")
    shop.land_rows("other.csv", "y,bob,1.00,2026-06-01")
    found = plausible(shop).description or ""
    assert "2026-05-18 (Monday)" in found
    assert "2026-05-11" not in found


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
    assert "Nothing to compare yet. 14 days not compared: their weekday had revenue in fewer than 5 of the 8 weeks" in (
        found.description or ""
    )
