"""Asset checks: one of them alone, and what to tamper with so that it fails."""

from datetime import date
from typing import Any

import dagster as dg

from orders_pipeline import run_tags
from orders_pipeline.definitions import s3
from orders_pipeline_tests.support.driver import Pipeline

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
