"""What all checks share: they record their findings, and fail as long as one is open."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import dagster as dg
from sqlalchemy.engine import Engine

from orders_pipeline import run_tags
from orders_pipeline.ledger import findings
from orders_pipeline.ledger.findings import Examination, Finding, Standing
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.partitions import DAILY_PIPELINE, days_of
from orders_pipeline.quality.scope import Scope
from orders_pipeline.settings import read_settings
from orders_pipeline.text import counted, list_days
from orders_pipeline.ui import runbook
from orders_pipeline.ui.findings import apart_from, how_to_accept, open_findings

ERROR: Final = dg.AssetCheckSeverity.ERROR
WARN: Final = dg.AssetCheckSeverity.WARN
FULL_REFRESH: Final = f"Rerun the job with the tag {run_tags.FULL_REFRESH}=true. If that does not help, report a bug."


def recorded(
    engine: Engine, examination: Examination, found: Iterable[Finding], examined: Iterable[str] | None = None
) -> Standing:
    """Record what a check found. `examined`: the subjects to settle unless they were found; None: all. Returns what is
    open now, whichever run found it."""
    with engine.begin() as transaction:
        findings.record(transaction, examination, found, examined=None if examined is None else set(examined))
        return findings.standing(transaction, examination.kind)


def result(
    standing: Standing,
    *,
    failing: str,
    passing: str,
    severity: dg.AssetCheckSeverity = WARN,
    metadata: Mapping[str, Any] | None = None,
) -> dg.AssetCheckResult:
    """Fails as long as a finding is open."""
    return dg.AssetCheckResult(
        passed=not standing.open,
        severity=severity,
        description=f"{failing} {how_to_accept(standing)}" if standing.open else f"{apart_from(standing)}{passing}",
        metadata={
            **(what_to_do(standing.kind) if standing.open else {}),
            **(metadata or {}),
            **open_findings(standing.open),
        },
    )


def what_to_do(check: str) -> dict[str, str]:
    """The sections of the runbook for a check, as metadata."""
    return {"What to do": runbook.sections([check])}


def scope_of(context: dg.AssetCheckExecutionContext) -> Scope:
    """What the run of a check covers. The daily job's checks compare all days."""
    return Scope(context.run.run_id, days_of(dict(context.run.tags)), context.run.job_name == DAILY_PIPELINE)


def calendar() -> Calendar:
    """The days that are due, by the settings."""
    return Calendar.of(read_settings())


def nothing_checked(asset: str, stale: Sequence[date]) -> dg.AssetCheckResult:
    """Nothing is built: passes if nothing was due."""
    return dg.AssetCheckResult(
        passed=not stale,
        severity=WARN,
        description=f"No day of {asset} is built, but {counted(len(stale), 'day')}"
        f" {'is' if len(stale) == 1 else 'are'} due: {list_days(stale)}."
        " Materialize it. If its last run failed, see why."
        if stale
        else f"No day of {asset} is built, and none is due.",
    )
