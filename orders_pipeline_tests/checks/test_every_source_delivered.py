"""The check every_source_delivered: a source that declares when it delivers, and has not, is named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orders_pipeline.definitions import postgres
from orders_pipeline.quality import late_sources
from orders_pipeline.sources.expected import checked, due
from orders_pipeline_tests.support.checks import WARN, evaluate
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

CHECK, BERLIN = "every_source_delivered", ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("expected", "now", "last", "before"),
    [
        ("daily 07:00", "2026-03-05T07:00+01:00", "2026-03-05T07:00+01:00", "2026-03-04T07:00+01:00"),
        ("daily 07:00", "2026-03-05T05:59Z", "2026-03-04T07:00+01:00", "2026-03-03T07:00+01:00"),
        ("weekdays 18:30", "2026-03-09T10:00Z", "2026-03-06T18:30+01:00", "2026-03-05T18:30+01:00"),  # a Monday
        ("weekdays 18:30", "2026-03-08T23:00Z", "2026-03-06T18:30+01:00", "2026-03-05T18:30+01:00"),
        ("daily 02:30", "2026-03-29T12:00Z", "2026-03-29T02:30+01:00", "2026-03-28T02:30+01:00"),  # an hour is skipped
        ("daily 12:00", "2026-03-30T12:00Z", "2026-03-30T12:00+02:00", "2026-03-29T12:00+02:00"),
    ],
)
def test_what_is_due_follows_the_clock_of_the_source(expected: str, now: str, last: str, before: str) -> None:
    times = due(expected, "Europe/Berlin", datetime.fromisoformat(now))

    assert [one.astimezone(UTC) for one in times] == [
        datetime.fromisoformat(one).astimezone(UTC) for one in (last, before)
    ]


@pytest.mark.parametrize(
    "text", ["", "daily", "daily 7:00", "daily 24:00", "weekly 07:00", "Daily 07:00", "daily 07:00 "]
)
def test_any_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="daily 07:00"):
        checked(text)


def test_a_source_that_has_not_delivered_is_named_until_it_has(pipeline: Pipeline, tmp_path: Path) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text(
        '[[source]]\nname = "acme"\nkeys = "landing/acme/*"\nexpected = "daily 07:00"\n'
        '[[source]]\nname = "none"\nkeys = "landing/none/*"\nexpected = "weekdays 07:00"\ntimezone = "Europe/Berlin"\n'
        '[[source]]\nname = "silent"\nkeys = "landing/silent/*"\n'
    )
    call("sources", "apply", str(sources))
    pipeline.land_rows("acme/1.csv", "not a number")  # quarantined, and delivered all the same
    pipeline.sync()
    now = datetime.now(UTC)

    def late(at: datetime) -> dict[str, str]:
        found = late_sources.find(postgres.ledger(), "UTC", at)
        assert found.expected == ["acme", "none"]
        return {one.sender: one.finding().message for one in found.late}

    assert late(now) == {}  # what was due before the declaration is not asked for
    next_week = now + timedelta(days=8)
    assert late(next_week).keys() == {"acme", "none"}
    assert f"the last one came on {now:%Y-%m-%d}" in late(next_week)["acme"]
    assert "07:00 (weekdays 07:00 Europe/Berlin); none ever came" in late(next_week)["none"]

    pipeline.execute("UPDATE ledger.source_declarations SET applied_at = applied_at - interval '9 days'")
    pipeline.execute("UPDATE ledger.landed_files SET last_modified = last_modified - interval '3 days'")
    result = evaluate(pipeline, "raw_orders", CHECK)
    assert not result.passed
    assert result.severity == WARN
    assert "acme has sent no file by" in str(result.description)

    pipeline.land_rows("acme/2.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("none/1.csv", "2,ann,1.00,2026-03-04")
    pipeline.sync()
    assert evaluate(pipeline, "raw_orders", CHECK).passed


def test_a_folder_that_delivered_for_eight_weeks_is_named_when_it_does_not(pipeline: Pipeline) -> None:
    for week in range(1, 9):
        pipeline.land_rows(f"shop/2026-01-0{week}/a.csv", f"{week},ann,1.00,2026-03-04")
        pipeline.land_rows(f"once/{week}.csv", f"1{week},ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute(
        "UPDATE ledger.landed_files SET last_modified = last_modified"
        " - interval '1 week' * CAST(substring(key, '([0-9])/a.csv') AS integer) WHERE key LIKE '%shop%'"
    )

    def late(hours: int) -> list[str]:
        return [one.finding().message for one in late_sources.find(postgres.ledger(), "UTC", now_in(hours)).late]

    assert late(0) == []
    (message,) = late(2)
    assert message.startswith("landing/shop/ has sent no file by ")
    assert f"(as on the 8 {datetime.now(UTC):%A}s before); the last one came on " in message

    pipeline.land_rows("shop/b.csv", "20,ann,1.00,2026-03-04")
    pipeline.sync()
    assert late(2) == []


def now_in(hours: int) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)
