"""The Dagster type of the frames that assets take and return."""

from typing import Any

import dagster as dg
import narwhals as nw


def _is_frame(_context: Any, value: object) -> bool:
    try:
        nw.from_native(value)  # type: ignore[call-overload]  # whether it is a frame is what this tests
    except TypeError:
        return False
    return True


OrderFrame = dg.DagsterType(
    name="OrderFrame",
    type_check_fn=_is_frame,
    description="A pandas, Polars (eager or lazy) or other frame that narwhals reads.",
)
