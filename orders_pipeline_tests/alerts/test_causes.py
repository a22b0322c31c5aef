"""Each cause is reported once: what failed, why, and where to look."""

from collections.abc import Callable

import dagster as dg
import pytest

from orders_pipeline.alerts import causes
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.resources import S3Resource
from orders_pipeline.run_tags import WORK_TAG
from orders_pipeline_tests.support.alerts import NO_POSTGRES, UI, fail, run, succeed, why
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.receiver import Receiver
from orders_pipeline_tests.support.ticks import tick_alerts


def down(*_: object, **__: object) -> None:
    raise ServiceUnavailableError("S3 is away: <b> & 'c'")


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

    (text,) = receiver.failures
    assert "No Postgres listens at 127.0.0.1:1." in text


def test_a_run_that_failed_of_a_blocking_check_alone_is_reported_by_the_check(
    pipeline: Pipeline, receiver: Receiver
) -> None:
    tick_alerts(pipeline.instance)
    failed = [pipeline.run("daily_pipeline", partition=day) for day in ("2026-03-04", "2026-03-04", "2026-03-05")]
    assert not any(result.success for result in failed)

    tick_alerts(pipeline.instance)
    assert [text.splitlines()[0] for text in receiver.failures] == [
        "Check failed: orders_not_empty of daily_orders, in daily_pipeline for 2026-03-04",
        "Check failed: orders_not_empty of daily_orders, in daily_pipeline for 2026-03-05",
    ]
    assert "No clean order was ever delivered for 2026-03-04" in receiver.failures[0]
    assert receiver.failures[0].endswith(f"{UI}/runs/{failed[0].run_id}")


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
    assert receiver.failures == []
    for difference in ("0.01", "0.01", "0.02"):
        reconcile(difference)
    assert [text.splitlines()[0] for text in receiver.failures] == [
        "Check failed: revenue_reconciles of daily_revenue, in stale_days for 2026-03-04"
    ]
    for difference in ("0", "0.01"):
        reconcile(difference)
    assert len(receiver.failures) == 2


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

    assert [why(text) for text in begun.failures] == ["One thing"]


def test_one_error_is_one_cause_in_all_jobs_until_the_first_of_them_succeeds(
    instance: dg.DagsterInstance, begun: Receiver
) -> None:
    for number, job in enumerate(("s3_arrival", "stale_days", "s3_arrival")):
        fail(instance, f"Postgres hung up on client {number} at 0x7f{number:06}", job, **{WORK_TAG: str(number)})
    tick_alerts(instance)
    assert len(begun.failures) == 1

    succeed(instance, "stale_days")
    fail(instance, "Postgres hung up on client 3 at 0x7f3", "s3_arrival")
    tick_alerts(instance)
    assert len(begun.failures) == 1

    succeed(instance, "s3_arrival")
    fail(instance, "Postgres hung up on client 4 at 0x7f4", "s3_arrival")
    tick_alerts(instance)
    assert len(begun.failures) == 2


def test_work_that_succeeded_and_fails_again_is_reported_again(instance: dg.DagsterInstance, begun: Receiver) -> None:
    fail(instance, "One thing", **{WORK_TAG: "a"})
    succeed(instance, "s3_arrival", **{WORK_TAG: "a"})
    fail(instance, "One thing", **{WORK_TAG: "a"})
    tick_alerts(instance)

    assert len(begun.failures) == 2


def test_the_success_of_one_run_ends_neither_other_work_nor_a_backfill(
    instance: dg.DagsterInstance, begun: Receiver
) -> None:
    for tags, other in (({WORK_TAG: "a"}, {WORK_TAG: "b"}), ({"dagster/backfill": "b"}, {"dagster/backfill": "b"})):
        fail(instance, f"{tags}", **tags)
        succeed(instance, **other)
        fail(instance, f"{tags}", **tags)
    tick_alerts(instance)

    assert len(begun.failures) == 2


def test_other_errors_in_other_work_and_other_days_are_other_causes(
    instance: dg.DagsterInstance, begun: Receiver
) -> None:
    for error in ("2026-03-04 was never built", "2026-03-05 was never built", "2026-03-05 was lost"):
        fail(instance, error)
    tick_alerts(instance)

    assert [why(text) for text in begun.failures] == [
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

    assert [why(text) for text in receiver.failures] == ["Ours", "Of a sync on this machine"]


def test_what_failed_before_the_sensor_was_first_on_is_not_reported(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    for number in range(5):
        fail(instance, f"Old, {'x' * number}")
    assert tick_alerts(instance) == "Alerts start now: earlier failures are not posted."
    fail(instance, "New")
    tick_alerts(instance)

    assert [why(text) for text in receiver.failures] == ["New"]


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
    assert begun.failures == []


def test_each_alert_has_a_key_of_its_own(instance: dg.DagsterInstance, begun: Receiver) -> None:
    for error in ("One", "Two", "Three"):
        fail(instance, error, **{WORK_TAG: error})
    tick_alerts(instance)
    succeed(instance, **{WORK_TAG: "One"})
    fail(instance, "One", **{WORK_TAG: "One"})
    tick_alerts(instance)

    assert [why(text) for text in begun.failures] == ["One", "Two", "Three", "One"]
    assert (
        len(set(begun.keys)) == len(begun.told) == 5
    )  # the same error after a success is another failure, which no receiver may drop
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
