"""The asset checks. Each says in words what it found; none passes on nothing where something was due."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

import dagster as dg
import polars as pl
from sqlalchemy.engine import Connection

from orders_pipeline import conservation, reconciliation, rejections
from orders_pipeline.assets.daily import daily_orders
from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import cleaned_orders, daily_revenue, rejected_orders
from orders_pipeline.conservation import EXAMPLES
from orders_pipeline.io_managers import FULL_REFRESH_TAG
from orders_pipeline.ledger import active, days, files
from orders_pipeline.ledger.days import Calendar
from orders_pipeline.lost import require_objects
from orders_pipeline.metadata import list_days
from orders_pipeline.partitions import DAILY_PIPELINE, days_of
from orders_pipeline.portions import portions
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.schema import PARTITIONED, UNREADABLE_FILE_ROWS
from orders_pipeline.settings import read_settings

_LISTED_FILES: Final = 500
_HASHES_AT_ONCE: Final = 10_000_000


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
            passed=False, severity=dg.AssetCheckSeverity.WARN, description="No day was asked for, and none is built."
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
        stale = days.stale_days(connection, "daily_orders", Calendar.of(read_settings()))
    if not paths:
        asked = days_of(dict(context.run.tags))
        return _nothing_checked("daily_orders", {day: stale[day] for day in asked if day in stale} if asked else stale)
    lake = s3.lake()
    require_objects(postgres.ledger(), lake, "daily_orders", paths)
    orders = lake.scan(list(paths.values()))
    negative = orders.filter(pl.col("amount") < 0).select("order_id", day=pl.col("order_date").dt.date()).collect()
    return dg.AssetCheckResult(
        passed=negative.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{negative.height} orders on {list_days(negative['day'].unique())} have a negative amount"
        f" (returns, or errors?), for example {_examples(negative['order_id'])}."
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
        stale = days.stale_days(connection, "cleaned_orders", Calendar.of(read_settings()))
    if not paths:
        return _nothing_checked("cleaned_orders", stale)
    lake = s3.lake()
    require_objects(postgres.ledger(), lake, "cleaned_orders", paths)
    orders = lake.scan(list(paths.values())).select("order_id", day=pl.col("order_date").dt.date())
    twice = _repeated(orders, sum(rows.values()))
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
        f" days; run the job again with the tag {FULL_REFRESH_TAG}=true, and report a bug if that does not help.",
    )


@dg.asset_check(asset=raw_orders)
def landed_files_are_readable(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file is quarantined, and none keeps failing."""
    with postgres.ledger().connect() as connection:
        total, bad = files.set_aside(connection)
    records = [
        dg.TableRecord(
            {
                "file": f.version.key,
                "status": f.status.value,
                "bytes": f.version.size,
                "reason": f.reason,
                "message": f.message,
                "attempts": f.attempts,
            }
        )
        for f in bad[:_LISTED_FILES]
    ]
    return dg.AssetCheckResult(
        passed=not bad,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(bad)} of {total} files are set aside: {_examples(f.version.key for f in bad)}. Upload a"
        " corrected version under the same key, or run `orders-pipeline retry KEY` once the cause is mended."
        if bad
        else f"All of the {total} files that landed are settled.",
        metadata={"files": dg.MetadataValue.table(records)} if records else {},
    )


@dg.asset_check(asset=rejected_orders)
def no_order_is_lost(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """Every row of every file is clean, rejected, superseded or out of range, and so is the money."""
    calendar = Calendar.of(read_settings())
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        stale = days.stale_days(snapshot, "cleaned_orders", calendar)
        run_days = (
            [] if _checks_everything(context) else days.days_of_run(snapshot, "cleaned_orders", context.run.run_id)
        )
        # Not only the days that are built: a day that the ledger lost sight of is what is looked for.
        known = set(days.all_days(snapshot, "cleaned_orders", calendar)) | active.days_held(snapshot)
        everything = [day for day in known if calendar.start <= day <= calendar.today]
        checked = sorted(day for day in run_days or everything if day not in stale)
        paths = days.paths(snapshot, "cleaned_orders", checked)
        portioned = []
        for portion in portions(checked, active.expected_rows(snapshot, checked)):
            holding = active.holding(snapshot, portion)
            portioned.append((portion, holding, active.sharing_ids(snapshot, [file.raw for file in holding])))
        rejects = conservation.of_rejects(snapshot, context.run.run_id)
        if _checks_everything(context) or not rejects.compared:
            rejects = conservation.of_rejects(snapshot, None)
    lake = s3.lake()
    require_objects(postgres.ledger(), lake, "cleaned_orders", paths)
    orders = conservation.NONE
    for portion, holding, sharing in portioned:
        built = [paths[day] for day in portion if day in paths]
        orders += conservation.of_orders(lake, portion, holding, sharing, built, calendar.zone)
    waiting = f" {len(stale)} days wait to be rebuilt and were not compared." if stale else ""
    if orders.lost or orders.foreign or rejects.wrong:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{orders.lost} rows worth {orders.lost_amount} are neither clean nor superseded"
            f" ({_examples(orders.examples)}); {orders.foreign} clean orders are in no file; the rejects of"
            f" {len(rejects.wrong)} files are not all listed ({_examples(rejects.wrong)}).{waiting} Run the job again"
            f" with the tag {FULL_REFRESH_TAG}=true, and report a bug if that does not help.",
        )
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
    """No file of at least 20 rows has a larger share of rejects than ORDERS_MAX_REJECT_SHARE."""
    share = read_settings().max_reject_share
    with postgres.ledger().connect() as connection:
        judged, found = rejections.above(connection, share, UNREADABLE_FILE_ROWS)
    records = [
        dg.TableRecord({"file": f.key, "rows": f.rows, "rejected": f.rejected, "reasons": str(f)})
        for f in found[:_LISTED_FILES]
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"More than {share:.2%} of the rows are rejected in {len(found)} of {judged} files:"
        f" {_examples(found)}. Correct the files and upload them again."
        if found
        else f"None of the {judged} files of at least {UNREADABLE_FILE_ROWS} rows has more than {share:.2%} rejects.",
        metadata={"files": dg.MetadataValue.table(records)} if records else {},
    )


@dg.asset_check(asset=daily_revenue)
def revenue_reconciles(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Both chains agree to the cent on every day that both have built from the same version."""
    with postgres.ledger().execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        compared, differing = reconciliation.compare(snapshot)
    if not compared:
        return dg.AssetCheckResult(passed=True, description="No day is built by both chains yet: nothing to compare.")
    found = [f"{d.day}: {d.revenue} ({d.counted} orders) against {d.spend} ({d.orders})" for d in differing]
    return dg.AssetCheckResult(
        passed=not differing,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"The chains differ on {len(differing)} of {compared} days: {_examples(found)}. Rebuild these days"
        f" in both chains with the tag {FULL_REFRESH_TAG}=true, and report a bug if that does not help."
        if differing
        else f"Both chains agree to the cent on {compared} days.",
        metadata={"days_compared": compared},
    )


def _checks_everything(context: dg.AssetCheckExecutionContext) -> bool:
    return context.run.job_name == DAILY_PIPELINE


def _repeated(orders: pl.LazyFrame, count: int) -> pl.DataFrame:
    """The orders whose id is there more than once. Only hashes are held in memory, and not all at a time."""
    hashed, passes = pl.col("order_id").hash(), 1 + count // _HASHES_AT_ONCE
    suspects = []
    for number in range(passes):
        part = orders.select(hashed).filter(pl.col("order_id") % passes == number)
        hashes = part.collect(engine="streaming").to_series().sort()
        suspects.append(hashes.filter(hashes == hashes.shift()))
    found = orders.filter(hashed.is_in(pl.concat(suspects).implode())).collect(engine="streaming")
    return found.filter(pl.col("order_id").is_duplicated())  # and not just the hash


def _checked_days(context: dg.AssetCheckExecutionContext, connection: Connection, asset: str) -> list[date]:
    """The days that the run built; all of them in the daily job, and where the run built none."""
    everything = days.all_days(connection, asset, Calendar.of(read_settings()))
    asked = set(days_of(dict(context.run.tags))) if asset in PARTITIONED else set()
    if asked:
        return [day for day in everything if day in asked]
    built = [] if _checks_everything(context) else days.days_of_run(connection, asset, context.run.run_id)
    return built or everything


def _nothing_checked(asset: str, stale: Mapping[date, str]) -> dg.AssetCheckResult:
    """Nothing is built: fine if nothing was due."""
    return dg.AssetCheckResult(
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"There is no {asset} to look at" + (f", but {len(stale)} days are due." if stale else "."),
    )


def _examples(values: Iterable[object]) -> str:
    listed = [_one_line(str(value)) for value in values]
    return ", ".join(listed[:EXAMPLES]) + (", ..." if len(listed) > EXAMPLES else "") or "none"


def _one_line(text: str) -> str:
    """A key or an id as it is, but for what would break a line, or begin a tag where Markdown is shown."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text).replace("<", "&lt;")
