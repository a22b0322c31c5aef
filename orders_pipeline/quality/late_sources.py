"""Which sources should have delivered by now, as they declare, and have not?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import declarations, reports
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.sources.declaration import Source
from orders_pipeline.sources.expected import due


@dataclass(frozen=True)
class Late:
    """A source, by when it should have delivered, and when its newest file landed, if any ever did."""

    source: str
    expected: str
    by: datetime
    last_landed: datetime | None

    def finding(self) -> Finding:
        """It has not delivered since then."""
        last = "none ever came"
        if self.last_landed is not None:
            last = f"the last one came on {self.last_landed.astimezone(self.by.tzinfo):%Y-%m-%d at %H:%M}"
        message = f"{self.source} has sent no file by {self.by:%Y-%m-%d %H:%M} ({self.expected}); {last}"
        return Finding(self.source, self.by.isoformat(), message)  # each delivery that fails is a fact of its own


@dataclass(frozen=True)
class Deliveries:
    """The names of the sources that say when they deliver, and those of them that are late."""

    expected: Sequence[str]
    late: Sequence[Late]


def find(engine: Engine, zone: str, now: datetime) -> Deliveries:
    """The sources that are late. `zone`: the business day's, for sources that declare none."""
    with engine.connect() as connection:
        history = declarations.history(connection)
        sources = declarations.current(connection)
        landed = reports.last_landed(connection, sources)
    expected = [source for source in sources.declared if source.expected is not None]
    # What was due before the declaration was applied, no one had asked for.
    found = (_late(source, zone, now, landed.get(source.name), history[-1].applied_at) for source in expected)
    return Deliveries([source.name for source in expected], [one for one in found if one is not None])


def _late(source: Source, zone: str, now: datetime, landed: datetime | None, applied_at: datetime) -> Late | None:
    expected, zone = source.expected or "", source.timezone or zone
    last, before = due(expected, zone, now)
    if last < applied_at or (landed is not None and landed > before):
        return None
    return Late(source.name, f"{expected} {ZoneInfo(zone).key}", last, landed)
