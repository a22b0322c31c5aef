"""Which files are not loaded, and why?"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.engine import Engine

from orders_pipeline.landing.source_table import called
from orders_pipeline.ledger import archive, reports
from orders_pipeline.ledger.findings import Finding, of_file
from orders_pipeline.ledger.reports import UnloadedFile
from orders_pipeline.ledger.versions import TABLE, FileVersion


@dataclass(frozen=True)
class UnloadedFiles:
    """The number of all files and days of the source table, whether there are any such days, those that are not
    loaded, and those that are archived."""

    total: int
    of_table: bool
    set_aside: Sequence[UnloadedFile]
    archived: Sequence[FileVersion]
    table: str

    @property
    def counted(self) -> str:
        """What the total counts."""
        noun = "file" if self.total == 1 and not self.of_table else "files"
        return f"{self.total:,} {noun}{' and days of the source table' if self.of_table else ''}"

    def findings(self) -> list[Finding]:
        """One for each of them. The money at stake is what the last readable version of the key is worth."""
        return [
            *(self._finding(file.version, f"{file.status}: {file.reason}", file.amount) for file in self.set_aside),
            *(self._finding(version, "archived on S3") for version in self.archived),
        ]

    def _finding(self, version: FileVersion, why: str, amount: Decimal | None = None) -> Finding:
        """These bytes, not loaded for this reason."""
        subject, fingerprint = of_file(version.bucket, version.key), f"{version.etag} {version.size} {why}"
        return Finding(subject, fingerprint, f"{called(version.key, self.table)} ({why})", amount)


def find(engine: Engine, table: str) -> UnloadedFiles:
    """The files that are not loaded. `table`: ORDERS_SOURCE_TABLE."""
    with engine.connect() as connection:
        total, set_aside = reports.unloaded(connection)
        of_table = bool(reports.table_days(connection)) or any(file.version.bucket == TABLE for file in set_aside)
        return UnloadedFiles(total, of_table, set_aside, archive.archived(connection), table)
