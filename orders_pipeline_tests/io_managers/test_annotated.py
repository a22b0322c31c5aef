"""An asset of one's own gets the frame that it annotates."""

from decimal import Decimal
from typing import Any

import dagster as dg
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from orders_pipeline.definitions import defs
from orders_pipeline_tests.support.driver import Pipeline

TABLES = (
    "raw_orders",
    "cleaned_orders",
    "rejected_orders",
    "daily_revenue",
    "daily_orders",
    "daily_revenue_partitioned",
)


def taken(pipeline: Pipeline, *assets: Any) -> dg.ExecuteInProcessResult:
    """A run of assets of one's own in the pipeline's code location."""
    together = dg.Definitions.merge(
        defs, dg.Definitions(assets, jobs=[dg.define_asset_job("mine", dg.AssetSelection.assets(*assets))])
    )
    return together.resolve_job_def("mine").execute_in_process(instance=pipeline.instance, raise_on_error=False)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table, None])
def test_each_table_comes_as_the_frame_that_is_annotated(pipeline: Pipeline, frame: Any) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.10,2026-03-04", "2,bob,2.20,2026-03-05", "3,,1.00,2026-03-05")
    pipeline.sync()
    seen: dict[str, Any] = {}

    def asset_of(table: str) -> Any:
        def mine(rows: Any) -> None:
            seen[table] = rows

        if frame is not None:
            mine.__annotations__["rows"] = frame
        else:
            del mine.__annotations__["rows"]
        return dg.asset(name=f"my_{table}", ins={"rows": dg.AssetIn(table)})(mine)

    assert taken(pipeline, *map(asset_of, TABLES)).success
    assert {table: type(rows) for table, rows in seen.items()} == dict.fromkeys(TABLES, frame or pl.LazyFrame)
    revenue = nw.from_native(seen["daily_revenue"]).lazy().collect()["revenue"]
    assert revenue.to_list() == [Decimal("1.10"), Decimal("2.20")]


def test_any_other_annotation_is_one_clear_sentence(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.10,2026-03-04")
    pipeline.sync()

    @dg.asset
    def mine(daily_revenue: dict[str, int]) -> None:
        pass

    (failure,) = taken(pipeline, mine).filter_events(lambda event: event.is_step_failure)
    cause = failure.step_failure_data.error.cause
    assert (
        "mine annotates its argument daily_revenue as typing.Dict. A table comes as pandas.DataFrame, " in cause.message
    )
