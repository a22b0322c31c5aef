"""A build records which rows other versions replaced, on the days that it built and on no others."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from orders_pipeline import transforms
from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import builds, staleness
from orders_pipeline_tests.support.driver import Pipeline, shown_of

A, B = "landing/a.csv", "landing/b.csv"


@pytest.fixture
def march(pipeline: Pipeline) -> Pipeline:
    """Of three days, the first has a row that an order of the second replaced."""
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-05", "3,ann,3.00,2026-03-06")
    pipeline.land_rows("b.csv", "1,bob,9.00,2026-03-05", "4,bob,4.00,2026-03-05")
    pipeline.sync()
    return pipeline


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The ids of the candidates of each days that are read again."""
    examined: list[set[str]] = []

    def examine(rows: pl.LazyFrame) -> Any:
        examined.append(set(rows.collect()["order_id"]))
        return compute(rows)

    compute = transforms.superseded
    monkeypatch.setattr(transforms, "superseded", examine)
    return examined


def test_a_row_that_lost_is_recorded_on_its_own_day(march: Pipeline) -> None:
    assert march.superseded() == {("2026-03-04", B, A): (1, "1.00", 1)}
    assert march.status().totals["superseded_or_out_of_range"] == 1
    assert str(march.status().totals["superseded_amount"]) == "1.00"


def test_a_winner_may_be_out_of_range_and_a_loser_that_is_is_not_recorded(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2025-12-31")
    pipeline.land_rows("b.csv", "1,ann,9.00,2025-12-31", "2,ann,2.00,2026-03-04")
    pipeline.sync()

    assert pipeline.superseded() == {("2026-03-04", B, A): (1, "1.00", 0)}


def test_what_was_recorded_of_a_day_goes_when_the_day_is_built_without_it(march: Pipeline) -> None:
    march.land_rows("c.csv", "3,ann,3.50,2026-03-06")
    march.sync()
    assert march.superseded() == {
        ("2026-03-04", B, A): (1, "1.00", 1),
        ("2026-03-06", "landing/c.csv", A): (1, "3.00", 0),
    }
    march.land_rows("b.csv", "4,bob,4.00,2026-03-05")
    march.sync()

    assert march.superseded() == {("2026-03-06", "landing/c.csv", A): (1, "3.00", 0)}


def test_only_days_with_more_rows_than_orders_are_read_again(pipeline: Pipeline, examined: list[set[str]]) -> None:
    pipeline.land_rows("a.csv", *(f"{n},ann,1.00,2026-03-0{n}" for n in range(1, 10)))
    pipeline.sync()
    assert examined == []

    pipeline.land_rows("b.csv", "4,bob,2.00,2026-03-04", "11,bob,2.00,2026-03-05")
    pipeline.sync()
    assert examined == [{"4"}]


def test_rows_and_record_of_a_day_appear_together_or_not_at_all(march: Pipeline) -> None:
    before, built = march.superseded(), march.built("cleaned_orders")
    march.land_rows("c.csv", "3,ann,3.50,2026-03-06")

    for table in ("ledger.built_days", "ledger.superseded"):
        with march.failing_commits(table):
            assert not march.run("s3_arrival").success
        assert (march.superseded(), march.built("cleaned_orders")) == (before, built)


def test_a_day_that_is_refused_records_nothing(march: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something newer is there, of which this build knows nothing."""
    march.land_rows("c.csv", "3,ann,3.50,2026-03-06", "2,ann,2.50,2026-03-05")
    commit = builds.commit_build

    def overtaken(connection: Any, build: Any, *rest: Any) -> list[date]:
        if build.asset == "cleaned_orders":
            with postgres.ledger().begin() as other:
                staleness.bump_versions(other, [date(2026, 3, 6)])
                other.exec_driver_sql(
                    "UPDATE ledger.built_days built SET input = days.version"
                    " FROM ledger.order_days days WHERE days.day = built.day AND days.day = '2026-03-06'"
                )
        return commit(connection, build, *rest)

    monkeypatch.setattr(builds, "commit_build", overtaken)
    shown = shown_of(march.run("s3_arrival"))["cleaned_orders", None]

    assert march.superseded() == {
        ("2026-03-04", B, A): (1, "1.00", 1),
        ("2026-03-05", "landing/c.csv", A): (1, "2.00", 0),
    }
    assert shown["Superseded rows"].value == "1, worth 2.00"


def test_a_materialization_shows_what_replaced_what_with_the_largest_amounts_first(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_pipeline.ui.metadata._LISTED_WINNERS", 2)
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2000.00,2026-03-05", "3,ann,3.00,2026-03-05")
    pipeline.land_rows("b.csv", "1,bob,9.00,2026-03-04", "2,ann,4.00,2026-03-05")
    pipeline.land_rows("c.csv", "3,ann,-5.00,2026-03-06", "3,ann,6.00,2026-03-06", "4,ann,1.00,2026-03-06")
    pipeline.land_rows("d.csv", "4,ann,1.00,2026-03-06")
    run = pipeline.run("s3_arrival")
    shown = shown_of(run)["cleaned_orders", None]

    assert shown["Superseded rows"].value == "5, worth 2,000.00"
    assert [record.data for record in shown["Superseded by"].records] == [
        {"winner": B, "loser": A, "rows": 2, "amount": "2,001.00", "repeated": 0, "other customer": 1},
        {
            "winner": "landing/c.csv",
            "loser": "landing/c.csv",
            "rows": 1,
            "amount": "-5.00",
            "repeated": 1,
            "other customer": 0,
        },
    ]
