"""What becomes wrong as time passes, without any run to notice it. The alerts look at it too."""

from datetime import datetime

from sqlalchemy.engine import Engine

from orders_pipeline.checks.results import recorded
from orders_pipeline.ledger import findings
from orders_pipeline.ledger.findings import Standing
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.quality import late_sources, yesterday
from orders_pipeline.quality.late_sources import Deliveries
from orders_pipeline.quality.yesterday import Yesterday
from orders_pipeline.settings import Settings


def late_senders(engine: Engine, settings: Settings, now: datetime) -> tuple[Deliveries, Standing]:
    """Look which senders are late, and record it. Returns what is open, too."""
    examination = findings.examine(engine, late_sources.KIND)
    found = late_sources.find(engine, settings.timezone, now)
    return found, recorded(engine, examination, [sender.finding() for sender in found.late])


def missing_yesterday(engine: Engine, settings: Settings, now: datetime) -> tuple[Yesterday | None, Standing]:
    """Look whether the last day that is due is built, and record it. Returns what is open, too."""
    examination = findings.examine(engine, yesterday.KIND)
    found = yesterday.find(engine, Calendar.of(settings), now)
    return found, recorded(engine, examination, found.findings() if found else ())
