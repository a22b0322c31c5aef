"""What fails is told to the webhook, once for each cause, and nothing that the receiver does is felt elsewhere.

Only a crash, or a receiver that does not answer, makes it told again: with the same key."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

from orders_pipeline.alerts import causes, delivery, log, memory, webhook
from orders_pipeline.errors import ServiceUnavailableError, SettingsError
from orders_pipeline.resources import S3Resource
from orders_pipeline.runs.backoff import WORK_TAG
from orders_pipeline.settings import read_settings
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.receiver import Receiver, closed, receiving
from orders_pipeline_tests.support.ticks import tick_alerts

KEY = "orders_pipeline/alerts/"
NO_POSTGRES = "postgresql://127.0.0.1:1/none"
UI = "http://127.0.0.1:3000"


@pytest.fixture
def instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance in memory, or in a folder as users have it: a log for each run, and an index. The ledger's
    Postgres is down: nothing here needs it."""
    monkeypatch.setenv("ORDERS_DATABASE_URL", NO_POSTGRES)
    in_folder = getattr(request, "param", "") == "in a folder"
    with dg.DagsterInstance.local_temp(str(tmp_path)) if in_folder else dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """One that listens."""
    found = closed()
    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", found.url)
    with receiving(found):
        yield found


@pytest.fixture
def begun(instance: dg.DagsterInstance, receiver: Receiver) -> Receiver:
    """A receiver which is told of what happens from now on."""
    assert tick_alerts(instance) == "Alerts start now: earlier failures are not posted."
    return receiver


def run(instance: dg.DagsterInstance, job: str = "s3_arrival", location: str = "", **tags: str) -> dg.DagsterRun:
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "r").get_job_origin(job)
    return instance.add_run(dg.DagsterRun(job, tags=tags, remote_job_origin=origin if location else None))


def fail(instance: dg.DagsterInstance, error: str = "It was lost", job: str = "s3_arrival", **tags: str) -> str:
    """A run that failed for this reason."""
    failed = run(instance, job, **tags)
    instance.report_run_failed(failed, error)
    return failed.run_id


def succeed(instance: dg.DagsterInstance, job: str = "s3_arrival", **tags: str) -> None:
    done = run(instance, job, **tags)
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job)
    instance.report_dagster_event(event, done.run_id, logging.INFO)


def down(*_: object, **__: object) -> None:
    raise ServiceUnavailableError("S3 is away: <b> & 'c'")


def why(text: str) -> str:
    return text.splitlines()[1]


def clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}"


def alerts(number: int) -> list[causes.Alert]:
    return [causes.Alert(f"Run failed: {n}\nError {n}\n{UI}/runs/{n}", f"key-{n}") for n in range(number)]


def test_a_failed_run_is_reported_with_what_failed_why_and_where_to_look(
    pipeline: Pipeline, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_DAGSTER_URL", "https://dagster.example/ui/")
    tick_alerts(pipeline.instance)
    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "list_pages", down)
        failed = pipeline.run("daily_pipeline", partition="2026-03-04")

    assert tick_alerts(pipeline.instance) == "Run failed: daily_pipeline for 2026-03-04, step raw_orders: delivered."
    assert tick_alerts(pipeline.instance) == "No new failures."
    assert receiver.requests[0][2] == {
        "text": "Run failed: daily_pipeline for 2026-03-04, step raw_orders\n"
        "ServiceUnavailableError: S3 is away: &lt;b&gt; &amp; 'c'\n"
        f"https://dagster.example/ui/runs/{failed.run_id}"
    }
    assert len(receiver.requests) == 1


def test_that_postgres_is_down_is_reported(
    pipeline: Pipeline, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick_alerts(pipeline.instance)
    monkeypatch.setenv("ORDERS_DATABASE_URL", NO_POSTGRES)
    for partition in ("2026-03-04", "2026-03-05"):
        assert not pipeline.run("daily_pipeline", partition=partition).success
    tick_alerts(pipeline.instance)

    (text,) = receiver.told
    assert "OperationalError" in text
    assert 'connection to server at "127.0.0.1", port 1 failed' in text


def test_a_run_that_failed_of_a_blocking_check_alone_is_reported_by_the_check(
    pipeline: Pipeline, receiver: Receiver
) -> None:
    tick_alerts(pipeline.instance)
    failed = [pipeline.run("daily_pipeline", partition=day) for day in ("2026-03-04", "2026-03-04", "2026-03-05")]
    assert not any(result.success for result in failed)

    tick_alerts(pipeline.instance)
    assert [text.splitlines()[0] for text in receiver.told] == [
        "Check failed: orders_not_empty of daily_orders, in daily_pipeline for 2026-03-04",
        "Check failed: orders_not_empty of daily_orders, in daily_pipeline for 2026-03-05",
    ]
    assert "No clean order was ever delivered for 2026-03-04" in receiver.told[0]
    assert receiver.told[0].endswith(f"{UI}/runs/{failed[0].run_id}")


def test_a_failed_check_is_reported_once_until_it_has_passed(
    pipeline: Pipeline, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,-1.00,2026-03-04")
    tick_alerts(pipeline.instance)

    def reconcile(difference: str) -> None:
        pipeline.execute("UPDATE analytics.daily_revenue SET revenue = -1 + CAST(:d AS numeric)", d=difference)
        assert pipeline.run("stale_days", partition="2026-03-04").success
        tick_alerts(pipeline.instance)

    pipeline.sync()  # negative amounts warn, and that is all
    tick_alerts(pipeline.instance)
    assert receiver.told == []
    for difference in ("0.01", "0.01", "0.02"):
        reconcile(difference)
    assert [text.splitlines()[0] for text in receiver.told] == [
        "Check failed: revenue_reconciles of daily_revenue, in stale_days for 2026-03-04"
    ]
    for difference in ("0", "0.01"):
        reconcile(difference)
    assert len(receiver.told) == 2


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({WORK_TAG: "a"}, {WORK_TAG: "a"}),
        ({"dagster/backfill": "b"}, {"dagster/backfill": "b"}),
        ({}, {"dagster/parent_run_id": "FIRST", "dagster/root_run_id": "FIRST"}),
    ],
    ids=["asked for again", "backfill", "retried"],
)
def test_attempts_at_the_same_work_are_one_cause_whatever_they_die_of(
    instance: dg.DagsterInstance, begun: Receiver, first: dict[str, str], again: dict[str, str]
) -> None:
    root = fail(instance, "One thing", **first)
    again = {name: value.replace("FIRST", root) for name, value in again.items()}
    fail(instance, "Another", **again)
    tick_alerts(instance)
    fail(instance, "A third", **again)
    tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["One thing"]


def test_one_error_is_one_cause_in_all_jobs_until_the_first_of_them_succeeds(
    instance: dg.DagsterInstance, begun: Receiver
) -> None:
    for number, job in enumerate(("s3_arrival", "stale_days", "s3_arrival")):
        fail(instance, f"Postgres hung up on client {number} at 0x7f{number:06}", job, **{WORK_TAG: str(number)})
    tick_alerts(instance)
    assert len(begun.told) == 1

    succeed(instance, "stale_days")
    fail(instance, "Postgres hung up on client 3 at 0x7f3", "s3_arrival")
    tick_alerts(instance)
    assert len(begun.told) == 1

    succeed(instance, "s3_arrival")
    fail(instance, "Postgres hung up on client 4 at 0x7f4", "s3_arrival")
    tick_alerts(instance)
    assert len(begun.told) == 2


def test_work_that_succeeded_and_fails_again_is_reported_again(instance: dg.DagsterInstance, begun: Receiver) -> None:
    fail(instance, "One thing", **{WORK_TAG: "a"})
    succeed(instance, "s3_arrival", **{WORK_TAG: "a"})
    fail(instance, "One thing", **{WORK_TAG: "a"})
    tick_alerts(instance)

    assert len(begun.told) == 2


def test_the_success_of_one_run_ends_neither_other_work_nor_a_backfill(
    instance: dg.DagsterInstance, begun: Receiver
) -> None:
    for tags, other in (({WORK_TAG: "a"}, {WORK_TAG: "b"}), ({"dagster/backfill": "b"}, {"dagster/backfill": "b"})):
        fail(instance, f"{tags}", **tags)
        succeed(instance, **other)
        fail(instance, f"{tags}", **tags)
    tick_alerts(instance)

    assert len(begun.told) == 2


def test_other_errors_in_other_work_and_other_days_are_other_causes(
    instance: dg.DagsterInstance, begun: Receiver
) -> None:
    for error in ("2026-03-04 was never built", "2026-03-05 was never built", "2026-03-05 was lost"):
        fail(instance, error)
    tick_alerts(instance)

    assert [why(text) for text in begun.told] == [
        "2026-03-04 was never built", "2026-03-05 was never built", "2026-03-05 was lost",
    ]  # fmt: skip


def test_runs_of_other_code_locations_and_jobs_are_not_reported(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    tick_alerts(instance, "here")
    instance.report_run_failed(run(instance, location="elsewhere"), "Theirs")
    instance.report_run_failed(run(instance, "somebody_elses"), "Nobody's")
    instance.report_run_failed(run(instance, location="here"), "Ours")
    instance.report_run_failed(run(instance, "stale_days"), "Of a sync on this machine")
    tick_alerts(instance, "here")

    assert [why(text) for text in receiver.told] == ["Ours", "Of a sync on this machine"]


def test_what_failed_before_the_sensor_was_first_on_is_not_reported(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    for number in range(5):
        fail(instance, f"Old, {'x' * number}")
    assert tick_alerts(instance) == "Alerts start now: earlier failures are not posted."
    fail(instance, "New")
    tick_alerts(instance)

    assert [why(text) for text in receiver.told] == ["New"]


def test_without_a_webhook_nothing_is_kept_to_be_sent_later(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERS_ALERT_WEBHOOK_URL")
    fail(instance, "While nobody was to be told")
    assert tick_alerts(instance) == "ORDERS_ALERT_WEBHOOK_URL is not set: no alerts are sent."
    assert tick_alerts(instance) == "ORDERS_ALERT_WEBHOOK_URL is not set: no alerts are sent."

    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", begun.url)
    for _ in range(2):
        tick_alerts(instance)
    assert begun.told == []


def test_each_alert_has_a_key_of_its_own(instance: dg.DagsterInstance, begun: Receiver) -> None:
    for error in ("One", "Two", "Three"):
        fail(instance, error, **{WORK_TAG: error})
    tick_alerts(instance)
    succeed(instance, **{WORK_TAG: "One"})
    fail(instance, "One", **{WORK_TAG: "One"})
    tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["One", "Two", "Three", "One"]
    assert len(set(begun.keys)) == 4  # the same error after a success is another failure, which no receiver may drop
    assert all(key.isalnum() and len(key) == 32 for key in begun.keys)


def check(run: dg.DagsterRun) -> causes.Event:
    found = dg.AssetCheckEvaluation(dg.AssetKey("a"), "c", passed=False, metadata={}, description="1 row is lost")
    return causes.check_evaluated(run, found, UI)


@pytest.mark.parametrize(
    "event",
    [
        lambda run: causes.run_failed(run, None, "Error", UI),
        lambda run: causes.run_failed(run.with_tags({WORK_TAG: "w"}), "step", "Error", UI),
        lambda run: causes.run_failed(run.with_tags({"dagster/backfill": "b"}), "step", "Error", UI),
        check,
    ],
    ids=["run", "work", "backfill", "check"],
)
def test_the_key_is_of_the_cause_and_of_the_run_that_met_it(event: Callable[[dg.DagsterRun], causes.Event]) -> None:
    first, second = dg.DagsterRun("job"), dg.DagsterRun("job")
    alert, again, later = (event(run).alert for run in (first, first, second))

    assert alert
    assert later
    assert alert == again
    assert alert.key != later.key


@pytest.mark.parametrize("ticks", [1, 3, 20])
def test_a_receiver_that_is_down_gets_one_digest_when_it_is_back(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, ticks: int
) -> None:
    monkeypatch.setattr(memory, "_GRACE", 3600.0)
    away = closed()
    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", away.url)
    tick_alerts(instance)
    errors = [f"Error {letter}" for letter in "abcdefghijklmnopqrst"[: max(ticks, 2)]]
    for error in errors:
        fail(instance, error)
        if ticks > 1:
            said = tick_alerts(instance)
            assert "s3_arrival: the receiver did not answer (ConnectionError)." in said or "failures since" in said
    tick_alerts(instance)
    assert f"Alerts waiting: {len(errors)}." in tick_alerts(instance)

    with receiving(away):
        assert tick_alerts(instance) == f"{len(errors)} failures since the last message: delivered."
        assert tick_alerts(instance) == "No new failures."
    (text,) = away.told
    assert [line for line in text.splitlines() if line.startswith("Error")] == errors
    assert text.count(f"{UI}/runs/") == len(errors)


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


@pytest.mark.parametrize("number", [5, 6, 9])
def test_of_many_at_once_the_first_come_alone_and_the_others_in_one_message(
    instance: dg.DagsterInstance, begun: Receiver, number: int
) -> None:
    errors = [f"Error {letter}" for letter in "abcdefghi"[:number]]
    for error in errors:
        fail(instance, error)
    for _ in range(3):
        tick_alerts(instance)

    assert [why(text) for text in begun.told[:5]] == errors[:5]
    assert len(begun.told) == (5 if number == 5 else 6)
    assert [line for text in begun.told for line in text.splitlines() if line.startswith("Error")] == errors


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


@pytest.mark.parametrize("when", ["before it is posted", "after it is posted", "before it is recorded"])
@pytest.mark.parametrize("situation", ["one", "several", "digest"])
def test_a_process_that_dies_sends_each_alert_once_and_at_most_one_message_again(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch, when: str, situation: str
) -> None:
    errors = {"one": ["One"], "several": ["One", "Two", "Three"], "digest": ["One", "Two", "Three"]}[situation]
    if situation == "digest":
        begun.status = 503
    for error in errors:
        fail(instance, error)
    if situation == "digest":
        tick_alerts(instance)
        begun.status = 200
        begun.requests.clear()
        begun.keys.clear()

    def post_and_die(url: str, alert: causes.Alert) -> None:
        if when == "after it is posted":
            webhook.post(url, alert)
        raise KeyboardInterrupt

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        dying = ("keep", die) if when == "before it is recorded" else ("post", post_and_die)
        patched.setattr(delivery, *dying)
        with pytest.raises(KeyboardInterrupt):
            tick_alerts(instance)
    fail(instance, "Later")  # does not change what is told again
    for _ in range(3):
        tick_alerts(instance)

    told = [[line for line in text.splitlines() if line in {*errors, "Later"}] for text in begun.told]
    messages = [errors] if situation == "digest" else [[error] for error in errors]
    twice = [] if when == "before it is posted" else messages[:1]
    assert told == [*twice, *messages, ["Later"]]
    assert len(set(begun.keys)) == len(messages) + 1
    if twice:
        assert begun.keys[0] == begun.keys[1]


@pytest.mark.parametrize("fails", [1, 2, 3])
def test_each_crash_repeats_one_message_and_loses_none(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    """At whichever of the writes to Dagster's storage it dies."""
    for error in ("One", "Two", "Three"):
        fail(instance, error)
    kept = []

    def keep_or_die(*arguments: Any) -> None:
        kept.append(arguments)
        if len(kept) == fails:
            raise KeyboardInterrupt
        memory.keep(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "keep", keep_or_die)
        with pytest.raises(KeyboardInterrupt):
            tick_alerts(instance)
        for _ in range(2):
            tick_alerts(instance)

    told = [line for text in begun.told for line in text.splitlines() if line in {"One", "Two", "Three"}]
    assert sorted(told) == sorted(["One", "Two", "Three", ("One", "Two", "Three")[fails - 1]])
    assert len(set(begun.keys)) == 3


def test_an_event_that_becomes_visible_late_is_not_missed(instance: dg.DagsterInstance, begun: Receiver) -> None:
    """One that is written first may be committed last, in a log that many write to."""
    storage: Any = instance.event_log_storage
    late = fail(instance, "Late")
    fail(instance, "On time")
    with storage.index_connection() as connection:
        where = SqlEventLogStorageTable.c.run_id == late
        (row,) = connection.execute(SqlEventLogStorageTable.select().where(where)).mappings().all()
        connection.execute(SqlEventLogStorageTable.delete().where(where))
    tick_alerts(instance)
    with storage.index_connection() as connection:
        connection.execute(SqlEventLogStorageTable.insert().values(**row))
    for _ in range(2):
        tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["On time", "Late"]


@pytest.mark.parametrize("instance", ["in a folder"], indirect=True)
def test_runs_that_get_the_numbers_of_deleted_ones_are_not_taken_for_them(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_LATE", 2)
    failed = [fail(instance, "One")]
    tick_alerts(instance)
    for errors in (("Two", "Three", "Four", "Five"), ("Six",)):
        for deleted in failed:
            instance.delete_run(deleted)
        failed = [fail(instance, error) for error in errors]
        tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["One", "Two", "Three", "Four", "Five", "Six"]


def test_a_long_log_is_read_in_parts_and_none_is_left_out(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_LATE", 2)
    monkeypatch.setattr(log, "_AT_ONCE", 4)
    errors = [f"Error {letter}" for letter in "abcdefghij"]
    for error in errors:
        fail(instance, error)
    for _ in range(6):
        succeed(instance, "stale_days")
    for _ in range(8):
        tick_alerts(instance)

    assert [why(text) for text in begun.told] == errors


def test_memory_is_bounded() -> None:
    kept = memory.Memory(after=0).learn(
        causes.Event(causes={f"{number}": "end"}, alert=causes.Alert(f"{number}", ""))
        for number in range(2 * memory.MOST_REPORTED)
    )
    more = kept.learn([
        causes.Event(causes={"more": "end"}, alert=causes.Alert("more", "")), causes.Event(causes={"1500": "end"}),
    ])  # fmt: skip

    for found in (kept, more):
        assert [alert.text for alert in found.waiting] == [f"{n}" for n in range(memory.MOST_WAITING)]
    assert list(more.told)[-2:] == ["more", "1500"]  # what lasts is remembered, and the oldest are forgotten
    assert len(kept.told) == memory.MOST_REPORTED


@pytest.mark.parametrize("number", [2, 15, 30, 49])
@pytest.mark.parametrize("why_length", [10, 1_000])
def test_a_digest_lists_all_texts_or_all_headlines(number: int, why_length: int) -> None:
    given = [causes.Alert(f"{alert.text}{'x' * why_length}", alert.key) for alert in alerts(number)]
    message = delivery.as_message(given)

    whole = why_length == 10 or number == 2
    lines = message.text.splitlines()
    for alert in given:
        assert alert.headline in lines
        assert whole == (alert.text in message.text)
    assert "more failures than" not in message.text


@pytest.mark.parametrize("length", [100, 700, 5_000])
def test_a_digest_is_bounded_and_tells_what_it_leaves_out(length: int) -> None:
    long = [causes.Alert(f"{number} {'x' * length}\nwhy", f"{number}") for number in range(memory.MOST_WAITING)]
    text = delivery.as_message(long).text

    assert len(text) < delivery.LONGEST_DIGEST + 300
    assert text.endswith("There are more failures than listed here: see the list of runs in Dagster.")


def test_the_key_of_a_digest_is_of_what_it_lists() -> None:
    three = delivery.as_message(alerts(3))

    assert three.key == delivery.as_message(alerts(3)).key
    assert len({three.key, delivery.as_message(alerts(2)).key, delivery.as_message(alerts(4)).key}) == 3


def test_a_flood_is_summed_up(instance: dg.DagsterInstance, begun: Receiver) -> None:
    for number in range(60):
        fail(instance, f"Error {'x' * (number + 1)}")
    for _ in range(3):
        tick_alerts(instance)

    assert len(begun.told) == 6
    assert begun.told[-1].startswith("45 failures since the last message")


def test_a_memory_that_cannot_be_read_starts_over(instance: dg.DagsterInstance, begun: Receiver) -> None:
    fail(instance)
    for kept in ("", "x", "[]", "{}", '{"after": 1, "seen": [], "told": {}, "waiting": [{}]}'):
        instance.daemon_cursor_storage.set_cursor_values({KEY: kept})
        assert tick_alerts(instance) == "Alerts start now: earlier failures are not posted."
    assert begun.told == []


@pytest.mark.parametrize("how", ["delivered", "refused", "404", "redirected", "cut off", "no HTTP", "down"])
def test_the_url_is_in_no_log_no_tick_and_no_memory(
    instance: dg.DagsterInstance,
    begun: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    how: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    begun.status = {"refused": 500, "404": 404, "redirected": 302}.get(how, 200)
    begun.headers = {"Location": begun.url} if how == "redirected" else {}
    if how == "cut off":
        begun.headers = {"Bad header, and more of it": "\r\n x", "Content-Length": "99"}
    if how == "no HTTP":
        begun.headers = {"X": "\r\n\x00 no header"}
    if how == "down":
        monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", closed().url)
    fail(instance)

    said = [tick_alerts(instance) for _ in range(2)]
    assert (how == "down") == (begun.told == [])
    kept = str(instance.daemon_cursor_storage.get_cursor_values({KEY}))
    printed = capfd.readouterr()
    for text in (*said, kept, caplog.text, printed.out, printed.err, repr(read_settings())):
        assert "SECRET" not in text


@pytest.mark.parametrize("url", ["hooks.SECRET.com/x", "ftp://SECRET", "https://", "https:///SECRET"])
def test_a_webhook_that_is_no_url_is_refused_by_name_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", url)

    with pytest.raises(SettingsError, match="ORDERS_ALERT_WEBHOOK_URL") as refused:
        read_settings()
    assert "SECRET" not in str(refused.value)


def test_what_others_wrote_cannot_mention_link_or_break_a_line_and_is_cut() -> None:
    failed = dg.DagsterRun("job")
    error = "a.b.KeyError: <!channel> <http://evil|ok> &amp; \u202e\x00 two\n\n   lines \ud800" + "&" * 5_000

    alert = causes.run_failed(failed, "s", error, UI).alert
    assert alert
    what, said, link = alert.text.splitlines()
    assert said.startswith(
        "KeyError: &lt;!channel&gt; &lt;http://evil|ok&gt; &amp;amp; \\u202e\\x00 two lines \\ud800&amp;&amp;"
    )
    assert len(said) < 5 * 800
    assert said.endswith("&amp; ...")
    assert (what, link) == ("Run failed: job, step s", f"{UI}/runs/{failed.run_id}")
