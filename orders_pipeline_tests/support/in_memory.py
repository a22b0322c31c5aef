"""Dagster's storage in memory, made quicker: nearly every test has one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster._core.storage.event_log.in_memory as event_log
import dagster._core.storage.runs.in_memory as runs
from sqlalchemy.engine import Connection

_STAMP = "stamp_alembic_rev"


def quicken() -> None:
    """Note no revision in it: no one migrates it, and Alembic would load all of Dagster's migrations each time.
    For each event, neither look whether a table has its columns nor set the mode of a journal."""
    modules: list[Any] = [event_log, runs]
    for module in modules:
        _replace(module, _STAMP, lambda *_: None)
    events: Any = event_log.InMemoryEventLogStorage
    _replace(events, "_has_asset_key_col_on_connection", lambda *_: True)
    _replace(events, "_connect", _connect_events)


def _replace(place: Any, name: str, new: Any) -> None:
    assert hasattr(place, name), f"{place.__name__} has no {name} any more"
    setattr(place, name, new)


@contextmanager
def _connect_events(storage: Any) -> Iterator[Connection]:
    with storage._db_lock, storage._engine.begin() as connection:
        yield connection
