"""What was asked for in vain is asked for again after a pause that grows; nothing new, and nobody, waits for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.runs.schema import RunsTable

from orders_pipeline import sensors, transforms
from orders_pipeline.definitions import defs
from orders_pipeline.run_tags import FORMER_WORK_TAG, WORK_TAG
from orders_pipeline.runs.backoff import backoff_of, fingerprint
from orders_pipeline.sensors import s3_arrival_sensor, stale_days_sensor
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import tick

HOUR = timedelta(hours=1)
JOB = "s3_arrival"
WORK = fingerprint(["a day"])


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("for no reason that is known")


def let_pass(instance: dg.DagsterInstance, seconds: float) -> None:
    """As if all runs had ended so much earlier."""
    storage: Any = instance.run_storage
    with storage.connect() as connection:
        connection.execute(RunsTable.update().values(end_time=RunsTable.c.end_time - seconds))


def long_ago(instance: dg.DagsterInstance, time: timedelta) -> None:
    """As if nothing had happened to any run for so long."""
    storage: Any = instance.run_storage
    with storage.connect() as connection:
        then = datetime.now(UTC).replace(tzinfo=None) - time
        connection.execute(
            RunsTable.update().values(update_timestamp=then, end_time=then.replace(tzinfo=UTC).timestamp())
        )


def end_run(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, job: str = JOB, work: str = WORK, tag: str = WORK_TAG
) -> None:
    """A run for this work that has just ended."""
    run = instance.create_run_for_job(defs.resolve_job_def(job), status=status, tags={tag: work})
    storage: Any = instance.run_storage
    with storage.connect() as connection:
        this = RunsTable.update().where(RunsTable.c.run_id == run.run_id)
        connection.execute(this.values(end_time=datetime.now(UTC).timestamp()))


def do(pipeline: Pipeline, sensor: dg.SensorDefinition, cursor: str | None = None) -> tuple[int, str | None]:
    """Run what a tick asks for, whether it succeeds or not: how many runs, or else why none."""
    evaluated = tick(pipeline, sensor, cursor)
    for request in evaluated.run_requests:
        assets = [key.to_user_string() for key in request.asset_selection or []]
        pipeline.run(sensor.job_name, tags=request.tags, config=request.run_config, assets=assets)
    return len(evaluated.run_requests), evaluated.skip_message


def test_a_pause_doubles_from_half_a_minute_up_to_the_longest() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        pauses = []
        for _ in range(10):
            end_run(instance, dg.DagsterRunStatus.FAILURE)
            pause = backoff_of(instance, JOB, WORK, HOUR)
            assert pause is not None
            pauses.append(round((pause.until - datetime.now(UTC)).total_seconds()))
            let_pass(instance, 3_601)
            assert backoff_of(instance, JOB, WORK, HOUR) is None

    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_the_same_work_that_returns_later_has_the_first_pause() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(8):
            end_run(instance, dg.DagsterRunStatus.FAILURE)
        long_ago(instance, 8 * HOUR)
        end_run(instance, dg.DagsterRunStatus.FAILURE)

        pause = backoff_of(instance, JOB, WORK, HOUR)

    assert pause is not None
    assert pause.runs == 1


def test_runs_that_the_former_release_requested_count_after_an_upgrade() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        end_run(instance, dg.DagsterRunStatus.FAILURE, tag=FORMER_WORK_TAG)
        end_run(instance, dg.DagsterRunStatus.FAILURE)

        pause = backoff_of(instance, JOB, WORK, HOUR)

    assert pause is not None
    assert pause.runs == 2


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED])
def test_a_run_that_left_its_work_undone_counts_however_it_ended(status: dg.DagsterRunStatus) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        end_run(instance, status)

        assert "the last run did not finish this work" in str(backoff_of(instance, JOB, WORK, HOUR))


def test_other_work_another_job_and_another_machines_clock_make_no_pause() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        end_run(instance, dg.DagsterRunStatus.FAILURE, work=fingerprint(["another day"]))
        end_run(instance, dg.DagsterRunStatus.FAILURE, job="stale_days")
        assert backoff_of(instance, JOB, WORK, HOUR) is None

        end_run(instance, dg.DagsterRunStatus.FAILURE)
        let_pass(instance, -3_600)
        assert backoff_of(instance, JOB, WORK, HOUR) is None


def test_work_is_the_same_in_any_order_and_another_when_something_is_new() -> None:
    assert fingerprint(["a", "b"]) == fingerprint(["b", "a"]) != fingerprint(["a", "b", "c"])


def test_a_day_that_cannot_be_built_is_asked_for_ever_more_seldom_and_at_once_when_it_changes(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    monkeypatch.setattr(transforms, "revenue_by_day", broken)
    assert do(pipeline, s3_arrival_sensor)[0] == 1  # loads the file, fails at the mart
    for failures, pause in enumerate((30, 60, 120), start=1):
        assert do(pipeline, s3_arrival_sensor)[0] == 1
        let_pass(pipeline.instance, pause - 10)
        asked, reason = do(pipeline, s3_arrival_sensor)
        assert asked == 0
        assert str(reason).startswith(
            f"Stale days: the last {f'{failures} runs' if failures > 1 else 'run'} did not finish"
        )
        let_pass(pipeline.instance, 11)

    assert do(pipeline, s3_arrival_sensor)[0] == 1
    assert do(pipeline, s3_arrival_sensor)[0] == 0
    key = pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-05")  # what is new does not wait
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    assert request.run_config["ops"]["raw_orders"]["config"]["s3_keys"] == [key]
    monkeypatch.undo()


def test_a_person_does_not_wait_and_neither_does_a_sensor_that_lost_its_memory(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(transforms, "revenue_by_day", broken)
        for _ in range(2):
            do(pipeline, s3_arrival_sensor)
        assert do(pipeline, s3_arrival_sensor)[0] == 0

    with dg.DagsterInstance.ephemeral() as other:
        assert len(tick(Pipeline(pipeline.folder, other), s3_arrival_sensor).run_requests) == 1
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}


def test_a_range_that_cannot_be_built_blocks_no_other(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    spend = transforms.spend_by_customer

    def fails_in_march(frame: Any) -> Any:
        if frame.collect()["order_date"].dt.month().to_list() != [6]:
            broken()
        return spend(frame)

    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-06-04")
    assert do(pipeline, s3_arrival_sensor)[0] == 1
    with monkeypatch.context() as patched:
        patched.setattr(transforms, "spend_by_customer", fails_in_march)
        assert do(pipeline, stale_days_sensor)[0] == 2
        assert do(pipeline, stale_days_sensor)[0] == 1  # the mart alone is left to do: other work
        asked, reason = do(pipeline, stale_days_sensor)
    assert asked == 0
    assert str(reason).startswith("2026-03-04 to 2026-03-04: the last run did not finish this work")
    assert pipeline.spend() == {("2026-06-04", "ann"): "1.00"}

    let_pass(pipeline.instance, 31)
    assert do(pipeline, stale_days_sensor)[0] == 1
    assert do(pipeline, stale_days_sensor) == (0, "No day is stale.")


def test_files_that_no_run_gets_to_wait_five_minutes_at_most_and_block_no_others(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "MAX_KEYS_PER_RUN", 2)
    for name in ("a", "b", "c"):
        pipeline.land_rows(f"{name}.csv", f"{name},ann,1.00,2026-03-04")
    evaluated = tick(pipeline, s3_arrival_sensor)
    with monkeypatch.context() as patched:
        patched.setattr("orders_pipeline.assets.ingestion.receive_files", broken)
        assert do(pipeline, s3_arrival_sensor)[0] == 1
    for _ in range(7):
        end_run(pipeline.instance, dg.DagsterRunStatus.FAILURE, work=evaluated.run_requests[0].tags[WORK_TAG])

    waiting = tick(pipeline, s3_arrival_sensor)
    assert waiting.skip_message.startswith("2 files: the last 8 runs did not finish this work")
    assert do(pipeline, s3_arrival_sensor, waiting.cursor)[0] == 1  # the next files
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    let_pass(pipeline.instance, 301)
    assert do(pipeline, s3_arrival_sensor)[0] == 1
    assert pipeline.revenue() == {"2026-03-04": ("3.00", 3)}


def test_files_that_cannot_be_revalidated_block_no_arrivals(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute("UPDATE ledger.landed_files SET rules = 0")
    with monkeypatch.context() as patched:
        patched.setattr("orders_pipeline.assets.ingestion.reprocess_outdated", broken)
        assert do(pipeline, s3_arrival_sensor)[0] == 1
        asked, reason = do(pipeline, s3_arrival_sensor)
        assert (asked, str(reason)[:32]) == (0, "Files to reprocess: the last run")
        pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04")
        assert do(pipeline, s3_arrival_sensor)[0] == 1
    assert pipeline.status().files["loaded"] == 2

    let_pass(pipeline.instance, 31)
    assert do(pipeline, s3_arrival_sensor)[0] == 1
    assert pipeline.revenue() == {"2026-03-04": ("2.00", 2)}
