"""Old runs and ticks go, and the UI shows the same present as before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orders_pipeline.definitions import defs
from orders_pipeline.runs.housekeeping import forget_runs
from orders_pipeline_tests.support.driver import Pipeline

MATERIALIZATION = dg.DagsterEventType.ASSET_MATERIALIZATION


@pytest.fixture(params=["in memory", "in a folder"])
def shop(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline that has built two days, and one of them twice."""
    (tmp_path / "dagster").mkdir()
    in_folder = request.param == "in a folder"
    with (
        dg.DagsterInstance.local_temp(str(tmp_path / "dagster"))
        if in_folder
        else dg.DagsterInstance.ephemeral() as instance
    ):
        pipeline = Pipeline(tmp_path, instance)
        pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,2.00,2026-03-05")
        pipeline.sync()
        pipeline.land_rows("b.csv", "3,ann,3.00,2026-03-05")
        pipeline.sync()
        yield pipeline


def shown(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What the UI shows of each asset, partition and check."""
    log, found = instance.event_log_storage, {}
    for asset in instance.all_asset_keys():
        latest = instance.get_latest_materialization_event(asset)
        found[asset.to_user_string()] = latest and (latest.run_id, latest.timestamp)
        for partition, number in log.get_latest_storage_id_by_partition(asset, MATERIALIZATION).items():
            (record,) = log.fetch_materializations(dg.AssetRecordsFilter(asset, storage_ids=[number]), 1).records
            found[f"{asset.to_user_string()} {partition}"] = (record.run_id, record.timestamp)
    checks = list(defs.get_repository_def().asset_graph.asset_check_keys)
    for key, execution in log.get_latest_asset_check_execution_by_key(checks).items():
        assert execution.event is not None
        found[key.to_user_string()] = (execution.run_id, execution.status)
    return found


def forget(instance: dg.DagsterInstance, before: datetime | None = None) -> tuple[int, int]:
    done = forget_runs(instance, before or datetime.now(UTC) + timedelta(hours=1), lambda run: True)
    return done.deleted, done.kept


def test_what_is_shown_stays_and_the_rest_goes_wherever_it_is_killed(
    shop: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, runs = shown(shop.instance), shop.instance.get_runs_count()
    assert any(" 2026-03-04" in name for name in before)
    delete = shop.instance.delete_run

    def delete_and_die(run_id: str) -> None:
        delete(run_id)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shop.instance, "delete_run", delete_and_die)
        with pytest.raises(KeyboardInterrupt):
            forget(shop.instance)
    assert shown(shop.instance) == before
    deleted, kept = forget(shop.instance)
    assert 1 + deleted + kept == runs
    assert shown(shop.instance) == before
    assert forget(shop.instance) == (0, kept)


def test_what_is_young_or_of_others_or_has_not_ended_stays() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.SUCCESS):
            instance.add_run(dg.DagsterRun("s3_arrival", status=status))
        assert forget(instance, datetime.now(UTC) - timedelta(days=1)) == (0, 0)
        others = forget_runs(instance, datetime.now(UTC) + timedelta(hours=1), lambda run: False)
        assert (others.deleted, others.kept) == (0, 0)
        assert forget(instance) == (1, 0)
        assert instance.get_runs_count() == 2


def test_pages_do_not_lose_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_pipeline.runs.housekeeping._AT_ONCE", 2)
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(7):
            instance.add_run(dg.DagsterRun("s3_arrival", status=dg.DagsterRunStatus.SUCCESS))
        done = forget_runs(instance, datetime.now(UTC) + timedelta(hours=1), lambda run: True)
        assert (done.deleted, instance.get_runs_count()) == (7, 0)


def test_the_job_does_both_and_says_what_it_did(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    result = pipeline.run("housekeeping")

    assert result.success
    said = [entry.user_message for entry in pipeline.instance.all_logs(result.run_id)]
    assert any(text.startswith("0 lake objects deleted; ") for text in said)
    assert any(text.startswith("0 runs that began before ") for text in said)
