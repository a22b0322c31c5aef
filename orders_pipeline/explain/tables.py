"""How far a day is built in each table, and what keeps it from being current. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from orders_pipeline.ledger.builds import Record
from orders_pipeline.ledger.staleness import DueDays
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.text import list_days

# Each chain, in the order in which it is built.
CHAINS: Final = (("cleaned_orders", "daily_revenue"), ("daily_orders", "daily_revenue_partitioned"))


class State(StrEnum):
    """How a day of a table compares with what it should be built from."""

    CURRENT = "current"
    STALE = "stale"  # the next run builds it
    BLOCKED = "blocked"  # stale, and something has to be done first
    NOT_BUILT = "not built"  # there is nothing to build it from, or it is out of range


@dataclass(frozen=True)
class Table:
    """A day of a table. `why`: it is not current. `names`: the files, the check or the object that block it. `built`:
    what the ledger has recorded of the last build; None: it was never built."""

    table: str
    state: State
    why: str | None
    names: tuple[str, ...]
    built: Record | None


def tables_of_day(day: date, built: Mapping[str, Record], due: Mapping[str, DueDays]) -> list[Table]:
    """The day in each table, chain by chain. `due`: the stale days of each table."""
    found: list[Table] = []
    for chain in CHAINS:
        upstream: Table | None = None
        for name in chain:
            upstream = _table(name, day, built.get(name), due[name], upstream)
            found.append(upstream)
    return found


def stale_days(days: Sequence[date], due: Mapping[str, DueDays]) -> dict[str, list[date]]:
    """Those of some days that are not current, by why: in whichever table."""
    found: dict[str, set[date]] = {}
    for name in (name for chain in CHAINS for name in chain):
        among = due[name].among(days)
        for day, stale in among.due.items():
            found.setdefault(str(stale.why), set()).add(day)
        for day, blocked in among.blocked.items():
            found.setdefault(str(blocked.by), set()).add(day)
    return {why: sorted(some) for why, some in found.items()}


def in_words(stale: Mapping[str, Sequence[date]]) -> str:
    """Stale days as people read them."""
    return "; ".join(f"{list_days(days)} ({why})" for why, days in stale.items())


def _table(name: str, day: date, built: Record | None, due: DueDays, upstream: Table | None) -> Table:
    state, why, names = State.CURRENT if built else State.NOT_BUILT, None, tuple[str, ...]()
    if blocked := due.blocked.get(day):
        state, why, names = State.BLOCKED, str(blocked.by), blocked.names
    elif stale := due.due.get(day):
        state, why = State.STALE, str(stale.why)
    elif upstream is not None and upstream.state in (State.STALE, State.BLOCKED):
        state, why = upstream.state, f"{UPSTREAM[name]} is {upstream.state}"
    return Table(name, state, why, names, built)
