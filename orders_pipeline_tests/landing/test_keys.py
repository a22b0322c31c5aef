"""Any key is kept exactly. A run takes the keys that it names, of its landing zone only."""

from pathlib import Path

import dagster as dg
import pytest

from orders_pipeline import run_tags
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.landed import statuses
from orders_pipeline_tests.support.places import new_bucket


def test_a_key_in_another_bucket_is_another_file(
    pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute("UPDATE ledger.landed_files SET ranked_at = ranked_at - interval '1 minute'")
    monkeypatch.setenv("ORDERS_S3_BUCKET", new_bucket(services))
    pipeline.land_rows("a.csv", "1,ann,3.00,2026-03-05", "2,,5.00,2026-03-05")
    pipeline.sync()

    assert pipeline.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"}).success
    assert pipeline.revenue() == {"2026-03-05": ("3.00", 1)}
    assert len(pipeline.query("SELECT DISTINCT bucket FROM analytics.rejected_orders")) == 2
    assert len(pipeline.rejected()) == 2


@pytest.mark.parametrize(
    "key", ["with space.csv", "plus+and%41.csv", "ünï©ode/日本.csv", "'; drop table orders; --.csv"]
)
def test_odd_keys_are_kept_exactly(pipeline: Pipeline, key: str) -> None:
    whole = pipeline.land_rows(key, "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    pipeline.sync()

    assert statuses(pipeline) == {whole: ("loaded", None)}
    assert pipeline.rejected()[0][0] == whole
    assert pipeline.sync().runs == 0


def test_only_the_keys_that_a_run_names_are_taken(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    key = pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04")
    config = {"ops": {"raw_orders": {"config": {"s3_keys": [key]}}}}

    assert pipeline.run("s3_arrival", config=config).success
    assert statuses(pipeline) == {key: ("loaded", None)}


def test_a_key_that_never_was_fails_the_run_and_one_that_is_gone_does_not(pipeline: Pipeline) -> None:
    key, gone = (pipeline.land_rows(f"{name}.csv", f"{name},ann,1.00,2026-03-04") for name in "ab")
    pipeline.sync()
    pipeline.remove("b.csv")

    def run(*keys: str) -> dg.ExecuteInProcessResult:
        return pipeline.run("s3_arrival", config={"ops": {"raw_orders": {"config": {"s3_keys": list(keys)}}}})

    new = pipeline.land_rows("c.csv", "c,ann,1.00,2026-03-04")
    refused = run(new, "landing/A.csv", gone)

    (failure,) = [event for event in refused.all_events if event.is_step_failure]
    said = str(failure.step_failure_data.error)
    assert "s3_keys names landing/A.csv: no such key is or was under s3://" in said
    assert new not in statuses(pipeline)
    assert run(key, gone, new).success
    assert statuses(pipeline)[new] == ("loaded", None)


def test_a_key_outside_the_landing_zone_is_refused_by_name(pipeline: Pipeline) -> None:
    result = pipeline.run("s3_arrival", config={"ops": {"raw_orders": {"config": {"s3_keys": ["secret/x.csv"]}}}})

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "secret/x.csv" in str(failure.step_failure_data.error)
