"""What the sensor remembers between its ticks. Only a crash repeats an alert, with the same key."""

from typing import Any

import dagster as dg
import pytest

from orders_pipeline.alerts import causes, delivery, memory, webhook
from orders_pipeline_tests.support.alerts import KEY, fail
from orders_pipeline_tests.support.receiver import Receiver
from orders_pipeline_tests.support.ticks import tick_alerts


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


def test_memory_is_bounded() -> None:
    kept = memory.Memory(after=0).learn(
        causes.Event("runs", causes={f"{number}": "end"}, alert=causes.Alert(f"{number}", ""))
        for number in range(2 * memory.MOST_REPORTED)
    )
    more = kept.learn([
        causes.Event("runs", causes={"more": "end"}, alert=causes.Alert("more", "")),
        causes.Event("runs", causes={"1500": "end"}),
    ])  # fmt: skip

    for found in (kept, more):
        assert [alert.text for alert in found.waiting] == [f"{n}" for n in range(memory.MOST_WAITING)]
    assert list(more.told)[-2:] == ["more", "1500"]  # what lasts is remembered, and the oldest are forgotten
    assert len(kept.told) == memory.MOST_REPORTED


def test_a_memory_that_cannot_be_read_starts_over(instance: dg.DagsterInstance, begun: Receiver) -> None:
    fail(instance)
    for kept in ("", "x", "[]", "{}", '{"after": 1, "seen": [], "told": {}, "waiting": [{}]}'):
        instance.daemon_cursor_storage.set_cursor_values({KEY: kept})
        assert tick_alerts(instance) == "Alerts start now: earlier failures are not posted."
    assert begun.told == []
