"""Runs build the days that are stale, commit them whole, and show what they did."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest

from orders_pipeline import run_tags
from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import builds, staleness
from orders_pipeline.ledger.models import MARTS
from orders_pipeline.schema import KEYS
from orders_pipeline.tables import revenue
from orders_pipeline.tables.revenue import DayRevenue
from orders_pipeline.ui.charts import CHARTED_DAYS, change_table, chart
from orders_pipeline.ui.metadata import PREVIEWED
from orders_pipeline_tests.support.driver import Pipeline, shown_of

ASSETS = ("cleaned_orders", "daily_orders", "daily_revenue", "daily_revenue_partitioned")


def everything(pipeline: Pipeline) -> dict[str, dict[str, tuple[str, str]]]:
    return {asset: pipeline.built(asset) for asset in ASSETS}


@pytest.fixture
def march(pipeline: Pipeline) -> Pipeline:
    pipeline.land_rows("a.csv", *(f"{n},ann,1.00,2026-03-{n:02}" for n in range(1, 11)))
    pipeline.sync()
    return pipeline


def test_an_arrival_rebuilds_the_days_it_touches_and_no_others(march: Pipeline) -> None:
    before = everything(march)
    march.land_rows("b.csv", "90,bob,2.00,2026-03-04", "91,bob,2.00,2026-03-20")
    march.sync()
    after = everything(march)

    for asset in ASSETS:
        changed = {day for day in after[asset] if after[asset][day] != before[asset].get(day)}
        assert changed == {"2026-03-04", "2026-03-20"}, asset


def test_rerunning_a_partition_that_is_current_changes_nothing(march: Pipeline) -> None:
    before = everything(march)

    assert march.run("stale_days", partition="2026-03-04").success
    assert everything(march) == before


def test_a_full_refresh_rebuilds_what_is_asked_for_with_the_same_rows(march: Pipeline) -> None:
    before, spend = everything(march), march.spend()
    tags = {**run_tags.of_range(date(2026, 3, 2), date(2026, 3, 3)), run_tags.FULL_REFRESH: "true"}

    assert march.run("stale_days", tags=tags).success
    after = everything(march)
    assert {day for day in after["daily_orders"] if after["daily_orders"][day] != before["daily_orders"][day]} == {
        "2026-03-02",
        "2026-03-03",
    }
    assert march.spend() == spend

    assert march.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"}).success
    refreshed = march.built("cleaned_orders")
    assert all(refreshed[day] != before["cleaned_orders"][day] for day in refreshed)


def test_a_mart_whose_upstream_was_never_built_says_what_to_do(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.run("s3_arrival")

    result = pipeline.run("stale_days", partition="2026-03-04", assets=["daily_revenue_partitioned"])

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "daily_orders was never built for 2026-03-04: materialize it" in str(failure.step_failure_data.error)


def test_a_run_over_a_range_that_fails_keeps_the_days_it_finished(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", *(f"{n},ann,1.00,2026-03-{n:02}" for n in range(1, 6)))
    pipeline.run("s3_arrival")
    mark, marked = builds.commit_build, []

    def fail_on_the_third(*arguments: Any) -> list[date]:
        marked.append(arguments)
        if len(marked) == 3:
            raise RuntimeError("the machine stopped")
        return mark(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(builds, "commit_build", fail_on_the_third)
        assert not pipeline.run("stale_days", tags=run_tags.of_range(date(2026, 3, 1), date(2026, 3, 5))).success

    assert sorted(pipeline.built("daily_orders")) == ["2026-03-01", "2026-03-02"]
    assert pipeline.sync().is_complete
    assert len(pipeline.spend()) == 5


def test_rows_and_mark_of_a_mart_appear_together_or_not_at_all(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04")

    def fail(*_: object) -> None:
        raise RuntimeError("the connection broke")

    with monkeypatch.context() as patched:
        patched.setattr("orders_pipeline.io_managers.marts.copy_frame", fail)
        assert not pipeline.run("s3_arrival").success

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert [str(day) for day in pipeline.stale("daily_revenue")] == ["2026-03-04"]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("2.00", 2)}


def test_a_day_touched_while_it_is_built_is_stale_again_afterwards(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    mark, meddled = builds.commit_build, []

    def meddle(connection: Any, build: Any, *rest: Any) -> list[date]:
        if build.asset == "cleaned_orders" and not meddled:
            meddled.append(build)
            with postgres.ledger().begin() as other:
                staleness.bump_versions(other, [date(2026, 3, 4)])
        return mark(connection, build, *rest)

    monkeypatch.setattr(builds, "commit_build", meddle)
    pipeline.run("s3_arrival")

    assert [str(day) for day in pipeline.stale("cleaned_orders")] == ["2026-03-04"]


def test_each_partition_of_a_range_shows_its_own_rows(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,1.00,2026-03-05", "3,bob,1.00,2026-03-05")
    pipeline.run("s3_arrival")
    result = pipeline.run("stale_days", tags=run_tags.of_range(date(2026, 3, 4), date(2026, 3, 5)))

    shown = {
        (event.asset_key.to_user_string(), event.partition): event.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
        for event in [event]
    }
    assert shown["daily_orders", "2026-03-05"]["dagster/partition_row_count"].value == 2
    assert shown["daily_orders", "2026-03-04"]["dagster/partition_row_count"].value == 1
    assert shown["daily_revenue_partitioned", "2026-03-05"]["dagster/partition_row_count"].value == 1


def test_a_materialization_shows_what_a_person_wants_to_know(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    result = pipeline.run("s3_arrival")
    shown: dict[str, Any] = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }

    assert shown["raw_orders"]["Files loaded"].value == 1
    assert shown["raw_orders"]["dagster/row_count"].value == 2
    assert shown["rejected_orders"]["dagster/row_count"].value == 1
    assert shown["raw_orders"]["Files"].records[0].data == {
        "file": "landing/a.csv",
        "rows": 2,
        "rejected": 1,
        "landed": shown["raw_orders"]["Files"].records[0].data["landed"],
        "source": "landing/",
        "bytes": 80,
    }
    assert "no source table" in shown["raw_orders"]["Remarks"].value
    assert shown["cleaned_orders"]["dagster/row_count"].value == 1
    assert shown["cleaned_orders"]["Days rebuilt"].value == "1 day: never built, or object missing (2026-03-04)"
    assert "(<data:image/svg+xml," in shown["daily_revenue"]["Revenue of the last 90 days with orders"].value
    assert shown["daily_revenue"]["Newest day with orders"].value == "Wed 2026-03-04: 1.00 in 1 order"
    assert list(shown["daily_revenue"])[:3] == [
        "Revenue of the last 90 days with orders",
        "Newest day with orders",
        "Last 14 days with orders",
    ]


def test_plots_are_of_revenue_orders_and_rejects_and_nothing_internal_is_shown(pipeline: Pipeline) -> None:
    """Dagster plots each number."""
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04", "2,bob,1.00,2026-03-04", "3,,1.00,2026-03-04")
    shown = {**shown_of(pipeline.run("s3_arrival")), **shown_of(pipeline.run("stale_days", partition="2026-03-04"))}

    numbers = {
        asset: {key: entry.value for key, entry in its.items() if isinstance(entry.value, int | float)}
        for (asset, _), its in shown.items()
    }
    assert numbers == {
        "raw_orders": {"Files loaded": 1, "Rows received": 3, "Rows rejected": 1, "dagster/row_count": 3},
        "cleaned_orders": {"dagster/row_count": 2},
        "rejected_orders": {"Rows rejected by this run": 1, "dagster/row_count": 1},
        "daily_revenue": {
            "Revenue of the newest day": 2.5,
            "Orders of the newest day": 2,
            "dagster/row_count": 1,
        },
        "daily_orders": {"Orders": 2, "Revenue": 2.5, "dagster/partition_row_count": 2, "dagster/row_count": 2},
        "daily_revenue_partitioned": {
            "Customers": 2,
            "Revenue": 2.5,
            "dagster/partition_row_count": 2,
            "dagster/row_count": 2,
        },
    }
    with pipeline.connect() as connection:
        versions = builds.versions(connection, "cleaned_orders", [date(2026, 3, 4)])
    internal = [str(versions[date(2026, 3, 4)]), ".parquet", str(pipeline.folder)]
    assert [text for text in internal if text in str(shown)] == []


def test_a_build_says_which_days_it_rebuilt_and_why(march: Pipeline) -> None:
    march.land_rows("b.csv", "90,bob,2.00,2026-03-04", "91,bob,2.00,2026-03-20")
    shown = shown_of(march.run("s3_arrival"))

    assert shown["cleaned_orders", None]["Days rebuilt"].value == (
        "1 day: new or changed orders (2026-03-04); 1 day: never built, or object missing (2026-03-20)"
    )
    assert shown["daily_revenue", None]["Days rebuilt"] == shown["cleaned_orders", None]["Days rebuilt"]

    march.run("stale_days", tags=run_tags.of_range(date(2026, 3, 4), date(2026, 3, 20)))
    tags = {**run_tags.of_range(date(2026, 3, 4), date(2026, 3, 5)), run_tags.FULL_REFRESH: "true"}
    shown = shown_of(march.run("stale_days", tags=tags))
    assert shown["daily_orders", "2026-03-04"]["State"].value == "rebuilt: full refresh"
    assert shown["daily_revenue_partitioned", "2026-03-05"]["State"].value == "rebuilt: full refresh"

    shown = shown_of(march.run("stale_days", partition="2026-03-04"))
    assert shown["daily_orders", "2026-03-04"]["State"].value.startswith("already current: not rebuilt, ")


def test_counts_are_of_the_whole_table_whatever_a_run_builds(march: Pipeline) -> None:
    march.land_rows("rejects.csv", "1,,1.00,2026-03-04", "2,,1.00,2026-03-04")
    march.sync()
    march.land_rows("b.csv", "90,bob,2.00,2026-03-04", "91,,2.00,2026-03-04")
    counts = {
        asset: shown["dagster/row_count"].value for (asset, _), shown in shown_of(march.run("s3_arrival")).items()
    }
    partitioned = shown_of(march.run("stale_days", partition="2026-03-04"))

    assert counts == {"raw_orders": 14, "cleaned_orders": 11, "rejected_orders": 3, "daily_revenue": 10}
    assert len(march.rejected()) == 3
    assert len(march.revenue()) == 10
    for asset in ("daily_orders", "daily_revenue_partitioned"):
        assert partitioned[asset, "2026-03-04"]["dagster/row_count"].value == 11
        assert partitioned[asset, "2026-03-04"]["dagster/partition_row_count"].value == 2


def test_a_few_rows_are_previewed_and_no_text_of_a_rejected_or_raw_one(pipeline: Pipeline) -> None:
    personal = "12 Abbey Road"
    pipeline.land_rows(
        "a.csv",
        *(f"{n},ann,1.10,2026-03-04,{personal}" for n in range(9)),
        f"90,,1.00,2026-03-04,{personal}",
        header="order_id,customer_id,amount,order_date,address",
    )
    shown = {**shown_of(pipeline.run("s3_arrival")), **shown_of(pipeline.run("stale_days", partition="2026-03-04"))}

    previews = {asset: s["Preview"].records for (asset, _), s in shown.items() if "Preview" in s}
    assert set(previews) == set(PREVIEWED) == {"cleaned_orders", "daily_orders", "daily_revenue_partitioned"}
    assert len(previews["cleaned_orders"]) == len(previews["daily_orders"]) == 5
    assert previews["cleaned_orders"][0].data["amount"] == "1.10"
    assert previews["daily_revenue_partitioned"][0].data["daily_spend"] == "9.90"
    assert personal not in str(shown)
    (reason,) = shown["rejected_orders", None]["Rejects by reason"].records
    assert reason.data == {"reason": "customer_id_missing", "rows": 1, "meaning": "no customer_id"}
    (reject,) = shown["rejected_orders", None]["Newest rejects"].records
    assert reject.data == {"file": "landing/a.csv", "row": 11, "reason": "customer_id_missing"}
    assert pipeline.query(shown["rejected_orders", None]["Their text"].value) == [
        (11, f"90,,1.00,2026-03-04,{personal}")
    ]


def test_revenue_is_shown_of_the_last_days_with_orders_however_long_ago(pipeline: Pipeline) -> None:
    pipeline.land_rows(
        "a.csv",
        "0,ann,7.00,2026-01-02",
        "1,ann,100.00,2026-05-01",
        "2,ann,150.00,2026-05-02",
        "3,ann,120.00,2026-05-04",
        "4,ann,-20.00,2026-05-05",
        "5,ann,10.00,2026-05-06",
    )
    shown = shown_of(pipeline.run("s3_arrival"))["daily_revenue", None]

    assert shown["Last 14 days with orders"].value.splitlines() == [
        "day|revenue|orders|change",
        ":--|--:|--:|--:",
        "Wed 2026-05-06|10.00|1|",
        "Tue 2026-05-05|-20.00|1|-116.7\u00a0%",
        "Mon 2026-05-04|120.00|1|-20.0\u00a0%",
        "1 day|no orders||",
        "Sat 2026-05-02|150.00|1|+50.0\u00a0%",
        "Fri 2026-05-01|100.00|1|+1,328.6\u00a0%",
        "118 days|no orders||",
        "Fri 2026-01-02|7.00|1|",
    ]
    picture = unquote(shown["Revenue of the last 90 days with orders"].value)
    assert ">2026-01-02<" in picture
    assert ">2026-05-06<" in picture
    assert ">150 a day, in the orders' currency<" in picture
    assert ">-20<" in picture
    with pipeline.connect() as connection:
        assert [str(found.day) for found in revenue.latest(connection, 3)] == ["2026-05-04", "2026-05-05", "2026-05-06"]


# In characters: Markdown as long as that is behind a link (MetadataEntry of the webserver).
SHOWN_IN_PLACE = 1_000


def test_the_views_of_revenue_are_short_enough_to_be_shown_in_their_place() -> None:
    """Up and down all the way, at a thousand million every other day."""
    latest = [
        DayRevenue(date(2026, 1, 1) + timedelta(days=2 * day), Decimal((-1) ** day * 10**9), 10**6)
        for day in range(CHARTED_DAYS)
    ]

    assert len(chart(latest, [found.day for found in latest])) < SHOWN_IN_PLACE
    assert len(change_table(latest, latest[-1].day)) < SHOWN_IN_PLACE


@pytest.mark.parametrize("table", list(KEYS))
def test_the_key_that_a_table_is_said_to_have_tells_its_rows_apart(pipeline: Pipeline, table: str) -> None:
    pipeline.land_rows(
        "a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-04", "1,bob,2.00,2026-03-05", "3,,1,2026-03-05"
    )
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-04", "2,bob,1.00,2026-03-05", "3,,1,2026-03-05", "3,,1,2026-03-05")
    pipeline.sync()
    if table in MARTS:
        rows = pl.DataFrame(pipeline.query(f"SELECT {', '.join(KEYS[table])} FROM analytics.{table}"), orient="row")
    else:
        rows = pipeline.lake_frame(table).select(KEYS[table])

    assert rows.height > 1
    assert rows.is_unique().all()
