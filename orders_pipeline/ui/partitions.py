"""What the page of a partition says of a day that a run did not rebuild."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from orders_pipeline.ledger.builds import Build


def current(build: Build, built: Mapping[date, datetime]) -> dict[date, str]:
    """Why each current day that the run was asked for was not rebuilt. `built`: when each was built; a day without that
    is not current any more."""
    return {day: _unchanged(built[day]) if day in built else _damaged() for day in build.current}


def empty(build: Build) -> dict[date, dict[str, Any]]:
    """What is shown of the days that the run was asked for and that never had orders."""
    return {
        day: {
            "State": "no orders on this day" if day < build.calendar.today else "no orders on this day yet",
            "Orders": 0,
            "dagster/partition_row_count": 0,
        }
        for day in build.empty
    }


def _unchanged(built_at: datetime) -> str:
    when = f"{built_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"already current: not rebuilt, since nothing that it is built from has changed since {when}"


def _damaged() -> str:
    return "its object is missing or damaged: the next run rebuilds it"
