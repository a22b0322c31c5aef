"""Which files are not loaded, and why?"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.engine import Engine

from orders_pipeline.ledger import archive, reports
from orders_pipeline.ledger.findings import Finding, of_file
from orders_pipeline.ledger.reports import UnloadedFile
from orders_pipeline.ledger.versions import FileVersion


@dataclass(frozen=True)
class UnloadedFiles:
    """The number of all files, those that are not loaded, and those that are archived."""

    total: int
    set_aside: Sequence[UnloadedFile]
    archived: Sequence[FileVersion]

    def findings(self) -> list[Finding]:
        """One for each of them. The money at stake is what the last readable version of the key is worth."""
        return [
            *(_finding(file.version, f"{file.status}: {file.reason}", file.amount) for file in self.set_aside),
            *(_finding(version, "archived on S3") for version in self.archived),
        ]


def find(engine: Engine) -> UnloadedFiles:
    """The files that are not loaded."""
    with engine.connect() as connection:
        total, set_aside = reports.unloaded(connection)
        return UnloadedFiles(total, set_aside, archive.archived(connection))


def _finding(version: FileVersion, why: str, amount: Decimal | None = None) -> Finding:
    """These bytes, not loaded for this reason."""
    subject, fingerprint = of_file(version.bucket, version.key), f"{version.etag} {version.size} {why}"
    return Finding(subject, fingerprint, f"{version.key} ({why})", amount)
