"""The asset checks. Each describes what it found. None passes on zero rows where rows were due."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

import dagster as dg
import polars as pl
from sqlalchemy.engine import Connection

from orders_pipeline import run_tags
from orders_pipeline.assets.daily import daily_orders, daily_revenue_partitioned
from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders
from orders_pipeline.landing import notices
from orders_pipeline.ledger import active, archive, days, files, overlaps
from orders_pipeline.ledger.days import Calendar, DueDays
from orders_pipeline.partitions import DAILY_PIPELINE, days_of
from orders_pipeline.quality import anomalies, completeness, reconciliation, reject_rate
from orders_pipeline.quality.completeness import EXAMPLES
from orders_pipeline.quality.uniqueness import repeated
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.schema import PARTITIONED, SOURCE, UNREADABLE_FILE_ROWS
from orders_pipeline.settings import read_settings
from orders_pipeline.tables import revenue
from orders_pipeline.tables.batching import batches
from orders_pipeline.tables.missing_objects import blocked_reason, require_objects
from orders_pipeline.text import list_days, printable

_LISTED_FILES: Final = 500
_LISTED_DAYS: Final = 100
_RECENT_DAYS: Final = 14  # whose revenue each run compares, so that a run of another day hides nothing


@dg.asset_check(asset=daily_orders, blocking=True)
def orders_not_empty(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Every requested day has had orders at some time."""
    asked = days_of(dict(context.run.tags))
    with postgres.ledger().connect() as connection:
        asked = asked or days.all_days(connection, "daily_orders", Calendar.of(read_settings()))
        delivered = days.delivered_days(connection, asked)
        rows = days.row_counts(connection, "daily_orders", asked)
    if missing := sorted(set(asked) - delivered):
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR if len(asked) == 1 else dg.AssetCheckSeverity.WARN,
            description=f"No clean order was ever delivered for {list_days(missing)}. If the shop was open, a file is"
            " late, quarantined or rejected: see the checks of raw_orders and rejected_orders.",
        )
    if not asked:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description="No day was requested, and none is built. Materialize a partition of daily_orders.",
        )
    if emptied := [day for day in asked if rows.get(day) == 0]:
        return dg.AssetCheckResult(
            passed=True,
            description=f"{list_days(emptied)} had orders before, and has none now: they moved or were replaced.",
        )
    return dg.AssetCheckResult(passed=True, description=f"{sum(rows.values())} orders on {list_days(asked)}.")


@dg.asset_check(asset=daily_orders)
def no_negative_amounts(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order has a negative amount. Returns do, so this check only warns."""
    with postgres.ledger().connect() as connection:
        checked = _checked_days(context, connection, "daily_orders")
        paths = days.paths(connection, "daily_orders", checked)
        stale = days.due_days(connection, "daily_orders", Calendar.of(read_settings()))
    if not paths:
        asked = days_of(dict(context.run.tags))
        return _nothing_checked("daily_orders", stale.among(asked) if asked else stale)
    lake = s3.lake()
    require_objects(postgres.ledger(), lake, "daily_orders", paths)
    orders = lake.scan(list(paths.values()))
    below_zero = orders.filter(pl.col("amount") < 0)
    negative = below_zero.select("order_id", "amount", SOURCE, day=pl.col("order_date").dt.date()).collect()
    return dg.AssetCheckResult(
        passed=negative.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{negative.height} orders on {list_days(negative['day'].unique())} have a negative amount,"
        f" {negative['amount'].sum()} in total: for example {_examples(negative['order_id'])}, in"
        f" {negative[SOURCE].n_unique()} files: {_examples(negative[SOURCE].unique().sort())}. Returns are no error."
        " Otherwise, correct the files and upload them again under the same keys."
        if negative.height
        else f"No negative amount on {list_days(paths)}.",
        metadata={"negative_orders": negative.height},
    )


@dg.asset_check(asset=cleaned_orders, blocking=True)
def order_ids_are_unique(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order_id occurs twice in the days of the run. The daily job compares all days."""
    with postgres.ledger().connect() as connection:
        checked = _checked_days(context, connection, "cleaned_orders")
        paths = days.paths(connection, "cleaned_orders", checked)
        rows = days.row_counts(connection, "cleaned_orders", checked)
        stale = days.due_days(connection, "cleaned_orders", Calendar.of(read_settings()))
    if not paths:
        return _nothing_checked("cleaned_orders", stale)
    lake = s3.lake()
    require_objects(postgres.ledger(), lake, "cleaned_orders", paths)
    orders = lake.scan(list(paths.values())).select("order_id", day=pl.col("order_date").dt.date())
    twice = repeated(orders, sum(rows.values()))
    if twice.is_empty():
        return dg.AssetCheckResult(passed=True, description=f"Every order occurs once on {list_days(paths)}.")
    found = sorted(twice["day"].unique())
    with postgres.ledger().begin() as transaction:
        days.block(transaction, "cleaned_orders", found, "order_ids_are_unique")
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{twice['order_id'].n_unique()} orders occur more than once, on {list_days(found)}, for"
        f" example {_examples(twice['order_id'].unique())}. daily_revenue keeps its last published values for these"
        f" days. Run the job again with the tag {run_tags.FULL_REFRESH}=true. If that does not help, report a bug.",
    )


@dg.asset_check(asset=raw_orders)
def landed_files_are_readable(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file is quarantined, failing or archived, and no empty file has replaced one whose rows still count."""
    with postgres.ledger().connect() as connection:
        total, bad = files.set_aside(connection)
        archived = archive.archived(connection)
    records = [
        dg.TableRecord(
            {
                "file": f.version.key,
                "status": f.status.value,
                "bytes": f.version.size,
                "reason": f.reason,
                "message": f.message,
                "attempts": f.attempts,
                "earlier version counts": f.still_counts,
            }
        )
        for f in bad[:_LISTED_FILES]
    ]
    sentences = []
    if bad:
        sentences.append(
            f"{len(bad)} of {total} files are not loaded:"
            f" {_examples(f'{f.version.key} ({f.status}: {f.reason})' for f in bad)}. Their orders are missing, or"
            " those of the last readable version still count. Failing files are tried again automatically. For a"
            " quarantined file, upload a corrected version under the same key, or fix the cause and run"
            " `orders-pipeline retry KEY`."
        )
    if archived:
        sentences.append(notices.archived(archived))
    return dg.AssetCheckResult(
        passed=not sentences,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(sentences) or f"All {total} files that landed are settled.",
        metadata={"files": dg.MetadataValue.table(records)} if records else {},
    )


@dg.asset_check(asset=rejected_orders)
def no_order_is_lost(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """Every row of every file is clean, rejected, superseded or out of range, and so is its amount."""
    calendar = Calendar.of(read_settings())
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        stale, unreadable = days.due_days(snapshot, "cleaned_orders", calendar), overlaps.unreadable_days(snapshot)
        run_days = (
            [] if _checks_everything(context) else days.days_of_run(snapshot, "cleaned_orders", context.run.run_id)
        )
        # Includes days that are not built: this check must find a day that is missing from the ledger.
        known = set(days.all_days(snapshot, "cleaned_orders", calendar)) | active.days_held(snapshot)
        everything = [day for day in known if calendar.start <= day <= calendar.today]
        checked = sorted(set(run_days or everything) - {*stale.stale} - unreadable)
        paths = days.paths(snapshot, "cleaned_orders", checked)
        portioned = []
        for portion in batches(checked, active.expected_rows(snapshot, checked)):
            holding = active.holding(snapshot, portion)
            portioned.append((portion, holding, overlaps.partners(snapshot, holding)))
        rejects = completeness.of_rejects(snapshot, context.run.run_id)
        if _checks_everything(context) or not rejects.compared:
            rejects = completeness.of_rejects(snapshot, None)
    lake = s3.lake()
    require_objects(postgres.ledger(), lake, "cleaned_orders", paths)
    orders = completeness.NONE
    for portion, holding, sharing in portioned:
        built = [paths[day] for day in portion if day in paths]
        orders += completeness.of_orders(lake, portion, holding, sharing, built, calendar.zone)
    waiting = f" {len(stale.stale)} stale days were not compared." if stale.stale else ""
    if orders.lost or orders.foreign or rejects.wrong:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{orders.lost} rows worth {orders.lost_amount} on {list_days(orders.lost_days)} are neither"
            f" clean nor superseded (orders {_examples(orders.examples)}); {orders.foreign} clean orders are in no"
            f" file; the rejects of"
            f" {len(rejects.wrong)} files are not all listed ({_examples(rejects.wrong)}).{waiting} Run the job again"
            f" with the tag {run_tags.FULL_REFRESH}=true. If that does not help, report a bug.",
        )
    if stale.unrecoverable:
        reason = blocked_reason(stale.unrecoverable)
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.ERROR, description=reason)
    if not checked and not rejects.compared:
        return _nothing_checked("cleaned_orders", stale)
    return dg.AssetCheckResult(
        passed=True,
        description=f"All {orders.read} orders read for {list_days(checked)} are accounted for: {orders.clean} clean,"
        f" {orders.read - orders.clean} superseded. So are the rejects of {rejects.compared} files.{waiting}",
    )


@dg.asset_check(asset=rejected_orders)
def few_rows_are_rejected(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file has a larger share of rejects than ORDERS_MAX_REJECT_SHARE, and no file has rejects only. Up to half of a
    file with fewer than 20 rows may be rejects."""
    share = read_settings().max_reject_share
    with postgres.ledger().connect() as connection:
        compared, found = reject_rate.above(connection, share)
    records = [
        dg.TableRecord({"file": f.key, "rows": f.rows, "rejected": f.rejected, "reasons": str(f)})
        for f in found[:_LISTED_FILES]
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Too many rows are rejected in {len(found)} of {compared} files: {_examples(found, '; ')}."
        " See the rows in rejected_orders, correct the files and upload them again under the same keys."
        if found
        else f"None of the {compared} files has too many rejects: more than {share:.2%}, or, with fewer than"
        f" {UNREADABLE_FILE_ROWS} rows, more than half.",
        metadata={"files": dg.MetadataValue.table(records)} if records else {},
    )


@dg.asset_check(asset=daily_revenue, additional_deps=[daily_revenue_partitioned])
def revenue_reconciles(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Both chains agree to the cent on every day that both have built from the same version.

    Days that agreed are compared again only after a rebuild, or in the daily job."""
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        marts = ("daily_revenue", "daily_revenue_partitioned")
        built = any(days.days_of_run(snapshot, mart, context.run.run_id) for mart in marts)
        found = reconciliation.compare(snapshot, everything=_checks_everything(context) or not built)
    with postgres.ledger().begin() as transaction:
        reconciliation.record(transaction, found)
    if not found.comparable:
        return dg.AssetCheckResult(passed=True, description="No day is built by both chains yet: nothing to compare.")
    differing = [f"{d.day}: {d.revenue} ({d.counted} orders) against {d.spend} ({d.orders})" for d in found.differing]
    return dg.AssetCheckResult(
        passed=not differing,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"The chains differ on {len(differing)} of {found.comparable} days: {_examples(differing)}. Rebuild"
        " these days with `orders-pipeline rebuild DAY`. If they still differ, report a bug."
        if differing
        else f"Both chains agree to the cent on {found.comparable} days, {len(found.compared)} of them compared now.",
        metadata={"days_compared": len(found.compared)},
    )


@dg.asset_check(asset=daily_revenue)
def revenue_is_plausible(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """No finished day has far more or far less revenue than the same weekday in the eight weeks before. Compares the
    days that the run built and the last two weeks, including days without orders."""
    calendar = Calendar.of(read_settings())
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        built = days.days_of_run(snapshot, "daily_revenue", context.run.run_id)
        recent = [calendar.today - timedelta(days=ago) for ago in range(1, _RECENT_DAYS + 1)]
        finished = sorted(day for day in {*built, *recent} if calendar.start <= day < calendar.today)
        known = revenue.of_days(snapshot, anomalies.days_needed(finished))
    compared, odd = anomalies.compare(known, finished)
    skipped = f" {len(finished) - len(compared)} days were not compared:" if len(compared) < len(finished) else ""
    if skipped:
        skipped += (
            f" their weekday had revenue in fewer than {anomalies.LEAST_WEEKS} of the {anomalies.WEEKS} weeks"
            " before, or they are not built yet."
        )
    if not odd:
        return dg.AssetCheckResult(
            passed=True,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Revenue is as usual for the weekday on {len(compared)} days: {list_days(compared)}.{skipped}"
            if compared
            else f"Nothing to compare yet.{skipped}",
            metadata={"days_compared": len(compared)},
        )
    newest_first = odd[::-1]
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Revenue is far from usual on {len(odd)} of {len(compared)} days: {_examples(newest_first, '; ')}."
        " A file may be missing, duplicated or in another unit: see the files of these days in raw_orders, and the"
        " checks of raw_orders and rejected_orders. Upload corrected files under the same keys. After a holiday or a"
        f" sale, there is nothing to do.{skipped}",
        metadata={
            "days_compared": len(compared),
            "days": dg.MetadataValue.table([_odd_day(found) for found in newest_first[:_LISTED_DAYS]]),
        },
    )


def _odd_day(found: anomalies.Odd) -> dg.TableRecord:
    usual = found.usual
    return dg.TableRecord(
        {
            "day": str(found.day),
            "weekday": f"{found.day:%A}",
            "revenue": str(found.revenue),
            "usual": str(usual.expected),
            "plausible from": str(usual.low),
            "to": str(usual.high),
            "weeks compared": usual.weeks,
        }
    )


def _checks_everything(context: dg.AssetCheckExecutionContext) -> bool:
    return context.run.job_name == DAILY_PIPELINE


def _checked_days(context: dg.AssetCheckExecutionContext, connection: Connection, asset: str) -> list[date]:
    """The days that the run requested or built. In the daily job, or if there are none: all days."""
    everything = days.all_days(connection, asset, Calendar.of(read_settings()))
    requested = set(days_of(dict(context.run.tags))) if asset in PARTITIONED else set()
    if requested:
        return [day for day in everything if day in requested]
    built = [] if _checks_everything(context) else days.days_of_run(connection, asset, context.run.run_id)
    return built or everything


def _nothing_checked(asset: str, stale: DueDays) -> dg.AssetCheckResult:
    """Nothing is built: passes if nothing was due."""
    return dg.AssetCheckResult(
        passed=not stale.stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"No day of {asset} is built, but {len(stale.stale)} days are due: {list_days(stale.stale)}."
        " Materialize it. If its last run failed, see why."
        if stale.stale
        else f"No day of {asset} is built, and none is due.",
    )


def _examples(values: Iterable[object], separator: str = ", ") -> str:
    listed = [_one_line(str(value)) for value in values]
    return separator.join(listed[:EXAMPLES]) + (f"{separator}..." if len(listed) > EXAMPLES else "") or "none"


def _one_line(text: str) -> str:
    """A key or an id, with escapes for what would break a line or begin a tag in Markdown."""
    return printable(text).replace("<", "&lt;")
