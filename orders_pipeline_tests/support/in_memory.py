"""Dagster's storage in memory, made quicker: nearly every test has one of its own."""

from typing import Any

import dagster._core.storage.event_log.in_memory as event_log
import dagster._core.storage.runs.in_memory as runs

_STAMP = "stamp_alembic_rev"


def quicken() -> None:
    """Note no revision in it: no one migrates it, and Alembic would load all of Dagster's migrations each time."""
    modules: list[Any] = [event_log, runs]
    for module in modules:
        assert hasattr(module, _STAMP), f"{module.__name__} has no {_STAMP} any more"
        setattr(module, _STAMP, lambda *_: None)
