"""Ticks of the sensors, evaluated in this process as the daemon would."""

from typing import Any

import dagster as dg
from dagster._core.remote_origin import RegisteredCodeLocationOrigin

from orders_pipeline.definitions import defs, postgres, s3
from orders_pipeline.sensors import run_failure_sensor, s3_arrival_sensor
from orders_pipeline_tests.support.driver import Pipeline

UNREAD = "Findings were not read: the ledger did not answer (PostgresConnectionError)."


def tick(pipeline: Pipeline, sensor: dg.SensorDefinition, cursor: str | None = None) -> Any:
    """Evaluate one tick of a sensor; what it requests, and its cursor."""
    context = dg.build_sensor_context(
        instance=pipeline.instance,
        cursor=cursor,
        definitions=defs,
        resources={"postgres": postgres, "s3": s3} if sensor is s3_arrival_sensor else {"postgres": postgres},
    )
    return sensor.evaluate_tick(context)


def run_all(pipeline: Pipeline, sensor: dg.SensorDefinition) -> int:
    """Run what a tick requests, as the daemon would; how many runs that was."""
    requests = tick(pipeline, sensor).run_requests or []
    for request in requests:
        assets = [key.to_user_string() for key in request.asset_selection or []]
        result = pipeline.run(sensor.job_name, tags=request.tags, config=request.run_config, assets=assets)
        assert result.success
    return len(requests)


def tick_alerts(instance: dg.DagsterInstance, location: str | None = None) -> str:
    """One tick of the sensor that sends alerts; its message, without what it says of a ledger that is down."""
    context = dg.SensorEvaluationContext(
        None, None, None, None, None, instance=instance, definitions=defs,
        resources={"postgres": postgres},
        code_location_origin=RegisteredCodeLocationOrigin(location) if location else None,
    )  # fmt: skip
    return str(run_failure_sensor.evaluate_tick(context).skip_message).removesuffix(f"\n{UNREAD}")
