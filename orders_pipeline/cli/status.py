"""What `orders-pipeline status` reports, as data. Its JSON is an interface: fields may be added, none renamed."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from orders_pipeline.landing.source_table import WHOLE
from orders_pipeline.ledger import reports
from orders_pipeline.ledger.findings import Recorded, open_findings
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.ledger.versions import Status
from orders_pipeline.quality import reject_rate
from orders_pipeline.quality.reject_rate import Rejected
from orders_pipeline.resources import S3Resource
from orders_pipeline.settings import Settings
from orders_pipeline.survey import survey
from orders_pipeline.tables.out_of_range import Side, Waiting, waiting_orders
from orders_pipeline.tables.totals import totals
from orders_pipeline.text import counted


@dataclass(frozen=True)
class FileStatus:
    """A file that is not simply loaded."""

    key: str
    size: int
    reason: str
    message: str
    attempts: int
    still_counts: bool  # the last readable version of its key


@dataclass(frozen=True)
class PipelineStatus:
    """Files by status, stale days by table, totals."""

    files: dict[str, int]  # by status; days of the source table are counted with them
    table_days: dict[str, int]  # of the source table, by status
    pending: list[str]
    quarantined: list[FileStatus]
    failing: list[FileStatus]
    ignored: list[FileStatus]
    high_reject_rate: list[Rejected]  # loaded files that `few_rows_are_rejected` names, worst first
    side_files: int  # in the landing zone, and left out
    notices: list[str]  # for your information, as sentences: no work
    findings: list[Recorded]  # that are open, the oldest first
    source_table_pending: bool  # the last query of it failed
    source_table_error: str | None
    outdated_files: int  # validated by older rules, or for another time zone
    stale_days: dict[str, list[date]]
    stale_rejects: int
    out_of_range_days: list[date]
    waiting: list[Waiting]
    totals: dict[str, Any]
    is_current: bool  # nothing is pending, failing or stale: `sync` would end with success

    @property
    def needs_you(self) -> list[str]:
        """What no run settles: a person has to act, or to say that it is as it should be. Each thing is counted once:
        the findings about files that are not loaded are left out."""
        before = sum(its.orders or 0 for its in self.waiting if its.side is Side.BEFORE_START)
        counts = {
            "quarantined file": len(self.quarantined),
            "failing file": sum(file.key != WHOLE.key for file in self.failing),
            "open finding": sum(one.kind != "landed_files_are_readable" for one in self.findings),
        }
        told = [counted(count, what) for what, count in counts.items() if count]
        told += ["the source table"] if self.source_table_error else []
        return told + ([f"{counted(before, 'order')} before ORDERS_START_DATE"] if before else [])


def read_status(connection: Connection, s3: S3Resource, settings: Settings) -> PipelineStatus:
    """Read S3 and the ledger. The source table is not queried: the ledger records the result of its last query.

    Raises:
        ServiceUnavailableError: S3 did not answer.
    """
    found = survey(connection, s3, settings)
    left, held = found.backlog, totals(connection, settings)
    _, unloaded = reports.unloaded(connection, ignored=True)

    def those(status: Status) -> list[FileStatus]:
        return [
            FileStatus(file.version.key, file.version.size, file.reason, file.message, file.attempts, file.still_counts)
            for file in unloaded
            if file.status is status
        ]

    return PipelineStatus(
        files={"pending": len(left.load), **held.files},
        table_days=reports.table_days(connection),
        pending=[version.key for version in left.load],
        quarantined=those(Status.QUARANTINED),
        failing=those(Status.FAILING),
        ignored=those(Status.IGNORED),
        high_reject_rate=reject_rate.above(connection, settings.max_reject_share)[1],
        side_files=found.side_files,
        notices=found.notices,
        findings=open_findings(connection),
        source_table_pending=found.table_error is not None,
        source_table_error=found.table_error,
        outdated_files=len(left.reprocess),
        stale_days=left.stale,
        stale_rejects=len(left.rejects),
        out_of_range_days=held.out_of_range_days,
        waiting=waiting_orders(connection, s3.lake(), Calendar.of(settings)),
        totals={
            "rows": held.rows,
            "clean_orders": held.clean_orders,
            "rejected_rows": sum(held.rejected_rows.values()),
            "rejected_by_reason": dict(held.rejected_rows),
            "superseded_or_out_of_range": held.superseded_rows,
            "void_rows": held.void_rows,
            "merged_rows": held.merged_rows,
            "blank_rows": held.blank_rows,
            "clean_amount": held.amounts.clean,
            "void_amount": held.amounts.void,
            "rejected_amount": held.amounts.rejected,
            "superseded_amount": held.superseded_amount,
            "days": held.days,
            "revenue": held.revenue,
            "customer_days": held.customer_days,
            "spend": held.spend,
        },
        is_current=not left,
    )
