"""The checks of the orders that both chains hold: `cleaned_orders` and `daily_orders`."""

from typing import Final

import dagster as dg

from orders_pipeline import run_tags
from orders_pipeline.assets.daily import daily_orders
from orders_pipeline.assets.orders import cleaned_orders
from orders_pipeline.checks.results import (
    ERROR,
    FULL_REFRESH,
    WARN,
    calendar,
    nothing_checked,
    recorded,
    result,
    scope_of,
    what_to_do,
)
from orders_pipeline.ledger import findings
from orders_pipeline.quality import deliveries, negative_amounts, order_versions, uniqueness
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.text import counted, list_days
from orders_pipeline.ui.findings import messages


@dg.asset_check(asset=cleaned_orders, blocking=True)
def order_ids_are_unique(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No order_id occurs twice in the days of the run. The daily job compares all days."""
    engine, lake = postgres.ledger(), s3.lake()
    examination = findings.examine(engine, "order_ids_are_unique")
    built = scope_of(context).built(engine, lake, "cleaned_orders", calendar(), examination.days)
    found = uniqueness.find(lake, built) if built.paths else []
    uniqueness.block(engine, found)
    standing = recorded(engine, examination, [day.finding() for day in found], map(str, built.paths))
    of_this_run = [day.day for day in found if day.day not in built.again]
    if not (built.paths or standing.open):
        return nothing_checked("cleaned_orders", built.stale)
    if of_this_run and not standing.open:
        return dg.AssetCheckResult(
            passed=False,
            severity=ERROR,
            description=f"Orders occur more than once on {list_days(of_this_run)}. The findings are accepted, but"
            " revenue would still count these orders twice: daily_revenue keeps its last published values."
            f" {FULL_REFRESH}",
            metadata=what_to_do("order_ids_are_unique"),
        )
    return result(
        standing,
        # What other runs found does not keep this one from going on: those days are blocked already.
        severity=ERROR if of_this_run else WARN,
        failing=f"{messages(standing.open, '; ')}. daily_revenue keeps its last published values for these days."
        f" {FULL_REFRESH}",
        passing=f"Every order occurs once on {list_days(built.paths)}.",
    )


@dg.asset_check(asset=cleaned_orders)
def no_order_replaces_another(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No version of an order replaced one of another customer or sender: two shops may use the same ids."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "no_order_replaces_another")
    found = order_versions.find(engine, calendar())
    # What the ledger says of all built days is read each time, so whatever is not found is gone.
    standing = recorded(engine, examination, [file.finding() for file in found.overwriting])
    if not (found.days or standing.open):
        return nothing_checked("cleaned_orders", found.stale)
    return result(
        standing,
        failing=f"{messages(standing.open, '; ')}. Only the latest version of an order counts, so this money does not."
        " If these are different orders with the same id, make the ids differ and upload the files again under the same"
        " keys. If they are corrections, accept them; folders of one sender are best declared as one source.",
        passing=f"None of the {counted(found.orders, 'superseded row')} of"
        f" {counted(len(found.days), 'day')} is of another customer or"
        " sender than the order that replaced it.",
    )


@dg.asset_check(asset=cleaned_orders)
def repeated_orders_agree(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file, nor the source table, has an order several times with other amounts and without `updated_at`: these may
    be lines of one order, or different orders with a damaged id."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "repeated_orders_agree")
    found = order_versions.find(engine, calendar())
    standing = recorded(engine, examination, [file.finding() for file in found.repeating])
    if not (found.days or standing.open):
        return nothing_checked("cleaned_orders", found.stale)
    return result(
        standing,
        failing=f"{messages(standing.open, '; ')}. Only the last row of an order counts, so this money does not. If the"
        ' rows are lines of the order, declare `lines = "sum"` for their source. If they are versions of it (a log of'
        ' changes), give them an `updated_at`, or declare `lines = "last"`. If their ids are damaged (a spreadsheet'
        " writes 1.23457E+12), correct the file and upload it again under the same key.",
        passing=f"None of the {counted(found.orders, 'superseded row')} of"
        f" {counted(len(found.days), 'day')} is in one file with a row of"
        " the same order and another amount, unless `updated_at` says which is later.",
    )


@dg.asset_check(asset=cleaned_orders)
def summed_orders_are_whole(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file replaced orders with smaller sums, where lines are summed: it may have some of their lines only."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "summed_orders_are_whole")
    found = order_versions.find(engine, calendar())
    standing = recorded(engine, examination, [file.finding() for file in found.shrinking])
    if not (found.days or standing.open):
        return nothing_checked("cleaned_orders", found.stale)
    return result(
        standing,
        failing=f"{messages(standing.open, '; ')}. A file with any line of an order replaces it as a whole. If it has"
        " changed lines only, ask its sender for whole orders. If lines were taken off these orders, accept it.",
        passing=f"None of the {counted(found.orders, 'superseded row')} of"
        f" {counted(len(found.days), 'day')} is a sum of lines that a later"
        " file made smaller.",
    )


@dg.asset_check(asset=daily_orders, blocking=True)
def orders_not_empty(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """Every requested day has had orders at some time, if it is over. A run for one day alone fails without them; a
    backfill goes on."""
    found = deliveries.find(postgres.ledger(), scope_of(context).requested, calendar())
    if found.missing:
        is_alone = len(found.days) == 1 and run_tags.BACKFILL not in context.run.tags
        return dg.AssetCheckResult(
            passed=False,
            severity=ERROR if is_alone else WARN,
            description=f"No clean order was ever delivered for {list_days(found.missing)}. If the shop was open, a"
            " file is late, quarantined or rejected: see the checks of raw_orders and rejected_orders.",
            metadata=what_to_do("orders_not_empty"),
        )
    if not found.days:
        return dg.AssetCheckResult(
            passed=False,
            severity=WARN,
            description="No day was requested, and none is built. Materialize a partition of daily_orders.",
        )
    summary = f"{counted(found.orders, 'order')} on {list_days(found.days)}."
    if found.emptied:
        summary = f"{list_days(found.emptied)} had orders before, and has none now: they moved or were replaced."
    if found.awaited:
        summary += f" {list_days(found.awaited)} is not over, and has no orders yet."
    return dg.AssetCheckResult(passed=True, description=summary)


@dg.asset_check(asset=daily_orders)
def no_negative_amounts(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No row that counts has a negative amount. Returns do, so this check only warns."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "no_negative_amounts")
    found = negative_amounts.find(engine)
    standing = recorded(engine, examination, [sender.finding() for sender in found.negative])
    return result(
        standing,
        failing=f"{messages(standing.open, '; ')}. Returns are no error: accept the finding once for each sender."
        " Otherwise, correct the files and upload them again under the same keys.",
        passing=f"No negative amount in {counted(found.rows, 'row')}." if found.rows else "No order has landed yet.",
        metadata={"Rows with a negative amount": sum(sender.negative for sender in found.negative)},
    )


CHECKS: Final = [
    order_ids_are_unique,
    no_order_replaces_another,
    repeated_orders_agree,
    summed_orders_are_whole,
    orders_not_empty,
    no_negative_amounts,
]
