"""The asset checks: `quality` finds, this module describes the findings and picks severities. No check passes on zero
rows where rows were due."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import dagster as dg
from sqlalchemy.engine import Engine

from orders_pipeline import run_tags
from orders_pipeline.assets.daily import daily_orders, daily_revenue_partitioned
from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders
from orders_pipeline.landing import notices
from orders_pipeline.ledger import findings
from orders_pipeline.ledger.findings import Examination, Finding, Standing, of_file
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.partitions import DAILY_PIPELINE, days_of
from orders_pipeline.quality import (
    anomalies,
    completeness,
    deliveries,
    negative_amounts,
    reconciliation,
    reject_rate,
    uniqueness,
    unloaded_files,
)
from orders_pipeline.quality.scope import Scope
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.schema import UNREADABLE_FILE_ROWS
from orders_pipeline.settings import read_settings
from orders_pipeline.tables.missing_objects import blocked_reason
from orders_pipeline.text import list_days
from orders_pipeline.ui.findings import (
    apart_from,
    how_to_accept,
    messages,
    odd_days,
    open_findings,
    rejects_by_file,
    set_aside_files,
)

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
_COMPARED: Final = "Days compared"
_FULL_REFRESH: Final = f"Rerun the job with the tag {run_tags.FULL_REFRESH}=true. If that does not help, report a bug."


@dg.asset_check(asset=daily_orders, blocking=True)
def orders_not_empty(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Every requested day has had orders at some time."""
    found = deliveries.find(postgres.ledger(), _scope(context).requested, _calendar())
    if found.missing:
        return dg.AssetCheckResult(
            passed=False,
            severity=_ERROR if len(found.days) == 1 else _WARN,
            description=f"No clean order was ever delivered for {list_days(found.missing)}. If the shop was open, a"
            " file is late, quarantined or rejected: see the checks of raw_orders and rejected_orders.",
        )
    if not found.days:
        return dg.AssetCheckResult(
            passed=False,
            severity=_WARN,
            description="No day was requested, and none is built. Materialize a partition of daily_orders.",
        )
    summary = f"{found.orders} orders on {list_days(found.days)}."
    if found.emptied:
        summary = f"{list_days(found.emptied)} had orders before, and has none now: they moved or were replaced."
    return dg.AssetCheckResult(passed=True, description=summary)


@dg.asset_check(asset=daily_orders)
def no_negative_amounts(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order has a negative amount. Returns do, so this check only warns."""
    engine, lake = postgres.ledger(), s3.lake()
    examination = findings.examine(engine, "no_negative_amounts")
    with engine.connect() as connection:
        again = findings.rebuilt_days(connection, examination, "daily_orders")
    built = _scope(context).built(engine, lake, "daily_orders", _calendar(), again)
    found = negative_amounts.find(lake, built) if built.paths else []
    standing = _recorded(engine, examination, [day.finding() for day in found], map(str, built.paths))
    if not (built.paths or standing.open):
        return _nothing_checked("daily_orders", built.stale)
    return _result(
        standing,
        failing=f"{messages(standing.open, '; ')}. Returns are no error. Otherwise, correct the files and upload them"
        " again under the same keys.",
        passing=f"No negative amount on {list_days(built.paths)}.",
        metadata={"Orders with a negative amount": sum(len(day.order_ids) for day in found)},
    )


@dg.asset_check(asset=cleaned_orders, blocking=True)
def order_ids_are_unique(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order_id occurs twice in the days of the run. The daily job compares all days."""
    engine, lake = postgres.ledger(), s3.lake()
    examination = findings.examine(engine, "order_ids_are_unique")
    built = _scope(context).built(engine, lake, "cleaned_orders", _calendar(), examination.days)
    found = uniqueness.find(lake, built) if built.paths else []
    uniqueness.block(engine, found)
    standing = _recorded(engine, examination, [day.finding() for day in found], map(str, built.paths))
    of_this_run = [day.day for day in found if day.day not in built.again]
    if not (built.paths or standing.open):
        return _nothing_checked("cleaned_orders", built.stale)
    if of_this_run and not standing.open:
        return dg.AssetCheckResult(
            passed=False,
            severity=_ERROR,
            description=f"Orders occur more than once on {list_days(of_this_run)}. The findings are accepted, but"
            " revenue would still count these orders twice: daily_revenue keeps its last published values."
            f" {_FULL_REFRESH}",
        )
    return _result(
        standing,
        # What other runs found does not keep this one from going on: those days are blocked already.
        severity=_ERROR if of_this_run else _WARN,
        failing=f"{messages(standing.open, '; ')}. daily_revenue keeps its last published values for these days."
        f" {_FULL_REFRESH}",
        passing=f"Every order occurs once on {list_days(built.paths)}.",
    )


@dg.asset_check(asset=raw_orders)
def landed_files_are_readable(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file is quarantined, failing or archived, and no empty file has replaced one whose rows still count."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "landed_files_are_readable")
    found = unloaded_files.find(engine)
    standing = _recorded(engine, examination, found.findings())
    subjects = {one.subject for one in standing.open}
    archived = {subject: file for file in found.archived if (subject := of_file(file.bucket, file.key)) in subjects}
    sentences = []
    if set_aside := [one for one in standing.open if one.subject not in archived]:
        sentences.append(
            f"{len(set_aside)} of {found.total} files are not loaded: {messages(set_aside)}. Their orders are missing,"
            " or those of the last readable version still count. Failing files are retried automatically. For a"
            " quarantined file, upload a corrected version under the same key, or fix the cause and run"
            " `orders-pipeline retry KEY`."
        )
    if archived:
        sentences.append(notices.archived(list(archived.values())))
    return _result(
        standing,
        failing=" ".join(sentences),
        passing=f"All {found.total} files that landed are loaded or ignored.",
        metadata=set_aside_files(found.set_aside),
    )


@dg.asset_check(asset=rejected_orders)
def no_order_is_lost(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """Every row of every file is clean, void, rejected, superseded or out of range, and so is its amount."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "no_order_is_lost")
    found = completeness.compare(engine, s3.lake(), _scope(context), _calendar(), examination)
    standing = _recorded(engine, examination, found.findings(), found.examined)
    orders, stale = found.orders, found.stale
    if not (found.days or found.rejects or standing.open):
        return _nothing_checked("cleaned_orders", stale.stale)
    waiting = f" {len(stale.stale)} stale days were not compared." if stale.stale else ""
    sentences = []
    missing = {of_file(file.version.bucket, file.version.key): file.version.key for file in found.missing}
    if wrong := [one for one in standing.open if one.subject not in missing]:
        sentences.append(f"{messages(wrong, '; ')}.{waiting} {_FULL_REFRESH}")
    if keys := {missing[one.subject] for one in standing.open if one.subject in missing}:
        sentences.append(blocked_reason(found.unbuildable(keys)))
    return _result(
        standing,
        severity=_ERROR,
        failing=" ".join(sentences),
        passing=f"All {orders.read} orders read for {list_days(found.days)} are accounted for: {orders.clean} clean,"
        f" {orders.read - orders.clean} superseded. So are the rejects of {len(found.rejects)} files.{waiting}",
    )


@dg.asset_check(asset=rejected_orders)
def few_rows_are_rejected(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file has a larger share of rejects than ORDERS_MAX_REJECT_SHARE, and no file has rejects only. Up to half of a
    file with fewer than 20 rows may be rejects."""
    share, engine = read_settings().max_reject_share, postgres.ledger()
    examination = findings.examine(engine, "few_rows_are_rejected")
    with engine.connect() as connection:
        compared, found = reject_rate.above(connection, share)
    standing = _recorded(engine, examination, [file.finding() for file in found])
    worst_first = {file.finding().subject: number for number, file in enumerate(found)}
    named = sorted(standing.open, key=lambda one: worst_first.get(one.subject, len(found)))
    return _result(
        standing,
        failing=f"Too many rows are rejected in {len(named)} of {compared} files: {messages(named, '; ')}."
        " See the rows in rejected_orders, correct the files and upload them again under the same keys.",
        passing=f"None of the {compared} files has too many rejects: more than {share:.2%}, or, with fewer than"
        f" {UNREADABLE_FILE_ROWS} rows, more than half.",
        metadata=rejects_by_file(found),
    )


@dg.asset_check(asset=daily_revenue, additional_deps=[daily_revenue_partitioned])
def revenue_reconciles(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Both chains agree to the cent on every day that both have built from the same version.

    Days that agreed are compared again only after a rebuild, or in the daily job."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "revenue_reconciles")
    found = reconciliation.compare_and_record(engine, _scope(context))
    standing = _recorded(engine, examination, [day.finding() for day in found.differing], found.examined)
    agreement = f"Both chains agree to the cent on {found.comparable} days, {len(found.compared)} of them compared now."
    return _result(
        standing,
        severity=_ERROR,
        failing=f"The chains differ on {len(standing.open)} of {found.comparable} days: {messages(standing.open)}."
        " Rebuild these days with `orders-pipeline rebuild DAY`. If they still differ, report a bug.",
        passing=agreement if found.comparable else "No day is built by both chains yet: nothing to compare.",
        metadata={_COMPARED: len(found.compared)},
    )


@dg.asset_check(asset=daily_revenue)
def revenue_is_plausible(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """No finished day has far more or far less revenue than the same weekday in the eight weeks before. Compares the
    days that the run built and the last two weeks, including days without orders."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "revenue_is_plausible")
    found = anomalies.find(engine, _scope(context), _calendar(), examination.days)
    standing = _recorded(engine, examination, [odd.finding() for odd in found.odd], found.examined)
    compared, skipped = len(found.compared), ""
    if found.skipped:
        skipped = (
            f" {found.skipped} days were not compared: their weekday had revenue in fewer than {anomalies.LEAST_WEEKS}"
            f" of the {anomalies.WEEKS} weeks before, or they are not built yet."
        )
    usual = f"Revenue is as usual for the weekday on {compared} days: {list_days(found.compared)}."
    newest_first = sorted(standing.open, key=lambda one: one.subject, reverse=True)
    of_days = len({*map(str, found.compared), *(one.subject for one in newest_first)})
    return _result(
        standing,
        failing=f"Revenue is far from usual on {len(newest_first)} of {of_days} days: {messages(newest_first, '; ')}."
        " A file may be missing, duplicated or in another unit: see the files of these days in raw_orders, and the"
        " checks of raw_orders and rejected_orders. Upload corrected files under the same keys. After a holiday or a"
        f" sale, accept the finding.{skipped}",
        passing=f"{usual if compared else 'Nothing to compare yet.'}{skipped}",
        metadata={**odd_days(found.odd[::-1]), _COMPARED: compared},
    )


def _recorded(
    engine: Engine, examination: Examination, found: Iterable[Finding], examined: Iterable[str] | None = None
) -> Standing:
    """Record what a check found. `examined`: the subjects to settle unless they were found; None: all. Returns what is
    open now, whichever run found it."""
    with engine.begin() as transaction:
        findings.record(transaction, examination, found, examined=None if examined is None else set(examined))
        return findings.standing(transaction, examination.kind)


def _result(
    standing: Standing,
    *,
    failing: str,
    passing: str,
    severity: dg.AssetCheckSeverity = _WARN,
    metadata: Mapping[str, Any] | None = None,
) -> dg.AssetCheckResult:
    """Fails as long as a finding is open."""
    return dg.AssetCheckResult(
        passed=not standing.open,
        severity=severity,
        description=f"{failing} {how_to_accept(standing)}" if standing.open else f"{apart_from(standing)}{passing}",
        metadata={**(metadata or {}), **open_findings(standing.open)},
    )


def _checks_everything(context: dg.AssetCheckExecutionContext) -> bool:
    return context.run.job_name == DAILY_PIPELINE


def _scope(context: dg.AssetCheckExecutionContext) -> Scope:
    return Scope(context.run.run_id, days_of(dict(context.run.tags)), _checks_everything(context))


def _calendar() -> Calendar:
    return Calendar.of(read_settings())


def _nothing_checked(asset: str, stale: Sequence[date]) -> dg.AssetCheckResult:
    """Nothing is built: passes if nothing was due."""
    return dg.AssetCheckResult(
        passed=not stale,
        severity=_WARN,
        description=f"No day of {asset} is built, but {len(stale)} days are due: {list_days(stale)}."
        " Materialize it. If its last run failed, see why."
        if stale
        else f"No day of {asset} is built, and none is due.",
    )
