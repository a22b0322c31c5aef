"""A run that takes something from the landing zone or the source table records it there; no other run does."""

from typing import Any

import dagster as dg
import pytest

from orders_pipeline.definitions import s3
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.source_tables import ORDERS


def observed(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """What a run recorded of assets of others, by asset."""
    return {
        event.asset_key.to_user_string(): {
            key: value.value for key, value in event.asset_observation_data.asset_observation.metadata.items()
        }
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION and event.asset_key
    }


def test_what_arrives_is_recorded_once_at_the_place_where_it_did(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land("broken.csv", "nonsense\n")
    pipeline.execute(f"CREATE TABLE orders ({ORDERS})")
    pipeline.execute("INSERT INTO orders SELECT n, 'ann', 1, '2026-03-04'::date + n FROM generate_series(1, 5) AS n")

    found = observed(pipeline.run("s3_arrival"))

    newest = found["landing_zone"].pop("Newest file")
    (landed,) = pipeline.query("SELECT max(last_modified) FROM ledger.landed_files WHERE key LIKE 'landing/%'")[0]
    assert newest in ("landing/a.csv", "landing/broken.csv")
    assert found == {
        "landing_zone": {
            "Last arrival": landed.timestamp(),
            "Files taken by this run": 2,
            "Landing zone": f"s3://{s3.bucket}/landing/",
        },
        "source_table": {
            "Changed days taken by this run": 5,
            "Orders of these days": 5,
            "Days": "2026-03-05, 2026-03-06, 2026-03-07 and 2 more",
            "Table": "orders",
        },
    }

    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")  # every file is revalidated
    assert observed(pipeline.run("s3_arrival")) == {}
