"""Which senders should have delivered by now, as they declare or as they usually do, and have not?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import declarations, reports
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.quality.habits import REMEMBERED, WEEKS, missed
from orders_pipeline.sources.declaration import Source, Sources
from orders_pipeline.sources.expected import due

KIND: Final = "every_source_delivered"


@dataclass(frozen=True)
class Late:
    """A sender, by when it should have delivered and why then, and when its newest file landed, if any ever did."""

    sender: str
    expected: str
    by: datetime
    last_landed: datetime | None

    def finding(self) -> Finding:
        """It has not delivered since then."""
        last = "none ever came"
        if self.last_landed is not None:
            last = f"the last one came on {self.last_landed.astimezone(self.by.tzinfo):%Y-%m-%d at %H:%M}"
        message = f"{self.sender} has sent no file by {self.by:%Y-%m-%d %H:%M} ({self.expected}); {last}"
        return Finding(self.sender, self.by.isoformat(), message)  # each delivery that fails is a fact of its own


@dataclass(frozen=True)
class Deliveries:
    """The senders of which it is known when they deliver (they declare it, or have sent files for eight weeks), and
    those of them that are late."""

    expected: Sequence[str]
    late: Sequence[Late]


def find(engine: Engine, zone: str, now: datetime) -> Deliveries:
    """The senders that are late. `zone`: the business day's, for senders that declare none."""
    with engine.connect() as connection:
        history = declarations.history(connection)
        sources = declarations.current(connection)
        landed = reports.last_landed(connection, sources)
        arrivals = reports.first_arrivals(connection, sources, zone, now - REMEMBERED)
    declared = {source.name: source for source in sources.declared if source.expected is not None}
    # What was due before the declaration was applied, no one had asked for.
    found = (_late(source, zone, now, landed.get(name), history[-1].applied_at) for name, source in declared.items())
    usual = {name: days for name, days in arrivals.items() if name not in declared and len(days) >= WEEKS}
    late = [*(one for one in found if one is not None), *_unusual(usual, sources, zone, now)]
    return Deliveries([*declared, *usual], late)


def _late(source: Source, zone: str, now: datetime, landed: datetime | None, applied_at: datetime) -> Late | None:
    expected, zone = source.expected or "", source.timezone or zone
    last, before = due(expected, zone, now)
    if last < applied_at or (landed is not None and landed > before):
        return None
    return Late(source.name, f"{expected} {ZoneInfo(zone).key}", last, landed)


def _unusual(
    arrivals: Mapping[str, Mapping[date, datetime]], sources: Sources, zone: str, now: datetime
) -> Iterator[Late]:
    zones = {source.name: source.timezone for source in sources.declared}
    for sender, first_of_day in arrivals.items():
        if found := missed(first_of_day, ZoneInfo(zones.get(sender) or zone), now):
            yield Late(sender, f"as on the {WEEKS} {found.day:%A}s before", found.by, found.last)
