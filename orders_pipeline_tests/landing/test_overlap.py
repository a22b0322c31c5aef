"""Files that hold the same order: one of them wins, and the days of the others are rebuilt."""

import pytest

from orders_pipeline_tests.support.driver import HEADER, Pipeline

DAY = "2026-03-04"


def test_the_same_bytes_under_another_key_count_once(pipeline: Pipeline) -> None:
    for key in ("a.csv", "b.csv"):
        pipeline.land_rows(key, "1,ann,1.00,2026-03-04")
        pipeline.sync()

    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_an_order_that_moves_to_another_day_leaves_the_old_one(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,2.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("c.csv", "9,bob,2.00,2026-03-10")
    pipeline.sync()
    tables = ("cleaned_orders", "daily_revenue", "daily_orders", "daily_revenue_partitioned")
    untouched = {table: pipeline.built(table)["2026-03-10"] for table in tables}
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-06,2027-01-01", header=f"{HEADER},updated_at")

    synced = pipeline.sync()

    assert pipeline.revenue() == {DAY: ("2.00", 1), "2026-03-06": ("1.00", 1), "2026-03-10": ("2.00", 1)}
    assert [str(day) for day in synced.rebuilt["cleaned_orders"]] == [DAY, "2026-03-06"]
    assert {table: pipeline.built(table)["2026-03-10"] for table in tables} == untouched


@pytest.mark.parametrize("shared", ["7", "9", "10", "55", "a"])
def test_files_that_share_an_order_know_of_each_other_by_its_id(pipeline: Pipeline, shared: str) -> None:
    """Whichever end of the ids of a file it lies at, bytewise or by length."""
    rows = [f"{id_},ann,1.00,2026-03-04" for id_ in ("9", "10", "55", "7", "a")]
    pipeline.land_rows("a.csv", *rows)
    pipeline.sync()
    pipeline.land_rows("b.csv", f"{shared},ann,2.00,2026-03-05")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("4.00", 4), "2026-03-05": ("2.00", 1)}


def test_which_files_share_an_order_is_known_exactly_whatever_other_columns_they_have(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-04,web", "3,ann,1.00,2026-03-04,web", header=f"{HEADER},channel")
    pipeline.land_rows(
        "c.csv", "0,bob,1.00,2026-03-04,2027-01-01", "4,bob,1.00,2026-03-04,", header=f"{HEADER},updated_at"
    )
    pipeline.sync()

    shared = pipeline.query(
        "SELECT one.key, other.key FROM ledger.shared_orders pair JOIN ledger.landed_files one ON one.path = pair.path"
        " JOIN ledger.landed_files other ON other.path = pair.other WHERE one.key < other.key"
    )
    assert [tuple(pair) for pair in shared] == [("landing/a.csv", "landing/b.csv")]


def test_an_order_falls_back_to_its_earlier_row_when_its_correction_is_taken_back(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,7.00,2026-03-06,2027-01-01", header=f"{HEADER},updated_at")
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-06": ("7.00", 1)}
    pipeline.land_rows("b.csv", header=f"{HEADER},updated_at")
    pipeline.sync()

    assert pipeline.revenue() == {DAY: ("1.00", 1)}
