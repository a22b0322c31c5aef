"""Which sensors and schedules fail, or tick no more."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType, TickStatus

from orders_pipeline.alert_selection import TICKS
from orders_pipeline.alerts.causes import Alert, Event, failure_text, lasting
from orders_pipeline.runs.backoff import fingerprint

_READ: Final = 25  # ticks of each: more than a sensor has in the time after which it is late
_LATE_SENSOR: Final = 600.0  # seconds
_LATE_SCHEDULE: Final = 25 * 3600.0  # a day, and what a tick may be late itself
_ENOUGH: Final = 8  # ticks of this sensor within that time show that the daemon itself was there


@dataclass(frozen=True)
class Tick:
    """`error`: why it failed; None if it did not."""

    began: float
    error: str | None = None


@dataclass(frozen=True)
class Ticking:
    """A sensor or schedule that is switched on, and its ticks that ended, the newest first."""

    name: str
    kind: str
    ticks: Sequence[Tick]

    def error(self) -> str | None:
        """Why it fails. A sensor that failed once may be well at its next tick, half a minute later."""
        judged = self.ticks[: 2 if self.is_sensor else 1]
        fails = bool(judged) and all(tick.error is not None for tick in judged)
        return judged[0].error if fails and (len(judged) > 1 or not self.is_sensor) else None

    def is_late(self, now: float) -> bool:
        """Whether its next tick should have begun. One that never ticked is not late: it was switched on only now."""
        patience = _LATE_SENSOR if self.is_sensor else _LATE_SCHEDULE
        return bool(self.ticks) and self.ticks[0].began < now - patience

    @property
    def is_sensor(self) -> bool:
        """Or else a schedule."""
        return self.kind == "Sensor"


def read(
    instance: dg.DagsterInstance, ours: dg.RepositoryDefinition | None, location: str | None = None
) -> list[Ticking]:
    """The sensors and schedules of a code location that are switched on. None: of all locations. Dagster also remembers
    some that are no longer defined; these are left out, if `ours` is known."""
    if instance.schedule_storage is None:
        return []  # an instance in memory
    return [
        Ticking(
            state.instigator_name,
            "Sensor" if state.instigator_type is InstigatorType.SENSOR else "Schedule",
            [
                Tick(tick.timestamp, tick.error.message.strip() if tick.error else None)
                for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=_READ)
                if tick.status is not TickStatus.STARTED
            ],
        )
        for state in instance.all_instigator_state()
        if state.is_running
        and location in (None, state.repository_selector.location_name)
        and (ours is None or ours.has_sensor_def(state.name) or ours.has_schedule_def(state.name))
    ]


def judge(found: Iterable[Ticking], own: str, now: float, dagster_url: str) -> Iterator[Event]:
    """An event for each: that it works, or what is wrong. `own`: the sensor that looks. Where it has not ticked for a
    while itself, the daemon was away, and no one is late yet."""
    found = list(found)
    daemon_was_there = any(
        one.name == own and sum(tick.began > now - _LATE_SENSOR for tick in one.ticks) >= _ENOUGH for one in found
    )
    for one in found:
        if error := one.error():
            yield _failure(one, "failed", error, dagster_url)
        elif not one.is_late(now):
            began = one.ticks[0].began if one.ticks else now
            resolved = Alert(f"Resolved: {one.name} ticks again", fingerprint([_end(one), began]))
            yield Event(TICKS, ends=frozenset({_end(one)}), resolved=resolved)
        elif daemon_was_there:
            last = f"{datetime.fromtimestamp(one.ticks[0].began, UTC):%Y-%m-%d %H:%M:%S} UTC"
            yield _failure(one, "is late", f"Its last tick began {last}. See the daemon's log.", dagster_url)


def _failure(one: Ticking, what: str, why: str, dagster_url: str) -> Event:
    cause = fingerprint(["tick", one.name, lasting(why)])
    text = failure_text(f"{one.kind} {what}: {one.name}", why, f"{dagster_url.rstrip('/')}/automation")
    return Event(TICKS, causes={cause: _end(one)}, alert=Alert(text, fingerprint([cause, one.ticks[0].began])))


def _end(one: Ticking) -> str:
    return f"ticks of {one.name}"
