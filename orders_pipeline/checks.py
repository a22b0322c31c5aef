"""The asset checks: `quality` finds, this module describes the findings and picks severities. No check passes on zero
rows where rows were due."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import dagster as dg

from orders_pipeline import run_tags
from orders_pipeline.assets.daily import daily_orders, daily_revenue_partitioned
from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders
from orders_pipeline.landing import notices
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
from orders_pipeline.ui.findings import examples, odd_days, rejects_by_file, set_aside_files

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
    built = _scope(context).built(engine, lake, "daily_orders", _calendar())
    if not built.paths:
        return _nothing_checked("daily_orders", built.stale)
    found = negative_amounts.find(lake, built)
    return dg.AssetCheckResult(
        passed=not found.order_ids,
        severity=_WARN,
        description=f"{len(found.order_ids)} orders on {list_days(found.days)} have a negative amount, {found.total} in"
        f" total: for example {examples(found.order_ids)}, in {len(found.files)} files: {examples(found.files)}."
        " Returns are no error. Otherwise, correct the files and upload them again under the same keys."
        if found.order_ids
        else f"No negative amount on {list_days(built.paths)}.",
        metadata={"Orders with a negative amount": len(found.order_ids)},
    )


@dg.asset_check(asset=cleaned_orders, blocking=True)
def order_ids_are_unique(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order_id occurs twice in the days of the run. The daily job compares all days."""
    engine, lake = postgres.ledger(), s3.lake()
    built = _scope(context).built(engine, lake, "cleaned_orders", _calendar())
    if not built.paths:
        return _nothing_checked("cleaned_orders", built.stale)
    found = uniqueness.find(lake, built)
    if not found.order_ids:
        return dg.AssetCheckResult(passed=True, description=f"Every order occurs once on {list_days(built.paths)}.")
    uniqueness.block(engine, found)
    return dg.AssetCheckResult(
        passed=False,
        severity=_ERROR,
        description=f"{len(found.order_ids)} orders occur more than once, on {list_days(found.days)}, for example"
        f" {examples(found.order_ids)}. daily_revenue keeps its last published values for these days. {_FULL_REFRESH}",
    )


@dg.asset_check(asset=raw_orders)
def landed_files_are_readable(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file is quarantined, failing or archived, and no empty file has replaced one whose rows still count."""
    found = unloaded_files.find(postgres.ledger())
    sentences = []
    if found.set_aside:
        named = examples(f"{f.version.key} ({f.status}: {f.reason})" for f in found.set_aside)
        sentences.append(
            f"{len(found.set_aside)} of {found.total} files are not loaded: {named}. Their orders are missing, or those"
            " of the last readable version still count. Failing files are retried automatically. For a"
            " quarantined file, upload a corrected version under the same key, or fix the cause and run"
            " `orders-pipeline retry KEY`."
        )
    if found.archived:
        sentences.append(notices.archived(found.archived))
    return dg.AssetCheckResult(
        passed=not sentences,
        severity=_WARN,
        description=" ".join(sentences) or f"All {found.total} files that landed are settled.",
        metadata=set_aside_files(found.set_aside),
    )


@dg.asset_check(asset=rejected_orders)
def no_order_is_lost(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """Every row of every file is clean, rejected, superseded or out of range, and so is its amount."""
    found = completeness.compare(postgres.ledger(), s3.lake(), _scope(context), _calendar())
    orders, rejects, stale = found.orders, found.rejects, found.stale
    waiting = f" {len(stale.stale)} stale days were not compared." if stale.stale else ""
    if orders.lost or orders.foreign or rejects.wrong:
        return dg.AssetCheckResult(
            passed=False,
            severity=_ERROR,
            description=f"{orders.lost} rows worth {orders.lost_amount} on {list_days(orders.lost_days)} are neither"
            f" clean nor superseded (orders {examples(orders.examples)}); {orders.foreign} clean orders are in no"
            f" file; the rejects of {len(rejects.wrong)} files are not all listed ({examples(rejects.wrong)})."
            f"{waiting} {_FULL_REFRESH}",
        )
    if stale.unrecoverable:
        reason = blocked_reason(stale.unrecoverable)
        return dg.AssetCheckResult(passed=False, severity=_ERROR, description=reason)
    if not found.days and not rejects.compared:
        return _nothing_checked("cleaned_orders", stale.stale)
    return dg.AssetCheckResult(
        passed=True,
        description=f"All {orders.read} orders read for {list_days(found.days)} are accounted for: {orders.clean}"
        f" clean, {orders.read - orders.clean} superseded. So are the rejects of {rejects.compared} files.{waiting}",
    )


@dg.asset_check(asset=rejected_orders)
def few_rows_are_rejected(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file has a larger share of rejects than ORDERS_MAX_REJECT_SHARE, and no file has rejects only. Up to half of a
    file with fewer than 20 rows may be rejects."""
    share = read_settings().max_reject_share
    with postgres.ledger().connect() as connection:
        compared, found = reject_rate.above(connection, share)
    return dg.AssetCheckResult(
        passed=not found,
        severity=_WARN,
        description=f"Too many rows are rejected in {len(found)} of {compared} files: {examples(found, '; ')}."
        " See the rows in rejected_orders, correct the files and upload them again under the same keys."
        if found
        else f"None of the {compared} files has too many rejects: more than {share:.2%}, or, with fewer than"
        f" {UNREADABLE_FILE_ROWS} rows, more than half.",
        metadata=rejects_by_file(found),
    )


@dg.asset_check(asset=daily_revenue, additional_deps=[daily_revenue_partitioned])
def revenue_reconciles(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Both chains agree to the cent on every day that both have built from the same version.

    Days that agreed are compared again only after a rebuild, or in the daily job."""
    found = reconciliation.compare_and_record(postgres.ledger(), _scope(context))
    if not found.comparable:
        return dg.AssetCheckResult(passed=True, description="No day is built by both chains yet: nothing to compare.")
    differing = [f"{d.day}: {d.revenue} ({d.counted} orders) against {d.spend} ({d.orders})" for d in found.differing]
    return dg.AssetCheckResult(
        passed=not differing,
        severity=_ERROR,
        description=f"The chains differ on {len(differing)} of {found.comparable} days: {examples(differing)}. Rebuild"
        " these days with `orders-pipeline rebuild DAY`. If they still differ, report a bug."
        if differing
        else f"Both chains agree to the cent on {found.comparable} days, {len(found.compared)} of them compared now.",
        metadata={_COMPARED: len(found.compared)},
    )


@dg.asset_check(asset=daily_revenue)
def revenue_is_plausible(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """No finished day has far more or far less revenue than the same weekday in the eight weeks before. Compares the
    days that the run built and the last two weeks, including days without orders."""
    found = anomalies.find(postgres.ledger(), _scope(context), _calendar())
    compared, skipped = len(found.compared), ""
    if found.skipped:
        skipped = (
            f" {found.skipped} days were not compared: their weekday had revenue in fewer than {anomalies.LEAST_WEEKS}"
            f" of the {anomalies.WEEKS} weeks before, or they are not built yet."
        )
    if not found.odd:
        return dg.AssetCheckResult(
            passed=True,
            severity=_WARN,
            description=f"Revenue is as usual for the weekday on {compared} days: {list_days(found.compared)}.{skipped}"
            if compared
            else f"Nothing to compare yet.{skipped}",
            metadata={_COMPARED: compared},
        )
    newest_first = found.odd[::-1]
    return dg.AssetCheckResult(
        passed=False,
        severity=_WARN,
        description=f"Revenue is far from usual on {len(found.odd)} of {compared} days: {examples(newest_first, '; ')}."
        " A file may be missing, duplicated or in another unit: see the files of these days in raw_orders, and the"
        " checks of raw_orders and rejected_orders. Upload corrected files under the same keys. After a holiday or a"
        f" sale, there is nothing to do.{skipped}",
        metadata={**odd_days(newest_first), _COMPARED: compared},
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
