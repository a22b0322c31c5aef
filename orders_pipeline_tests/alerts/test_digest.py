"""Many alerts at once: a few are posted alone, and the others are summed up in one message."""

import dagster as dg
import pytest

from orders_pipeline.alerts import causes, delivery, memory
from orders_pipeline_tests.support.alerts import UI, fail, why
from orders_pipeline_tests.support.receiver import Receiver, closed, receiving
from orders_pipeline_tests.support.ticks import tick_alerts


def alerts(number: int) -> list[causes.Alert]:
    return [causes.Alert(f"Run failed: {n}\nError {n}\n{UI}/runs/{n}", f"key-{n}") for n in range(number)]


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
