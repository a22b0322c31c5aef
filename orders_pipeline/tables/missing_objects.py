"""Missing and damaged objects: their days become stale and are rebuilt; files are named."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy.engine import Engine

from orders_pipeline.errors import MissingInputError
from orders_pipeline.ledger.damage import intact_days
from orders_pipeline.ledger.staleness import Blocked, Blocker
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import counted, list_days, printable

_EXAMPLES: Final = 5


def require_objects(engine: Engine, lake: Lake, table: str, paths: Mapping[date, str]) -> None:
    """Check that the objects of these days are undamaged.

    Raises:
        MissingInputError: some are missing or damaged. Their days are now stale, and the next run rebuilds them.
    """
    if damaged := paths.keys() - intact_days(engine, lake, table, paths).keys():
        raise MissingInputError(
            f"Objects of {table} are missing from the lake or damaged ({list_days(damaged)}). These days are now stale:"
            " the next run rebuilds them, or `orders-pipeline sync`."
        )


def require_built(blocked: Mapping[date, Blocked]) -> None:
    """Check that a run could build every day that it was asked for by name.

    Raises:
        MissingInputError: some are blocked.
    """
    if blocked:
        raise MissingInputError(blocked_reason(blocked))


def blocked_reason(blocked: Mapping[date, Blocked]) -> str:
    """Why days cannot be built, and what the user can do."""
    reasons = []
    if missing := {day: found.names for day, found in blocked.items() if found.by is Blocker.MISSING_OBJECT}:
        keys = sorted({key for names in missing.values() for key in names})
        reasons.append(
            f"{list_days(missing)} cannot be built and keep their last published values: the objects of"
            f" {counted(len(keys), 'file')} are missing from the lake"
            f" ({', '.join(printable(key) for key in keys[:_EXAMPLES])}). Upload the"
            " files again, or run `orders-pipeline retract KEY`. If you have restored the lake, materialize raw_orders"
            " without config."
        )
    if outdated := {day: found.names for day, found in blocked.items() if found.by is Blocker.OUTDATED_FILE}:
        keys = sorted({key for names in outdated.values() for key in names})
        reasons.append(
            f"{list_days(outdated)} keep their last published values until {counted(len(keys), 'file')}"
            f" {'is' if len(keys) == 1 else 'are'} reprocessed"
            f" ({', '.join(printable(key) for key in keys[:_EXAMPLES])}): they were validated by older rules, by"
            " another declaration or for another time zone, or are to be read again. Materialize raw_orders without"
            " config."
        )
    if damaged := {day for day, found in blocked.items() if found.by is Blocker.DAMAGED_DAY}:
        reasons.append(
            f"{list_days(damaged)} keep their last published values: the objects of the upstream days are missing from"
            " the lake or damaged. The next runs rebuild them."
        )
    if failed := {day: found.names for day, found in blocked.items() if found.by is Blocker.FAILED_CHECK}:
        checks = sorted({name for names in failed.values() for name in names})
        reasons.append(f"{list_days(failed)} keep their last published values: {', '.join(checks)} failed upstream.")
    return " ".join(reasons)
