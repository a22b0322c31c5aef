"""The check yesterday_is_built: both chains have the day before by the deadline."""

from datetime import UTC, date, datetime, timedelta

import pytest

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.quality import yesterday
from orders_pipeline.quality.yesterday import Yesterday, due_day
from orders_pipeline_tests.support.checks import WARN, evaluate
from orders_pipeline_tests.support.driver import Pipeline

DAY = date(2026, 3, 5)


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        ("2026-03-06T07:59:59Z", "UTC", "2026-03-04"),
        ("2026-03-06T08:00:00Z", "UTC", "2026-03-05"),
        ("2026-03-06T09:30:00+01:00", "Europe/Berlin", "2026-03-05"),
        ("2026-03-06T08:00:00Z", "America/Los_Angeles", "2026-03-04"),  # there it is the evening before, at 06:00 UTC
        ("2026-03-06T08:00:00Z", "Pacific/Auckland", "2026-03-05"),
        ("2026-03-06T23:59:59Z", "Pacific/Auckland", "2026-03-05"),
    ],
)
def test_the_day_that_is_due_is_the_one_that_the_schedule_builds(now: str, zone: str, expected: str) -> None:
    assert str(due_day(datetime.fromisoformat(now), zone)) == expected


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Yesterday(DAY, [], has_orders=True, weeks=8), None),
        (Yesterday(DAY, [], has_orders=False, weeks=4), None),
        (
            Yesterday(DAY, [], has_orders=False, weeks=5),
            "2026-03-05 has no orders, and 5 of the 8 Thursdays before had",
        ),
        (Yesterday(DAY, ["daily_revenue"], True, 8), "2026-03-05 is not up to date in daily_revenue"),
        (Yesterday(DAY, ["a", "b"], True, 0), "2026-03-05 is not up to date in a and b"),
    ],
)
def test_a_day_that_is_missing_is_a_finding(found: Yesterday, message: str | None) -> None:
    messages = [one.message for one in found.findings()]
    assert [text.startswith(message or "?") for text in messages] == ([True] if message else [])


def test_it_fails_until_both_chains_have_the_day(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    due = due_day(datetime.now(UTC), "UTC")
    monkeypatch.setenv("ORDERS_START_DATE", str(due - timedelta(days=60)))
    assert evaluate(pipeline, "daily_revenue", "yesterday_is_built").passed  # nobody has sold anything yet

    pipeline.land_rows("a.csv", f"1,ann,1.00,{due}")
    assert pipeline.run("s3_arrival").success
    engine, calendar = postgres.ledger(), Calendar(due - timedelta(days=60), due + timedelta(days=1), "UTC")
    now = datetime.now(UTC)

    def behind(at: datetime) -> list[str]:
        found = yesterday.find(engine, calendar, at)
        assert found is not None
        return list(found.behind)

    assert behind(now) == []  # there is time to build it
    pipeline.execute("UPDATE ledger.order_days SET version = 7")
    assert behind(now) == ["daily_revenue", "daily_revenue_partitioned"]
    result = evaluate(pipeline, "daily_revenue", "yesterday_is_built")
    assert (result.passed, result.severity) == (False, WARN)
    assert f"{due} is not up to date in daily_revenue and daily_revenue_partitioned" in str(result.description)

    pipeline.sync()
    assert behind(now) == []
    assert evaluate(pipeline, "daily_revenue", "yesterday_is_built").passed
