"""Every figure that a day of `daily_revenue` has shown is on record, with why its day was built."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from orders_pipeline import run_tags
from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import builds
from orders_pipeline.ledger.published import Figure, last_figures
from orders_pipeline_tests.support.driver import Pipeline, shown_of

NEW, CHANGED = "never built, or object missing", "new or changed orders"


@pytest.fixture
def march(pipeline: Pipeline) -> Pipeline:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-05", "3,ann,3.00,2026-03-05")
    pipeline.sync()
    return pipeline


def history(pipeline: Pipeline) -> list[tuple[str, str, int, str]]:
    rows = pipeline.query("SELECT day, revenue, orders, cause FROM ledger.published ORDER BY id")
    return [(str(day), str(revenue), orders, cause) for day, revenue, orders, cause in rows]


def test_a_figure_is_recorded_when_it_appears_with_its_run_and_its_time(march: Pipeline) -> None:
    assert history(march) == [("2026-03-04", "1.00", 1, NEW), ("2026-03-05", "5.00", 2, NEW)]
    agreeing = march.query(
        "SELECT day FROM ledger.published JOIN ledger.built_days built USING (day, run_id)"
        " WHERE asset = 'daily_revenue' AND abs(extract(epoch FROM published.built_at - built.built_at)) < 60"
    )
    assert len(agreeing) == 2


def test_a_changed_day_gets_a_row_and_a_day_that_is_rebuilt_unchanged_gets_none(march: Pipeline) -> None:
    march.land_rows("b.csv", "4,bob,0.50,2026-03-04")
    march.sync()
    assert march.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"}).success

    assert history(march)[2:] == [("2026-03-04", "1.50", 2, CHANGED)]


def test_a_figure_that_returns_is_published_again_as_each_figure_is_compared_one_after_the_other(
    march: Pipeline,
) -> None:
    for amount in ("1.50", "1.50", "1.00"):
        march.land_rows("a.csv", f"1,ann,{amount},2026-03-04", "2,ann,2.00,2026-03-05", "3,ann,3.00,2026-03-05")
        march.run("s3_arrival")

    assert history(march)[2:] == [("2026-03-04", "1.50", 1, CHANGED), ("2026-03-04", "1.00", 1, CHANGED)]


@pytest.mark.parametrize(
    ("rows", "after"),
    [
        (["2,ann,5.00,2026-03-05"], ("5.00", 1)),  # as much revenue, by fewer orders
        (["2,ann,2.00,2026-03-05", "3,ann,2.50,2026-03-05"], ("4.50", 2)),  # as many orders, with less revenue
        ([], ("0.00", 0)),
    ],
)
def test_a_difference_in_revenue_or_in_orders_is_a_change(
    march: Pipeline, rows: list[str], after: tuple[str, int]
) -> None:
    march.land_rows("a.csv", "1,ann,1.00,2026-03-04", *rows)
    march.sync()

    assert history(march)[2:] == [("2026-03-05", *after, CHANGED)]


def test_a_day_that_vanishes_is_published_once_and_one_that_never_had_orders_is_not(march: Pipeline) -> None:
    march.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    march.sync()
    march.execute("INSERT INTO ledger.order_days VALUES ('2026-03-09', 1)")
    march.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"})

    assert march.built("daily_revenue").keys() == {"2026-03-04", "2026-03-05", "2026-03-09"}
    assert history(march)[2:] == [("2026-03-05", "0.00", 0, CHANGED)]
    with march.connect() as connection:
        found = last_figures(connection, [date(2026, 3, day) for day in (4, 5, 9)])
    assert found == {date(2026, 3, 4): Figure(Decimal("1.00"), 1), date(2026, 3, 5): Figure(Decimal("0.00"), 0)}


def test_figure_and_record_appear_together_or_not_at_all(march: Pipeline) -> None:
    before = history(march)
    march.land_rows("b.csv", "4,bob,0.50,2026-03-04")

    for table in ("analytics.daily_revenue", "ledger.published"):
        with march.failing_commits(table):
            assert not march.run("s3_arrival").success
        assert history(march) == before
        assert march.revenue() == {"2026-03-04": ("1.00", 1), "2026-03-05": ("5.00", 2)}
    march.sync()
    assert march.revenue()["2026-03-04"] == ("1.50", 2)
    assert len(history(march)) == 3


def test_a_day_that_is_refused_publishes_nothing(march: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    march.land_rows("b.csv", "4,bob,0.50,2026-03-04", "5,bob,0.50,2026-03-05")
    commit = builds.commit_build

    def overtaken(connection: Any, build: Any, *rest: Any) -> list[date]:
        if build.asset == "daily_revenue":
            with postgres.ledger().begin() as other:
                builds.mark_missing(other, "cleaned_orders", [build.inputs[date(2026, 3, 4)]])
        return commit(connection, build, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(builds, "commit_build", overtaken)
        march.run("s3_arrival")

    assert history(march)[2:] == [("2026-03-05", "5.50", 3, CHANGED)]
    assert march.revenue()["2026-03-04"] == ("1.00", 1)


def test_a_day_that_another_run_cleaned_gives_the_plain_reason(march: Pipeline) -> None:
    march.land_rows("b.csv", "4,bob,0.50,2026-03-04")
    march.run("s3_arrival", assets=["raw_orders", "cleaned_orders"])
    march.land_rows("c.csv", "5,bob,0.50,2026-03-05")
    march.run("s3_arrival")

    assert history(march)[2:] == [
        ("2026-03-04", "1.50", 2, "upstream day rebuilt"),
        ("2026-03-05", "5.50", 3, CHANGED),
    ]


def test_a_materialization_shows_the_changed_figures(march: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_pipeline.ui.metadata._LISTED_CHANGES", 2)
    march.land_rows("a.csv", "1,ann,1001.50,2026-03-04", "6,bob,1.00,2026-03-06", "7,bob,1.00,2026-03-07")

    shown = shown_of(march.run("s3_arrival"))["daily_revenue", None]
    unchanged = shown_of(march.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"}))["daily_revenue", None]

    assert [record.data for record in shown["Changed figures"].records] == [
        {"day": "2026-03-04", "before": "1.00 (1 orders)", "after": "1,001.50 (1 orders)", "cause": CHANGED},
        {"day": "2026-03-05", "before": "5.00 (2 orders)", "after": "0.00 (0 orders)", "cause": CHANGED},
    ]
    assert "Changed figures" not in unchanged
