"""`orders_pipeline.read`: frames for notebooks and scripts, true to the ledger and exact."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import orders_pipeline
from orders_pipeline import read
from orders_pipeline.definitions import defs, s3
from orders_pipeline.errors import MissingInputError, ReadError
from orders_pipeline.io_managers import marts
from orders_pipeline.ledger import builds
from orders_pipeline.schema import TABLES
from orders_pipeline_tests.support.driver import Pipeline

BY_DAY = ("cleaned_orders", "daily_revenue", "daily_orders", "daily_revenue_partitioned")
IN_THE_LAKE = ("raw_orders", "cleaned_orders", "daily_orders")
MANY_DIGITS = "9007199254740993.07"  # no float can hold it
ODD_TEXTS = ("", "x,y", 'say "no"', "two\nlines", "cr\r\nlf", "\\.", "\\N", " ")


@pytest.fixture
def shop(pipeline: Pipeline) -> Pipeline:
    """Three days from two files and the source table; the second file corrects order 02."""
    pipeline.land_rows("a.csv", "01,007,1.10,2026-03-04T09:00", "02,bob,2.00,2026-03-04T10:00", "03,,1.00,2026-03-05")
    pipeline.land_rows("b.csv", "02,bob,2.20,2026-03-04T10:00", f"04,007,{MANY_DIGITS},2026-03-05")
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date timestamp)")
    pipeline.execute("INSERT INTO orders VALUES ('05', '007', -0.10, '2026-03-06'), ('06', NULL, 1, '2026-03-06')")
    assert pipeline.sync().is_complete
    return pipeline


def rows(table: str, *columns: str, **days_: str) -> list[tuple[Any, ...]]:
    return list(read(table, **days_)[list(columns)].itertuples(index=False, name=None))  # type: ignore[call-overload]


def test_importing_the_package_gives_read_and_imports_nothing_that_takes_time() -> None:
    code = "import sys, json, orders_pipeline; print(json.dumps([name.split('.')[0] for name in sys.modules]))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)

    assert {"dagster", "pandas", "polars", "pyarrow", "narwhals", "sqlalchemy", "boto3", "pydantic"} & set(
        loaded
    ) == set()
    assert orders_pipeline.__all__ == ["read"]
    assert (files(orders_pipeline) / "py.typed").is_file()


def test_every_table_is_read_exactly(shop: Pipeline) -> None:
    ann, bob = (
        ("01", "007", Decimal("1.10"), datetime(2026, 3, 4, 9)),
        ("02", "bob", Decimal("2.20"), datetime(2026, 3, 4, 10)),
    )
    big = ("04", "007", Decimal(MANY_DIGITS), datetime(2026, 3, 5))
    back = ("05", "007", Decimal("-0.10"), datetime(2026, 3, 6))
    origins = [("landing/a.csv", 2), ("landing/b.csv", 2), ("landing/b.csv", 3), ("table:orders/2026-03-06", 2)]
    for table in ("cleaned_orders", "daily_orders"):
        found = read(table).sort_values("order_id")
        assert list(found[["order_id", "customer_id", "amount", "order_date"]].itertuples(index=False, name=None)) == [
            ann, bob, big, back,
        ]  # fmt: skip
        assert list(zip(found["_source"], found["_row_number"], strict=True)) == origins
    assert rows("daily_revenue", "order_date", "revenue", "order_count") == [
        (date(2026, 3, 4), Decimal("3.30"), 2),
        (date(2026, 3, 5), Decimal(MANY_DIGITS), 1),
        (date(2026, 3, 6), Decimal("-0.10"), 1),
    ]
    assert rows("daily_revenue_partitioned", "order_date", "customer_id", "daily_spend") == [
        (date(2026, 3, 4), "007", Decimal("1.10")),
        (date(2026, 3, 4), "bob", Decimal("2.20")),
        (date(2026, 3, 5), "007", Decimal(MANY_DIGITS)),
        (date(2026, 3, 6), "007", Decimal("-0.10")),
    ]
    assert rows("rejected_orders", "source", "row_number", "reason", "raw", "bucket") == [
        ("landing/a.csv", 4, "customer_id_missing", "03,,1.00,2026-03-05", s3.bucket),
        ("table:orders/2026-03-06", 3, "customer_id_missing", "06,,1,2026-03-06 00:00:00", ""),
    ]
    raw = read("raw_orders").sort_values(["order_id", "_source"]).set_index("order_id")
    assert list(raw["amount"]) == ["1.10", "2.00", "2.20", "1.00", MANY_DIGITS, "-0.10", "1"]
    assert list(raw["_day"])[:3] == [date(2026, 3, 4)] * 3
    assert raw["_day"].isna().tolist() == [False, False, False, True, False, False, True]
    assert raw["_landed_at"].iloc[-1] == datetime(1, 1, 1, tzinfo=UTC)


def test_a_table_without_rows_has_the_columns_and_types_of_one_with_rows(pipeline: Pipeline) -> None:
    empty = {table: (read(table), read(table, lazy=True).collect()) for table in TABLES}
    pipeline.land_rows("a.csv", "01,007,1.10,2026-03-04", "02,,1.00,2026-03-05")
    assert pipeline.sync().is_complete

    for table, (in_pandas, in_polars) in empty.items():
        filled = read(table)
        assert len(in_pandas) == in_polars.height == 0
        assert len(filled) > 0
        assert list(in_pandas.columns) == [column.name for column in TABLES[table]], table
        assert in_pandas.dtypes.to_dict() == filled.dtypes.to_dict(), table
        assert in_polars.schema == read(table, lazy=True).collect().schema, table


def test_money_can_be_reckoned_with_in_pandas_and_stays_exact(shop: Pipeline) -> None:
    revenue = read("daily_revenue")

    assert revenue["revenue"].sum() == Decimal("9007199254740996.27")
    assert list(revenue["revenue"] + 1)[1] == Decimal("9007199254740994.07")
    assert (revenue["revenue"] / revenue["order_count"]).iloc[0] == Decimal("1.65")
    assert revenue.groupby(revenue["order_date"].dt.month)["revenue"].sum()[3] == Decimal("9007199254740996.27")
    assert revenue[revenue["order_date"] == date(2026, 3, 6)]["revenue"].tolist() == [Decimal("-0.10")]


def test_odd_texts_come_out_of_postgres_as_they_went_in(pipeline: Pipeline) -> None:
    read("rejected_orders")  # the table is made
    for number, text in enumerate(ODD_TEXTS):
        pipeline.execute(
            "INSERT INTO analytics.rejected_orders (source, row_number, reason, raw, bucket)"
            " VALUES ('s', :number, '%', :text, '')",
            number=number,
            text=text,
        )

    assert rows("rejected_orders", "raw", "reason") == [(text, "%") for text in ODD_TEXTS]


def test_a_range_of_days_holds_its_first_and_its_last_day_and_no_other(shop: Pipeline) -> None:
    every = ["2026-03-04", "2026-03-05", "2026-03-06"]
    for table in BY_DAY:

        def found(table: str = table, **asked: Any) -> list[str]:
            frame = read(table, lazy=True, **asked).select(pl.col("order_date").cast(pl.Date)).collect()
            return [str(day) for day in frame["order_date"].unique(maintain_order=True)]

        assert found() == every, table  # and in this order
        assert found(first_day="2026-03-05") == every[1:], table
        assert found(last_day=date(2026, 3, 5)) == every[:2], table
        assert found(first_day=date(2026, 3, 5), last_day="2026-03-05") == [every[1]], table
        assert found(first_day="2026-04-01") == [], table


def test_raw_orders_of_a_day_are_its_clean_rows(shop: Pipeline) -> None:
    assert sorted(rows("raw_orders", "order_id", "_source", first_day="2026-03-05", last_day="2026-03-06")) == [
        ("04", "landing/b.csv"),
        ("05", "table:orders/2026-03-06"),
    ]


def test_only_the_objects_of_the_days_are_read_and_a_lost_one_is_rebuilt(shop: Pipeline) -> None:
    lake = s3.lake()
    (lost,) = [name for name in lake.objects() if name.startswith("cleaned_orders/2026-03-05")]
    lake.delete(lost)

    assert len(read("cleaned_orders", last_day="2026-03-04")) == 2
    with pytest.raises(MissingInputError, match=r"cleaned_orders .*2026-03-05.*the next run rebuilds them"):
        read("cleaned_orders", lazy=True)
    assert [str(day) for day in shop.stale("cleaned_orders")] == ["2026-03-05"]
    assert shop.sync().is_complete
    assert len(read("cleaned_orders")) == 4


def test_only_the_files_with_rows_of_the_days_are_read_and_a_lost_one_is_named(shop: Pipeline) -> None:
    (lost,) = shop.query("SELECT path FROM ledger.landed_files WHERE key = 'landing/a.csv'")[0]
    s3.lake().delete(lost)

    assert len(read("raw_orders", first_day="2026-03-05")) == 2
    with pytest.raises(MissingInputError, match=r"landing/a\.csv.*orders-pipeline sync"):
        read("raw_orders", first_day="2026-03-04")


@pytest.mark.parametrize(
    ("table", "asked", "told"),
    [
        ("revenue", {}, "no table 'revenue'. The tables are raw_orders, cleaned_orders, .*daily_revenue_partitioned"),
        ("daily_revenue", {"first_day": "2026-03-05", "last_day": "2026-03-04"}, r"\(2026-03-05\) is after .*Swap"),
        ("daily_revenue", {"first_day": "March"}, "first_day is 'March': pass a day like"),
        ("daily_revenue", {"last_day": datetime(2026, 3, 4, 12)}, "last_day is datetime.*: pass a day like"),
        ("rejected_orders", {"last_day": "2026-03-04"}, "has no days: .*Leave out first_day and last_day"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_a_sentence_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, table: str, asked: dict[str, Any], told: str
) -> None:
    monkeypatch.setenv("ORDERS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(ReadError, match=told):
        read(table, **asked)


def test_a_frame_keeps_the_rows_of_the_moment_it_was_opened(shop: Pipeline) -> None:
    opened = {table: (read(table, lazy=True), read(table, lazy=True).collect()) for table in TABLES}
    shop.land_rows("a.csv", "01,007,5.00,2026-03-04", "07,eve,,2026-03-04")
    assert shop.sync().is_complete

    for table, (frame, before) in opened.items():
        assert_frame_equal(frame.collect(), before, check_row_order=False)
        assert not read(table, lazy=True).collect().sort(before.columns).equals(before.sort(before.columns)), table


def test_a_reader_in_the_middle_of_a_commit_sees_the_rows_before_it(
    shop: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {table: read(table) for table in BY_DAY}
    seen: list[tuple[str, pd.DataFrame]] = []
    mark, copy_frame = builds.commit_build, marts.copy_frame

    def marked(connection: Any, build: Any, *rest: Any) -> list[date]:
        accepted = mark(connection, build, *rest)
        if accepted:
            seen.append((build.asset, read(build.asset)))
        return accepted

    def copied(connection: Any, schema: str | None, table: str, frame: pl.DataFrame) -> int:
        count = copy_frame(connection, schema, table, frame)
        if table in BY_DAY:
            seen.append((table, read(table)))
        return count

    shop.land_rows("a.csv", "01,007,5.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(builds, "commit_build", marked)
        patched.setattr(marts, "copy_frame", copied)
        assert shop.sync().is_complete

    assert {table for table, _ in seen} == set(BY_DAY)
    for table, frame in seen:
        pd.testing.assert_frame_equal(frame, before[table])
    assert not any(read(table).equals(before[table]) for table in BY_DAY)


def test_an_asset_of_your_own_is_given_the_same_rows(shop: Pipeline) -> None:
    given: dict[str, pl.DataFrame] = {}

    @dg.asset
    def of_my_own(cleaned_orders: Any, raw_orders: Any, daily_revenue: Any, rejected_orders: Any) -> None:
        given.update(
            cleaned_orders=cleaned_orders.collect(), raw_orders=raw_orders.collect(),
            daily_revenue=daily_revenue.collect(), rejected_orders=rejected_orders.collect(),
        )  # fmt: skip

    merged = dg.Definitions.merge(defs, dg.Definitions(assets=[of_my_own]))
    job = merged.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(asset_selection=[of_my_own.key], instance=shop.instance).success

    assert set(given) == {"cleaned_orders", "raw_orders", "daily_revenue", "rejected_orders"}
    for table, frame in given.items():
        assert frame.height > 0
        assert_frame_equal(frame, read(table, lazy=True).collect(), check_row_order=False)


def test_a_lake_on_s3_is_read_as_a_folder_is(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_LAKE_URI", f"s3://{s3.bucket}/lake")
    pipeline.land_rows("a.csv", "01,007,1.10,2026-03-04", "02,bob,1.00,2026-03-05")
    assert pipeline.sync().is_complete

    assert rows("cleaned_orders", "order_id", "amount", first_day="2026-03-05") == [("02", Decimal("1.00"))]
