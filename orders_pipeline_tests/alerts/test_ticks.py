"""A sensor or schedule that fails, or ticks no more, is reported once; a heartbeat is sent for as long as none does."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import SerializableErrorInfo

from orders_pipeline.alerts.memory import Memory
from orders_pipeline.alerts.ticks import Tick, Ticking, judge
from orders_pipeline.runs.in_process import LOCATION
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.receiver import SECRET_PATH, Receiver
from orders_pipeline_tests.support.ticks import tick_alerts

NOW = 1_800_000_000.0
OWN = "run_failure_sensor"
STEADY = Ticking(OWN, "Sensor", [Tick(NOW - 30 * number) for number in range(1, 25)])


def posted(*found: Ticking, own: Ticking = STEADY, told: Memory | None = None) -> list[str]:
    memory = (told or Memory(after=0)).learn(judge([own, *found], OWN, NOW, "http://ui/"))
    return [alert.text for alert in memory.waiting]


def ticks(name: str, *errors: str | None, ago: float = 30, kind: str = "Sensor") -> Ticking:
    return Ticking(name, kind, [Tick(NOW - ago * number, error) for number, error in enumerate(errors, 1)])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ticks("arrival", "S3 <is> away", "S3 <is> away"), "Sensor failed: arrival\nS3 &lt;is&gt; away"),
        (ticks("arrival", "One", "Another"), "Sensor failed: arrival\nOne"),
        (ticks("arrival", "S3 is away", None), None),  # the next tick may well succeed
        (ticks("arrival", "S3 is away"), None),
        (ticks("arrival", None, "S3 is away"), None),
        (ticks("arrival"), None),
        (ticks("morning", "It broke", kind="Schedule"), "Schedule failed: morning\nIt broke"),
        (ticks("morning", None, "It broke", kind="Schedule"), None),
        (ticks("arrival", None, ago=599), None),
        (ticks("arrival", None, ago=601), "Sensor is late: arrival\nIts last tick began 2027-01-15 07:49:59 UTC."),
        (ticks("morning", None, ago=24 * 3600, kind="Schedule"), None),
        (ticks("morning", None, ago=26 * 3600, kind="Schedule"), "Schedule is late: morning\nIts last tick"),
    ],
)
def test_what_fails_or_is_late_is_reported(found: Ticking, expected: str | None) -> None:
    texts = posted(found)
    assert [text.startswith(expected or "?") for text in texts] == ([True] if expected else [])
    assert all(text.endswith("\nhttp://ui/automation") for text in texts)


@pytest.mark.parametrize(
    "own",
    [ticks(OWN, None), ticks(OWN, None, None, ago=86_400), ticks(OWN, *[None] * 30, ago=700), ticks("another", None)],
    ids=["began now", "was away", "rare", "is off"],
)
def test_no_one_is_late_where_the_daemon_itself_was_away(own: Ticking) -> None:
    assert posted(ticks("arrival", None, ago=90_000), own=own) == []


def test_a_failure_is_reported_once_and_so_is_its_end() -> None:
    fails, works = (ticks("arrival", *[error] * 2) for error in ("No connection 17", None))
    memory = Memory(after=0).learn(judge([STEADY, fails], OWN, NOW, "http://ui"))
    again = ticks("arrival", *["No connection 18"] * 2)
    memory = memory.learn(judge([STEADY, again], OWN, NOW, "http://ui"))
    memory = memory.learn(judge([STEADY, works], OWN, NOW, "http://ui"))
    memory = memory.learn(judge([STEADY, works], OWN, NOW, "http://ui"))

    assert [alert.headline for alert in memory.waiting] == [
        "Sensor failed: arrival",
        "Resolved: arrival ticks again",
    ]
    assert memory.told == {}


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that stores ticks."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as found:
        yield found


def store(
    instance: dg.DagsterInstance,
    status: TickStatus,
    error: str = "",
    location: str = LOCATION,
    name: str = "s3_arrival_sensor",
) -> None:
    """A tick of a sensor that ended now."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
    origin = repository.get_instigator_origin(name)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData())
    if instance.get_instigator_state(state.instigator_origin_id, state.selector_id) is None:
        instance.add_instigator_state(state)
    told = SerializableErrorInfo(error, [], None) if error else None
    began = time.time()
    instance.create_tick(
        TickData(
            state.instigator_origin_id, name, InstigatorType.SENSOR, status, began, error=told,
            selector_id=state.selector_id, run_ids=[], run_keys=[],
        )
    )  # fmt: skip


def test_ticks_are_read_from_dagster_and_the_heart_beats_while_none_fails(
    stored: dg.DagsterInstance,
    receiver: Receiver,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ORDERS_HEARTBEAT_URL", receiver.url)
    tick_alerts(stored, LOCATION)
    store(stored, TickStatus.SKIPPED)
    for _ in range(2):
        store(stored, TickStatus.FAILURE, "Elsewhere", location="elsewhere")
        store(stored, TickStatus.FAILURE, "It was removed", name="a_sensor_of_last_year")
    assert tick_alerts(stored, LOCATION) == "No new failures."
    assert [request[:2] for request in receiver.requests] == [("GET", SECRET_PATH)] * 2

    for _ in range(2):
        store(stored, TickStatus.FAILURE, "S3 is away")
    store(stored, TickStatus.STARTED)
    assert tick_alerts(stored, LOCATION) == "Sensor failed: s3_arrival_sensor: delivered."
    assert [request[0] for request in receiver.requests] == ["GET", "GET", "POST"]
    monkeypatch.setenv("DAGSTER_HOME", stored.root_directory)
    told = json.loads(call("status", "--json").output)["last_ticks"]
    assert {name: tick["error"] for name, tick in told.items()} == {"s3_arrival_sensor": "S3 is away"}
    assert "  last tick s3_arrival_sensor: 20" in call("status").output
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dagster.yaml").write_text("no_such_setting: 1\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "broken"))
    assert "last tick unknown: Dagster's storage did not answer" in call("status").output
    assert json.loads(call("status", "--json").output)["last_ticks"] is None

    store(stored, TickStatus.SUCCESS)
    assert tick_alerts(stored, LOCATION) == "Resolved: s3_arrival_sensor ticks again: delivered."
    assert [request[0] for request in receiver.requests] == ["GET", "GET", "POST", "POST", "GET"]


def test_a_heartbeat_that_is_not_taken_is_said_without_its_address(
    instance: dg.DagsterInstance, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_HEARTBEAT_URL", receiver.url)
    monkeypatch.delenv("ORDERS_ALERT_WEBHOOK_URL")
    receiver.status = 500
    said = tick_alerts(instance)
    assert said.endswith("Heartbeat: the receiver answered 500.")
    assert SECRET_PATH not in said
