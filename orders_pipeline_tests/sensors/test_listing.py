"""The arrival sensor reads the listing of the landing zone in parts, and a run takes what it listed."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from orders_pipeline import sensors
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.resources import S3Resource
from orders_pipeline.sensors import read_listing, s3_arrival_sensor
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import run_all, tick

NEVER = float("inf")


def pages(*sizes: int) -> list[list[FileVersion]]:
    numbers = iter(range(sum(sizes)))
    return [
        [FileVersion("b", f"landing/{next(numbers):05}", "e", 1, datetime(2026, 3, 4, tzinfo=UTC)) for _ in range(size)]
        for size in sizes
    ]


def all_pending(versions: Sequence[FileVersion]) -> list[FileVersion]:
    return list(versions)


def none_pending(_: Sequence[FileVersion]) -> list[FileVersion]:
    return []


def test_a_listing_read_to_its_end_starts_over_at_the_next_tick() -> None:
    found = read_listing(pages(3, 2), all_pending, NEVER)

    assert (len(found.keys), found.cursor) == (5, None)


def test_a_run_gets_at_most_a_thousand_keys_and_the_listing_goes_on_after_the_last_of_them() -> None:
    found = read_listing(pages(700, 700, 700), all_pending, NEVER)

    assert len(found.keys) == sensors.MAX_KEYS_PER_RUN
    assert found.cursor == found.keys[-1] == "landing/00999"


def test_a_listing_that_takes_too_long_goes_on_at_the_next_tick() -> None:
    found = read_listing(pages(2, 2, 2), none_pending, deadline=-NEVER)

    assert (found.keys, found.cursor) == ([], "landing/00001")


def test_a_listing_that_took_several_ticks_starts_over_when_it_is_through(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "MAX_KEYS_PER_RUN", 2)
    for name in ("b", "c", "d"):
        pipeline.land_rows(f"{name}.csv", f"{name},ann,1.00,2026-03-04")

    cursor = None  # carried from tick to tick as the daemon does, which an empty one would not change
    for _ in range(3):
        evaluated = tick(pipeline, s3_arrival_sensor, cursor)
        for request in evaluated.run_requests:
            assert pipeline.run("s3_arrival", config=request.run_config).success
        cursor = evaluated.cursor
    assert pipeline.revenue() == {"2026-03-04": ("3.00", 3)}

    key = pipeline.land_rows("a.csv", "a,ann,1.00,2026-03-04")
    (request,) = tick(pipeline, s3_arrival_sensor, cursor).run_requests
    assert request.run_config["ops"]["raw_orders"]["config"]["s3_keys"] == [key]


def test_what_waits_for_a_run_of_everything_does_not_start_a_listing_over(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else, where a listing takes several ticks, its end would not be seen while the source table is away."""
    monkeypatch.setattr(sensors, "backoff_of", lambda *_: "later")
    monkeypatch.setattr(sensors, "read_listing", lambda *_: sensors.Listing([], "landing/half of it"))
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04T23:30:00-05:00")
    pipeline.sync()
    monkeypatch.setenv("ORDERS_TIMEZONE", "America/New_York")

    evaluated = tick(pipeline, s3_arrival_sensor)

    assert "Files to reprocess" in evaluated.skip_message
    assert evaluated.cursor.endswith("landing/half of it")


def test_a_run_takes_what_the_sensor_listed_and_does_not_look_it_up_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land("empty.csv", b"")
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    monkeypatch.setattr(S3Resource, "current", lambda _, key: pytest.fail(f"{key} was looked up"))

    assert pipeline.run("s3_arrival", config=request.run_config).success

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert pipeline.query("SELECT key, status FROM ledger.landed_files ORDER BY key") == [
        ("landing/a.csv", "loaded"),
        ("landing/empty.csv", "ignored"),
    ]
    assert run_all(pipeline, s3_arrival_sensor) == 0


@pytest.mark.parametrize("listed", ["1,ann,1.00,2026-03-04", None], ids=["orders", "an empty file"])
@pytest.mark.parametrize("now", ["2,ann,8.00,2026-03-04", None], ids=["other orders", "nothing"])
def test_what_changed_since_it_was_listed_is_looked_up(pipeline: Pipeline, listed: str | None, now: str | None) -> None:
    if listed:
        pipeline.land_rows("a.csv", listed)
    else:
        pipeline.land("a.csv", b"")
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    if now:
        pipeline.land_rows("a.csv", now)
    else:
        pipeline.remove("a.csv")

    assert pipeline.run("s3_arrival", config=request.run_config).success

    assert pipeline.revenue() == ({"2026-03-04": ("8.00", 1)} if now else {})
    assert pipeline.query("SELECT count(*) FROM ledger.landed_files") == [(1 if now else 0,)]
    assert run_all(pipeline, s3_arrival_sensor) == 0


def test_bytes_that_are_known_count_only_if_s3_still_holds_them(pipeline: Pipeline) -> None:
    """The sensor lists the first version again, and by the time of its run another one has taken its place."""
    first, other = "1,ann,1.00,2026-03-04", "1,ann,8.00,2026-03-04"
    pipeline.land_rows("a.csv", first)
    pipeline.sync()
    pipeline.land_rows("a.csv", other)
    pipeline.sync()
    time.sleep(1.1)  # S3 dates objects to the second
    pipeline.land_rows("a.csv", first)
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    pipeline.land_rows("a.csv", other)

    assert pipeline.run("s3_arrival", config=request.run_config).success

    assert pipeline.revenue() == {"2026-03-04": ("8.00", 1)}


def test_a_listing_that_fails_is_not_an_empty_one(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise ServiceUnavailableError("S3 is away")

    monkeypatch.setattr(S3Resource, "list_pages", down)

    with pytest.raises(Exception, match="S3 is away"):
        tick(pipeline, s3_arrival_sensor)
