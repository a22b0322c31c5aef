"""A landing zone of 200,000 objects: listed over several ticks, nothing skipped, whatever S3 does meanwhile."""

import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.utils
import pytest
from botocore.config import Config

from bench.huge_bucket import FAILURE, KEYS, PAGE, HugeBucket, key
from orders_pipeline import sensors
from orders_pipeline.definitions import s3
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline.settings import read_settings
from orders_pipeline.storage.s3 import client_for, landing_client, read_timestamp
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.places import client_of
from orders_pipeline_tests.support.ticks import tick

SECONDS_PER_PAGE = 1  # of a clock of the tests' own: no tick really waits
PAGES_PER_TICK = sensors._TICK_SECONDS // SECONDS_PER_PAGE + 1


@pytest.fixture
def huge(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[HugeBucket]:
    """A bucket of 200,000 keys in the place of the landing zone's, and a clock that a page moves on by a second."""
    server = HugeBucket()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ORDERS_S3_BUCKET", "huge")
    clock: Any = SimpleNamespace(monotonic=lambda: len(server.asked) * SECONDS_PER_PAGE)
    monkeypatch.setattr(sensors, "time", clock)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)  # between its attempts
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def settle(pipeline: Pipeline, first: int, last: int, *except_: int) -> None:
    """The ledger's word that these files were read and held nothing."""
    pipeline.execute(
        "INSERT INTO ledger.landed_files (bucket, key, etag, size, last_modified, status, attempts)"
        " SELECT 'huge', 'landing/' || lpad(n::text, 6, '0') || '.csv', lpad(to_hex(n), 32, '0'), 40,"
        " '2026-03-04T05:06:07Z', 'ignored', 0 FROM generate_series(:first, :last) n WHERE n <> ALL(:except)",
        first=first, last=last, **{"except": list(except_)},
    )  # fmt: skip


def asked_for(evaluated: Any) -> list[str]:
    return [
        name
        for request in evaluated.run_requests
        for name in request.run_config["ops"]["raw_orders"]["config"]["s3_keys"]
    ]


def test_a_huge_bucket_is_listed_over_several_ticks_and_nothing_is_skipped(
    pipeline: Pipeline, huge: HugeBucket
) -> None:
    cut = PAGES_PER_TICK * PAGE  # the first key that the first tick has no time for
    pending = [0, PAGE - 1, PAGE, cut - 1, cut, cut + 1, 2 * cut, 123_456, KEYS - 1]
    settle(pipeline, 0, KEYS - 1, *pending)

    cursor, found, ticks = None, [], 0
    while cursor != sensors._AFTER:
        evaluated = tick(pipeline, s3_arrival_sensor, cursor)
        found += asked_for(evaluated)
        cursor, ticks = evaluated.cursor, ticks + 1

    assert found == [key(number) for number in pending]
    assert huge.asked == list(range(0, KEYS, PAGE))  # each page once
    assert ticks == -(-KEYS // cut)

    for number in pending:
        settle(pipeline, number, number)
    evaluated = tick(pipeline, s3_arrival_sensor, cursor)
    assert (evaluated.run_requests, evaluated.cursor) == ([], f"{sensors._AFTER}{key(cut - 1)}")
    assert (
        evaluated.skip_message
        == f"Nothing is pending up to {key(cut - 1)}; the next tick continues the listing from there."
    )


def test_a_listing_needs_the_memory_of_one_page(huge: HugeBucket) -> None:
    def peak(pages: int) -> int:
        huge.asked.clear()
        tracemalloc.start()
        sensors.read_listing(s3.list_pages(), lambda _: [], deadline=pages - 1)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert len(huge.asked) == pages

    peak(1)  # what is imported and built once
    assert peak(10) < 1.5 * peak(2)


def test_a_listing_does_without_botocores_slow_parser(huge: HugeBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise AssertionError("parsed as a timestamp of any format")

    monkeypatch.setattr("dateutil.parser.parser.parse", slow)

    page = next(s3.list_pages())
    assert {version.last_modified for version in page} == {datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)}


@pytest.mark.parametrize(
    "value",
    ["2026-03-04T05:06:07.000Z", "2026-03-04T05:06:07.125Z", "Wed, 04 Mar 2026 05:06:07 GMT", "1772600767", 1772600767],
)
def test_a_timestamp_is_read_as_botocore_reads_it(value: object) -> None:
    read = read_timestamp(value)

    assert read == botocore.utils.parse_timestamp(value)
    assert read.utcoffset() is not None


@pytest.mark.parametrize(
    ("code", "told"),
    [("SlowDown", "Could not list s3://huge/landing/: S3 answered SlowDown"), ("ExpiredToken", "have expired")],
)
def test_a_listing_that_breaks_off_loses_nothing(
    pipeline: Pipeline, huge: HugeBucket, monkeypatch: pytest.MonkeyPatch, code: str, told: str
) -> None:
    settle(pipeline, 1_000, 5_999, 3_001)
    pipeline.execute(
        "INSERT INTO ledger.landed_files (bucket, key, etag, size, last_modified, status, attempts, next_attempt)"
        " VALUES ('huge', 'landing/999999.csv', 'e', 1, now(), 'failing', 1, now())"  # S3 does not hold it any more
    )
    before = pipeline.query("SELECT * FROM ledger.landed_files ORDER BY id")
    cursor = f"{sensors._AFTER}{key(999)}"
    huge.fail = lambda page: code if page == 2 else None

    with pytest.raises(Exception, match=told):
        tick(pipeline, s3_arrival_sensor, cursor)
    assert huge.asked == [1_000, 2_000]  # it broke off on the third page

    huge.asked.clear()
    assert not pipeline.run("s3_arrival", assets=["raw_orders"]).success  # would list all, and forget what is gone
    assert huge.asked == [0, 1_000]
    assert pipeline.query("SELECT * FROM ledger.landed_files ORDER BY id") == before

    huge.fail = lambda _: None
    monkeypatch.setattr(sensors, "MAX_KEYS_PER_RUN", 1)
    found = tick(pipeline, s3_arrival_sensor, cursor)  # a tick that failed leaves the cursor as it is
    assert (asked_for(found), found.cursor) == ([key(3_001)], f"{sensors._AFTER}{key(3_001)}")


def test_a_bucket_that_is_away_is_no_empty_bucket(pipeline: Pipeline, huge: HugeBucket) -> None:
    huge.fail = lambda _: "SlowDown"

    with pytest.raises(Exception, match="Could not list s3://huge/landing/"):
        tick(pipeline, s3_arrival_sensor)


def test_an_s3_that_hangs_ends_a_tick_in_time_with_its_name(
    pipeline: Pipeline, huge: HugeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()
    config = landing_client(read_settings(), hurried=True).meta.config
    attempts = config.retries["total_max_attempts"]
    assert sensors._TICK_SECONDS + attempts * (config.connect_timeout + config.read_timeout + 1) < 60

    client_for.cache_clear()
    monkeypatch.setattr("orders_pipeline.storage.s3._HURRIED", config.merge(Config(read_timeout=0.2)))
    huge.fail = lambda _: str(given_up.wait(30))
    try:
        with pytest.raises(Exception, match=f"No S3 server answers at http://127.0.0.1:{huge.server_port}"):
            tick(pipeline, s3_arrival_sensor)
    finally:
        given_up.set()
        client_for.cache_clear()


def test_objects_are_listed_as_botocore_lists_them(pipeline: Pipeline, services: Path) -> None:
    for name in ("a b.csv", "ü+&<'\">%20.csv", "sub/c.csv", "tab\t.csv"):
        pipeline.land(name, HEADER.encode())
    plain = client_of(services).list_objects_v2(Bucket=s3.bucket, Prefix=s3.prefix)

    listed = [version for page in s3.list_pages() for version in page]

    assert [(v.key, f'"{v.etag}"', v.size, v.last_modified) for v in listed] == [
        (item["Key"], item["ETag"], item["Size"], item["LastModified"]) for item in plain["Contents"]
    ]
    assert len(listed) == 4


@pytest.mark.parametrize("answer", [FAILURE.format(code="InternalError"), "", "<html>Please sign in</html>", "no XML"])
def test_a_success_that_is_no_listing_is_no_empty_listing(
    pipeline: Pipeline, huge: HugeBucket, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(huge, "page", lambda _: answer)

    with pytest.raises(ServiceUnavailableError, match=r"list s3://huge/landing/|What answered is no S3 server"):
        list(s3.list_pages())
