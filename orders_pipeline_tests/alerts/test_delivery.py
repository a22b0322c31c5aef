"""An alert is posted until the receiver takes it, and nothing that the receiver does delays anything else."""

import time
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace

import dagster as dg
import pytest

from orders_pipeline.alerts import delivery, memory, webhook
from orders_pipeline.run_tags import WORK_TAG
from orders_pipeline_tests.support.alerts import fail, why
from orders_pipeline_tests.support.receiver import Receiver, closed, receiving
from orders_pipeline_tests.support.ticks import tick_alerts


def clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}"


def test_one_alert_that_had_to_wait_is_posted_as_it_is(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = closed()
    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", away.url)
    tick_alerts(instance)
    fail(instance)
    for _ in range(2):
        said = tick_alerts(instance)
        assert said.startswith("Run failed: s3_arrival: the receiver did not answer (ConnectionError).\n")
        assert "Alerts waiting: 1. The first tick after " in said

    with receiving(away):
        assert tick_alerts(instance) == "Run failed: s3_arrival: delivered."
        tick_alerts(instance)
    assert [why(text) for text in away.told] == ["It was lost"]


def test_what_is_new_while_older_alerts_wait_comes_after_them(instance: dg.DagsterInstance, begun: Receiver) -> None:
    begun.status = 503
    for error in ("One", "Two"):
        fail(instance, error)
    tick_alerts(instance)
    begun.status = 200
    fail(instance, "Three")
    tick_alerts(instance)

    refused, digest, alone = begun.told
    assert why(refused) == "One"
    assert [word in digest for word in ("One", "Two", "Three")] == [True, True, False]
    assert why(alone) == "Three"


@pytest.mark.parametrize("status", [200, 201, 204])
def test_without_a_crash_no_alert_is_sent_twice(instance: dg.DagsterInstance, begun: Receiver, status: int) -> None:
    begun.status = status
    for _ in range(3):
        fail(instance)
        tick_alerts(instance)

    assert len(begun.told) == 1


@pytest.mark.parametrize("status", [302, 307, 400, 404, 429, 500, 502, 503])
def test_an_alert_is_posted_until_it_is_taken_with_the_same_key(
    instance: dg.DagsterInstance, begun: Receiver, status: int
) -> None:
    begun.status = status
    fail(instance)
    for _ in range(2):
        assert f"the receiver answered {status}" in tick_alerts(instance)
    begun.status = 200
    for _ in range(2):
        tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["It was lost"] * 3
    assert len(set(begun.keys)) == 1


def test_no_redirect_is_followed(instance: dg.DagsterInstance, begun: Receiver) -> None:
    elsewhere = closed()
    with receiving(elsewhere):
        for status in (301, 302, 303, 307, 308):
            begun.status, begun.headers = status, {"Location": f"http://127.0.0.1:{elsewhere.port}/"}
            fail(instance, f"{status}")
            assert f"the receiver answered {status}" in tick_alerts(instance)

    assert elsewhere.requests == []


@pytest.mark.parametrize("drips", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HT"], ids=["silent", "header", "status"])
def test_a_receiver_that_does_not_answer_in_time_delays_nothing_and_is_reported_again(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch, drips: bytes
) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.3)
    begun.drips = drips
    begun.silence.clear()
    fail(instance)
    for _ in range(2):
        start = time.monotonic()
        assert "the receiver did not answer" in tick_alerts(instance)
        assert time.monotonic() - start < 5
    begun.silence.set()
    tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["It was lost"] * 3
    assert len(set(begun.keys)) == 1


@pytest.mark.parametrize("number", [2, 5, 9])
def test_a_tick_ends_in_time_however_many_alerts_wait(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    assert (1 + delivery._MOST_ALONE) * webhook._SECONDS <= 30  # half of what Dagster allows
    monkeypatch.setattr(webhook, "_SECONDS", 0.3)
    begun.silence.clear()
    for letter in "abcdefghi"[:number]:
        fail(instance, f"Error {letter}")
    for ticks in (1, 2):
        assert f"Alerts waiting: {number}." in tick_alerts(instance)
        assert len(begun.told) == ticks


def test_a_receiver_that_never_answers_gets_few_repetitions() -> None:
    kept, start, attempts = memory.Memory(after=0), 1_000_000, []
    for second in range(0, 8 * 3600, 30):  # a night of ticks
        if not kept.is_paused(start + second):
            attempts.append(second)
            kept = kept.failed(start + second)

    assert attempts[:9] == [0, 30, 60, 90, 120, 180, 300, 540, 1020]
    assert all(later - earlier == 840 for earlier, later in pairwise(attempts[8:]))
    assert not kept.is_paused(start - 86_400)  # a clock that was set back makes nothing wait
    assert not kept.delivered(0).is_paused(start + attempts[-1])


def test_ticks_in_a_pause_post_nothing_and_tell_when_it_ends(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun.status = 500
    fail(instance, "One")
    start = time.time()
    for second, attempts in ((0, 1), (100, 2), (120, 2), (135, 2), (145, 3)):
        monkeypatch.setattr(delivery, "time", SimpleNamespace(time=lambda now=start + second: now))
        fail(instance, f"At {second}", **{WORK_TAG: "the same"})
        said = tick_alerts(instance)
        assert len(begun.told) == attempts, second
        if second == 120:
            assert said == f"Alerts waiting: 2. The first tick after {clock(start + 140)} UTC posts them."

    assert "One" in begun.told[-1]
    assert "At 0" in begun.told[-1]
