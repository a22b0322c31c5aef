"""Which files are not loaded, and why?"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import archive, reports
from orders_pipeline.ledger.reports import UnloadedFile
from orders_pipeline.ledger.versions import FileVersion


@dataclass(frozen=True)
class UnloadedFiles:
    """The number of all files, those that are not loaded, and those that are archived."""

    total: int
    set_aside: Sequence[UnloadedFile]
    archived: Sequence[FileVersion]


def find(engine: Engine) -> UnloadedFiles:
    """The files that are not loaded."""
    with engine.connect() as connection:
        total, set_aside = reports.unloaded(connection)
        return UnloadedFiles(total, set_aside, archive.archived(connection))
