"""What the alerts remember from one tick to the next: how far Dagster's log was read, what was told, what waits.

It is kept in Dagster's storage, like a sensor's cursor, but is written at once and not when the tick is over."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Self

import dagster as dg

from orders_pipeline.alerts.causes import Event

MOST_WAITING: Final = 50
MOST_TOLD: Final = 1_000

_NOTHING: Final = ""


@dataclass(frozen=True)
class Waiting:
    """An alert that is still to be delivered."""

    text: str
    attempts: int = 0


@dataclass(frozen=True)
class Memory:
    """What is known from one tick to the next. `after`: the last event read; `seen`: the latest events, by name, since
    one may become visible after another that has a higher number; `told`: causes, each with what ends it."""

    after: int
    seen: frozenset[str] = frozenset()
    told: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()

    def to_json(self) -> str:
        """As text, of bounded length."""
        return json.dumps({**asdict(self), "seen": sorted(self.seen)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        kept = json.loads(text)
        waiting = tuple(Waiting(**alert) for alert in kept["waiting"])
        return cls(kept["after"], frozenset(kept["seen"]), kept["told"], waiting)

    def learn(self, events: Iterable[Event]) -> Self:
        """After these events, in their order: what is new waits to be told."""
        told, waiting = dict(self.told), list(self.waiting)
        for event in events:
            told = {cause: end for cause, end in told.items() if end not in event.ends}
            known = {cause: told.pop(cause) for cause in event.causes if cause in told}
            if event.causes and not known:
                waiting.append(Waiting(event.text))
            told.update(known or event.causes)  # the latest last: the others are the first to be forgotten
        if (more := len(waiting) - MOST_WAITING) > 0:
            left_out = "More has failed than is told here: see the list of runs in Dagster."
            waiting = [*waiting[: -more - 1], Waiting(left_out)]
        return replace(self, told=dict(list(told.items())[-MOST_TOLD:]), waiting=tuple(waiting))


def recall(instance: dg.DagsterInstance, key: str) -> Memory | None:
    """What was kept last; None if that is nothing, or nothing that can be read."""
    kept = instance.daemon_cursor_storage.get_cursor_values({key}).get(key, _NOTHING)
    try:
        return Memory.from_json(kept)
    except (ValueError, TypeError, KeyError):
        return None


def keep(instance: dg.DagsterInstance, key: str, memory: Memory) -> None:
    """Keep it for whatever comes after this moment."""
    instance.daemon_cursor_storage.set_cursor_values({key: memory.to_json()})


def forget(instance: dg.DagsterInstance, key: str) -> None:
    """As if nothing had been kept."""
    if recall(instance, key):
        instance.daemon_cursor_storage.set_cursor_values({key: _NOTHING})
