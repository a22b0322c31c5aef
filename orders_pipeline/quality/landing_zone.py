"""Which files count, although no listing shows them: files outside the landing zone, as it is configured now?"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import places
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.ledger.places import Held
from orders_pipeline.s3_settings import Place
from orders_pipeline.text import counted, printable


@dataclass(frozen=True)
class Outside:
    """The places with active files outside the landing zone, by bucket and folder of its top level."""

    places: Sequence[Held]

    def findings(self) -> list[Finding]:
        """One for each place."""
        return [_finding(held) for held in self.places]


def find(engine: Engine, zone: Place) -> Outside:
    """The places outside a landing zone."""
    with engine.connect() as connection:
        return Outside(places.outside(connection, zone))


def _finding(held: Held) -> Finding:
    worth = "" if held.amount is None else f" worth {held.amount:,}"
    message = f"{printable(str(held.folder))} ({counted(held.files, 'file')}, {counted(held.orders, 'order')}{worth})"
    return Finding(str(held.top), f"{held.files} {held.orders}", message, held.amount)
