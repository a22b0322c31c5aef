"""The asset checks. Each says in words what it found; none passes on nothing where something was due."""

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
_RECENT_DAYS: Final = 14  # whose revenue each run looks at: no run of another day hides what is odd, or missing


@dg.asset_check(asset=daily_orders, blocking=True)
def orders_not_empty(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Every day asked for was delivered orders, at some time."""
    asked = days_of(dict(context.run.tags))
    with postgres.ledger().connect() as connection:
        asked = asked or days.all_days(connection, "daily_orders", Calendar.of(read_settings()))
        delivered = days.delivered_days(connection, asked)
        rows = days.row_counts(connection, "daily_orders", asked)
    if missing := sorted(set(asked) - delivered):
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR if len(asked) == 1 else dg.AssetCheckSeverity.WARN,
            description=f"No clean order was ever delivered for {list_days(missing)}. Did the shop close, or is a file"
            " late, quarantined or rejected? See the checks of raw_orders and rejected_orders.",
        )
    if not asked:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description="No day was asked for, and none is built. Materialize a partition of daily_orders.",
        )
    if emptied := [day for day in asked if rows.get(day) == 0]:
        return dg.AssetCheckResult(
            passed=True,
            description=f"{list_days(emptied)} had orders once, and has none any more: they moved or were replaced.",
        )
    return dg.AssetCheckResult(passed=True, description=f"{sum(rows.values())} orders on {list_days(asked)}.")


@dg.asset_check(asset=daily_orders)
def no_negative_amounts(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order has a negative amount. Returns have, so this warns only."""
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
        f" {negative['amount'].sum()} in all: for example {_examples(negative['order_id'])}, in"
        f" {negative[SOURCE].n_unique()} files: {_examples(negative[SOURCE].unique().sort())}. Returns are no error;"
        " otherwise correct the files and upload them again under the same keys."
        if negative.height
        else f"No negative amount on {list_days(paths)}.",
        metadata={"negative_orders": negative.height},
    )


@dg.asset_check(asset=cleaned_orders, blocking=True)
def order_ids_are_unique(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order_id is there twice: within the days of the run; in the daily job, over all days."""
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
        return dg.AssetCheckResult(passed=True, description=f"Every order is there once on {list_days(paths)}.")
    found = sorted(twice["day"].unique())
    with postgres.ledger().begin() as transaction:
        days.block(transaction, "cleaned_orders", found, "order_ids_are_unique")
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{twice['order_id'].n_unique()} orders are there more than once, on {list_days(found)}, for"
        f" example {_examples(twice['order_id'].unique())}. daily_revenue keeps its last figures for these"
        f" days; run the job again with the tag {run_tags.FULL_REFRESH}=true, and report a bug if that does not help.",
    )


@dg.asset_check(asset=raw_orders)
def landed_files_are_readable(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file is quarantined, none keeps failing, none is empty in the place of one that counts, and none waits for its
    restoration from an archive of S3."""
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
            f"{len(bad)} of {total} files are set aside:"
            f" {_examples(f'{f.version.key} ({f.status}: {f.reason})' for f in bad)}. Their orders are missing, or"
            " those of the last readable version still count. A failing file is tried again by itself. Of a quarantined"
            " one, upload a corrected version under the same key, or run `orders-pipeline retry KEY` once the cause is"
            " mended."
        )
    if archived:
        sentences.append(notices.archived(archived))
    return dg.AssetCheckResult(
        passed=not sentences,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(sentences) or f"All of the {total} files that landed are settled.",
        metadata={"files": dg.MetadataValue.table(records)} if records else {},
    )


@dg.asset_check(asset=rejected_orders)
def no_order_is_lost(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """Every row of every file is clean, rejected, superseded or out of range, and so is the money."""
    calendar = Calendar.of(read_settings())
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        stale, unreadable = days.due_days(snapshot, "cleaned_orders", calendar), overlaps.unreadable_days(snapshot)
        run_days = (
            [] if _checks_everything(context) else days.days_of_run(snapshot, "cleaned_orders", context.run.run_id)
        )
        # Not only the days that are built: a day that the ledger lost sight of is what is looked for.
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
    waiting = f" {len(stale.stale)} days wait to be rebuilt and were not compared." if stale.stale else ""
    if orders.lost or orders.foreign or rejects.wrong:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{orders.lost} rows worth {orders.lost_amount} on {list_days(orders.lost_days)} are neither"
            f" clean nor superseded (orders {_examples(orders.examples)}); {orders.foreign} clean orders are in no"
            f" file; the rejects of"
            f" {len(rejects.wrong)} files are not all listed ({_examples(rejects.wrong)}).{waiting} Run the job again"
            f" with the tag {run_tags.FULL_REFRESH}=true, and report a bug if that does not help.",
        )
    if stale.unrecoverable:
        reason = blocked_reason(stale.unrecoverable)
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.ERROR, description=reason)
    if not checked and not rejects.compared:
        return _nothing_checked("cleaned_orders", stale)
    return dg.AssetCheckResult(
        passed=True,
        description=f"All {orders.read} orders read for {list_days(checked)} are accounted for: {orders.clean} clean,"
        f" {orders.read - orders.clean} superseded by a later version; so are the rejects of {rejects.compared}"
        f" files.{waiting}",
    )


@dg.asset_check(asset=rejected_orders)
def few_rows_are_rejected(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file has a larger share of rejects than ORDERS_MAX_REJECT_SHARE, nor, if it has fewer than 20 rows, more
    rejects than good rows; and of every file at least one row counts."""
    share = read_settings().max_reject_share
    with postgres.ledger().connect() as connection:
        judged, found = reject_rate.above(connection, share)
    records = [
        dg.TableRecord({"file": f.key, "rows": f.rows, "rejected": f.rejected, "reasons": str(f)})
        for f in found[:_LISTED_FILES]
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Too many rows are rejected in {len(found)} of {judged} files: {_examples(found, '; ')}."
        " See their rows in rejected_orders, correct the files and upload them again under the same keys."
        if found
        else f"None of the {judged} files has more than {share:.2%} rejects, or, with fewer than {UNREADABLE_FILE_ROWS}"
        " rows, more rejects than good rows.",
        metadata={"files": dg.MetadataValue.table(records)} if records else {},
    )


@dg.asset_check(asset=daily_revenue, additional_deps=[daily_revenue_partitioned])
def revenue_reconciles(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Both chains agree to the cent on every day that both have built from the same version.

    Days that agreed, and that neither chain has built since, are compared again in the daily job alone."""
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        marts = ("daily_revenue", "daily_revenue_partitioned")
        built = any(days.days_of_run(snapshot, mart, context.run.run_id) for mart in marts)
        found = reconciliation.compare(snapshot, everything=_checks_everything(context) or not built)
    with postgres.ledger().begin() as transaction:
        reconciliation.remember(transaction, found)
    if not found.comparable:
        return dg.AssetCheckResult(passed=True, description="No day is built by both chains yet: nothing to compare.")
    differing = [f"{d.day}: {d.revenue} ({d.counted} orders) against {d.spend} ({d.orders})" for d in found.differing]
    return dg.AssetCheckResult(
        passed=not differing,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"The chains differ on {len(differing)} of {found.comparable} days: {_examples(differing)}. Build"
        " these days anew in both chains with `orders-pipeline rebuild DAY`, and report a bug if that does not help."
        if differing
        else f"Both chains agree to the cent on {found.comparable} days, {len(found.compared)} of them compared now.",
        metadata={"days_compared": len(found.compared)},
    )


@dg.asset_check(asset=daily_revenue)
def revenue_is_plausible(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """No finished day has far more or far less revenue than the same weekday had in the eight weeks before: of the days
    that the run built, and of the last two weeks, where days without any order count as well."""
    calendar = Calendar.of(read_settings())
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        built = days.days_of_run(snapshot, "daily_revenue", context.run.run_id)
        recent = [calendar.today - timedelta(days=ago) for ago in range(1, _RECENT_DAYS + 1)]
        finished = sorted(day for day in {*built, *recent} if calendar.start <= day < calendar.today)
        known = revenue.of_days(snapshot, anomalies.days_needed(finished))
    judged, odd = anomalies.judge(known, finished)
    unjudged = f" {len(finished) - len(judged)} days are not judged:" if len(judged) < len(finished) else ""
    if unjudged:
        unjudged += (
            f" their weekday had revenue in fewer than {anomalies.LEAST_WEEKS} of the {anomalies.WEEKS} weeks"
            " before, or they wait to be built."
        )
    if not odd:
        return dg.AssetCheckResult(
            passed=True,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Revenue is as usual for the weekday on {len(judged)} days: {list_days(judged)}.{unjudged}"
            if judged
            else f"Nothing to judge yet.{unjudged}",
            metadata={"days_judged": len(judged)},
        )
    newest_first = odd[::-1]
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Revenue is far from usual on {len(odd)} of {len(judged)} days: {_examples(newest_first, '; ')}."
        " Is a file missing, there twice, or in another unit? See the files of these days in raw_orders, and the checks"
        " of raw_orders and rejected_orders; upload what is wrong again under the same key. After a holiday or a sale"
        f" there is nothing to do.{unjudged}",
        metadata={
            "days_judged": len(judged),
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
    """The days that the run built; all of them in the daily job, and where the run built none."""
    everything = days.all_days(connection, asset, Calendar.of(read_settings()))
    asked = set(days_of(dict(context.run.tags))) if asset in PARTITIONED else set()
    if asked:
        return [day for day in everything if day in asked]
    built = [] if _checks_everything(context) else days.days_of_run(connection, asset, context.run.run_id)
    return built or everything


def _nothing_checked(asset: str, stale: DueDays) -> dg.AssetCheckResult:
    """Nothing is built: fine if nothing was due."""
    return dg.AssetCheckResult(
        passed=not stale.stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"There is no {asset} to look at, but {len(stale.stale)} days are due: {list_days(stale.stale)}."
        " Materialize it; if it was, see why its last run failed."
        if stale.stale
        else f"There is no {asset} to look at, and none is due.",
    )


def _examples(values: Iterable[object], separator: str = ", ") -> str:
    listed = [_one_line(str(value)) for value in values]
    return separator.join(listed[:EXAMPLES]) + (f"{separator}..." if len(listed) > EXAMPLES else "") or "none"


def _one_line(text: str) -> str:
    """A key or an id as it is, but for what would break a line, or begin a tag where Markdown is shown."""
    return printable(text).replace("<", "&lt;")
