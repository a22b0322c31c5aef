"""The morning run."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from orders_pipeline.definitions import defs
from orders_pipeline.schedules import daily_schedule


def tick(at: datetime) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=defs.get_repository_def())
    result = daily_schedule(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def test_the_tick_of_six_asks_for_the_day_before() -> None:
    request = tick(datetime(2026, 3, 5, 6, tzinfo=UTC))

    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-03-04"
    assert daily_schedule.job.name == "daily_pipeline"


@pytest.mark.parametrize(
    ("zone", "partition"), [("Asia/Tokyo", "2026-03-04"), ("America/Los_Angeles", "2026-03-03"), ("UTC", "2026-03-04")]
)
def test_the_day_before_is_a_business_day(monkeypatch: pytest.MonkeyPatch, zone: str, partition: str) -> None:
    monkeypatch.setenv("ORDERS_TIMEZONE", zone)

    request = tick(datetime(2026, 3, 5, 6, tzinfo=UTC))

    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == partition


def test_before_the_first_partition_there_is_nothing_to_ask_for() -> None:
    assert isinstance(tick(datetime(2026, 1, 1, 6, tzinfo=UTC)), dg.SkipReason)


def test_the_evaluated_tick_is_one_that_dagster_accepts() -> None:
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 3, 5, 6, tzinfo=UTC), repository_def=defs.get_repository_def()
    )

    (request,) = daily_schedule.evaluate_tick(context).run_requests

    assert request.tags["dagster/partition"] == "2026-03-04"
