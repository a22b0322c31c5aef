"""Missing objects: days whose object is missing become stale and are rebuilt; files are reported."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy.engine import Engine

from orders_pipeline.errors import MissingInputError
from orders_pipeline.ledger import builds
from orders_pipeline.ledger.staleness import Blocked, Blocker
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import list_days, printable

_EXAMPLES: Final = 5


def require_objects(engine: Engine, lake: Lake, table: str, paths: Mapping[date, str]) -> None:
    """Check that the lake has the objects of these days.

    Raises:
        MissingInputError: some are missing. Their days are now stale, and the next run rebuilds them.
    """
    missing = set(lake.missing(list(paths.values())))
    if not missing:
        return
    with engine.begin() as transaction:
        builds.mark_missing(transaction, table, missing)
    stale = list_days(day for day, path in paths.items() if path in missing)
    raise MissingInputError(
        f"Objects of {table} are missing from the lake ({stale}). These days are now stale: the next run rebuilds them."
    )


def blocked_reason(blocked: Mapping[date, Blocked]) -> str:
    """Why days cannot be built, and what the user can do."""
    reasons = []
    if missing := {day: found.names for day, found in blocked.items() if found.by is Blocker.MISSING_OBJECT}:
        keys = sorted({key for names in missing.values() for key in names})
        reasons.append(
            f"{list_days(missing)} cannot be built and keep their last published values: the objects of {len(keys)}"
            f" files are missing from the lake ({', '.join(printable(key) for key in keys[:_EXAMPLES])}). Upload the"
            " files again, or run `orders-pipeline retract KEY`. If you have restored the lake, materialize raw_orders"
            " without config."
        )
    if outdated := {day: found.names for day, found in blocked.items() if found.by is Blocker.OUTDATED_FILE}:
        keys = sorted({key for names in outdated.values() for key in names})
        reasons.append(
            f"{list_days(outdated)} keep their last published values until {len(keys)} files are reprocessed"
            f" ({', '.join(printable(key) for key in keys[:_EXAMPLES])}): they were validated by older rules, by"
            " another declaration or for another time zone, or are to be read again. Materialize raw_orders without"
            " config."
        )
    if failed := {day: found.names for day, found in blocked.items() if found.by is Blocker.FAILED_CHECK}:
        checks = sorted({name for names in failed.values() for name in names})
        reasons.append(f"{list_days(failed)} keep their last published values: {', '.join(checks)} failed upstream.")
    return " ".join(reasons)
