"""What the UI shows of the landing zone and the source table: what a run found to be new there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from orders_pipeline.ledger.versions import TABLE
from orders_pipeline.schema import TABLE_PREFIX
from orders_pipeline.text import cut, shortened

if TYPE_CHECKING:
    from orders_pipeline.landing.ingest import Report
    from orders_pipeline.settings import Settings


def observed(report: "Report", settings: "Settings") -> Iterator[dg.AssetObservation]:
    """An observation of the landing zone, and one of the source table, if the run took something from there.

    `report`: of what was received, without what was reprocessed."""
    taken = [file.version for file in report.loaded] + [version for version, *_ in report.settled]
    if files := [version for version in taken if version.bucket != TABLE]:
        newest = max(files, key=lambda version: version.last_modified)
        yield dg.AssetObservation(
            "landing_zone",
            metadata={
                "Last arrival": dg.MetadataValue.timestamp(newest.last_modified),
                "Newest file": cut(newest.key),
                "Files taken by this run": len(files),
                "Landing zone": cut(str(settings.landing_zone)),
            },
        )
    if days := [version for version in taken if version.bucket == TABLE]:
        yield dg.AssetObservation(
            "source_table",
            metadata={
                "Changed days taken by this run": len(days),
                "Orders of these days": sum(version.size for version in days),
                "Days": shortened([version.key.removeprefix(TABLE_PREFIX) for version in days]),
                "Table": settings.source_table,
            },
        )
