"""What the alerts remember from one tick to the next: how far Dagster's log was read, what was reported, what waits.

It is kept in Dagster's storage. A sensor's cursor would be written only when the tick is over, and be copied into the
record of each tick."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

import dagster as dg
from pydantic import TypeAdapter, ValidationError

from orders_pipeline.alerts.causes import Alert, Event

MOST_WAITING: Final = 50
MOST_REPORTED: Final = 1_000

_GRACE: Final = 60.0  # seconds in which each tick tries
_LONGEST_PAUSE: Final = 900.0
_NOTHING: Final = ""


@dataclass(frozen=True)
class Memory:
    """What is known from one tick to the next, of bounded size. `after`: the last event read; `seen`: the latest
    events, by name, since one may become visible after another that has a higher number; `told`: causes, each with what
    ends it; `waiting`: alerts to deliver; `down_since` and `retry_at`: of a receiver that does not take them, in
    seconds."""

    after: int
    seen: frozenset[str] = frozenset()
    told: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[Alert, ...] = ()
    down_since: float | None = None
    retry_at: float = 0

    def learn(self, events: Iterable[Event]) -> Self:
        """After these events, in their order: alerts for new causes wait to be delivered."""
        reported, waiting = dict(self.told), list(self.waiting)
        for event in events:
            lasting = {cause: end for cause, end in reported.items() if end not in event.ends}
            if event.resolved and len(lasting) < len(reported):
                waiting.append(event.resolved)
            reported = lasting
            known = {cause: reported.pop(cause) for cause in event.causes if cause in reported}
            if event.alert and not known:
                waiting.append(event.alert)
            reported.update(known or event.causes)  # the latest last: the others are the first to be forgotten
        last_reported = dict(list(reported.items())[-MOST_REPORTED:])
        return replace(self, told=last_reported, waiting=tuple(waiting[:MOST_WAITING]))

    def delivered(self, number: int) -> Self:
        """After the receiver has taken so many of the alerts."""
        return replace(self, waiting=self.waiting[number:], down_since=None, retry_at=0)

    def failed(self, now: float) -> Self:
        """After the receiver has not. After a minute the time between attempts doubles: a receiver that takes alerts,
        but never answers in time, gets few repetitions."""
        since = now if self.down_since is None else self.down_since
        return replace(self, down_since=since, retry_at=now - _GRACE + min(now - since, _LONGEST_PAUSE))

    def is_paused(self, now: float) -> bool:
        """Whether it is too early to try again. A clock that was set back makes nothing wait."""
        return now < self.retry_at <= now + _LONGEST_PAUSE


_JSON: Final = TypeAdapter(Memory)


def recall(instance: dg.DagsterInstance, key: str) -> Memory | None:
    """What was kept last; None if that is nothing, or nothing that can be read."""
    kept = instance.daemon_cursor_storage.get_cursor_values({key}).get(key, _NOTHING)
    try:
        return _JSON.validate_json(kept)
    except ValidationError:
        return None


def keep(instance: dg.DagsterInstance, key: str, memory: Memory | None) -> None:
    """Keep it for whatever comes after this moment; None: as if nothing had been kept."""
    instance.daemon_cursor_storage.set_cursor_values({key: _JSON.dump_json(memory).decode() if memory else _NOTHING})
