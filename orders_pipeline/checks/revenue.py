"""The checks of the figures: `daily_revenue`, and the other chain beside it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from orders_pipeline.assets.daily import daily_revenue_partitioned
from orders_pipeline.assets.orders import daily_revenue
from orders_pipeline.checks import overdue
from orders_pipeline.checks.results import ERROR, WARN, calendar, nothing_checked, recorded, result, scope_of
from orders_pipeline.ledger import findings
from orders_pipeline.quality import anomalies, reconciliation, vanished
from orders_pipeline.quality.yesterday import Yesterday
from orders_pipeline.resources import PostgresResource
from orders_pipeline.settings import read_settings
from orders_pipeline.text import counted, list_days
from orders_pipeline.ui.findings import messages, odd_days

_COMPARED: Final = "Days compared"
_OF_BOTH_CHAINS: Final = (
    "Both chains agree to the cent on every day that both have built from the same version.\n\nDays that agreed are"
    " compared again only after a rebuild, or in the daily job."
)
# The last one that a run reports is the one that `sync` and alerts name: daily_revenue.
_RECONCILES: Final = [
    dg.AssetCheckSpec("revenue_reconciles", asset=table, description=_OF_BOTH_CHAINS)
    for table in (daily_revenue_partitioned, daily_revenue)
]


@dg.multi_asset_check(specs=_RECONCILES, name="daily_revenue_revenue_reconciles", can_subset=True)
def revenue_reconciles(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource
) -> Iterator[dg.AssetCheckResult]:
    """Compares once, and reports to both tables. Only `daily_revenue` has severity ERROR: one alert is enough."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "revenue_reconciles")
    found = reconciliation.compare_and_record(engine, scope_of(context))
    standing = recorded(engine, examination, [day.finding() for day in found.differing], found.examined)
    agreement = (
        f"Both chains agree to the cent on {counted(found.comparable, 'day')}, {len(found.compared)} of them compared"
        " now."
    )
    answer = result(
        standing,
        severity=ERROR,
        failing=f"The chains differ on {len(standing.open)} of {counted(found.comparable, 'day')}:"
        f" {messages(standing.open)}."
        " Rebuild these days with `orders-pipeline rebuild DAY`. If they still differ, report a bug.",
        passing=agreement if found.comparable else "No day is built by both chains yet: nothing to compare.",
        metadata={_COMPARED: f"{len(found.compared):,}"},
    )
    for spec in _RECONCILES:
        if spec.key in context.selected_asset_check_keys:
            severity = ERROR if spec.asset_key == daily_revenue.key else WARN
            yield answer._replace(asset_key=spec.asset_key, check_name=spec.name, severity=severity)


@dg.asset_check(asset=daily_revenue)
def revenue_is_plausible(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """No finished day has far more or far less revenue than the same weekday in the eight weeks before. Compares the
    days that the run built and the last two weeks, including days without orders."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "revenue_is_plausible")
    found = anomalies.find(engine, scope_of(context), calendar(), examination.days)
    standing = recorded(engine, examination, [odd.finding() for odd in found.odd], found.examined)
    compared, skipped = len(found.compared), ""
    if found.skipped:
        skipped = (
            f" {counted(found.skipped, 'day')} not compared: their weekday had revenue in fewer than"
            f" {anomalies.LEAST_WEEKS} of the {anomalies.WEEKS} weeks before, or they are not built yet."
        )
    usual = f"Revenue is as usual for the weekday on {counted(compared, 'day')}: {list_days(found.compared)}."
    newest_first = sorted(standing.open, key=lambda one: one.subject, reverse=True)
    of_days = len({*map(str, found.compared), *(one.subject for one in newest_first)})
    return result(
        standing,
        failing=f"Revenue is far from usual on {len(newest_first)} of {counted(of_days, 'day')}:"
        f" {messages(newest_first, '; ')}."
        " A file may be missing, duplicated or in another unit: see the files of these days in raw_orders, and the"
        " checks of raw_orders and rejected_orders. Upload corrected files under the same keys. After a holiday or a"
        f" sale, accept the finding.{skipped}",
        passing=f"{usual if compared else 'Nothing to compare yet.'}{skipped}",
        metadata={**odd_days(found.odd[::-1]), _COMPARED: f"{compared:,}"},
    )


@dg.asset_check(asset=daily_revenue)
def no_revenue_vanishes(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> dg.AssetCheckResult:
    """No day has lost more than half of its revenue without a person asking for it. Compares the days that the run
    built with all that they have shown; the daily job compares all days."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "no_revenue_vanishes")
    found = vanished.find(engine, scope_of(context), calendar(), examination.days)
    standing = recorded(engine, examination, [day.finding() for day in found.vanished], found.examined)
    if not (found.compared or standing.open):
        return nothing_checked("daily_revenue", found.stale)
    lost = sum(one.amount or 0 for one in standing.open)
    return result(
        standing,
        failing=f"{lost:,.2f} vanished on {counted(len(standing.open), 'day')}, and no one asked for it:"
        f" {messages(standing.open, '; ')}. A key was overwritten, or rows were deleted from the source table. Upload"
        " the file again under another key, or restore the rows. If the table keeps only recent orders, declare"
        " `frozen_after`.",
        passing=f"No revenue has vanished on {counted(len(found.compared), 'day')}: {list_days(found.compared)}.",
        metadata={_COMPARED: f"{len(found.compared):,}"},
    )


@dg.asset_check(asset=daily_revenue)
def yesterday_is_built(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Both chains have the day before by 08:00 UTC. It passes where no order of that day arrived, unless the same
    weekday usually has orders."""
    found, standing = overdue.missing_yesterday(postgres.ledger(), read_settings(), datetime.now(UTC))
    return result(
        standing,
        failing=f"{messages(standing.open, '; ')}. If it has no orders: ask the senders. Otherwise see which runs"
        " failed, and whether the schedule and the sensors are on; `orders-pipeline sync` builds what is due now.",
        passing=_of_yesterday(found) if found else "The day before is earlier than ORDERS_START_DATE.",
    )


def _of_yesterday(found: Yesterday) -> str:
    if found.has_orders:
        return f"Both chains have {found.day}."
    return f"No order of {found.day} arrived; {found.weeks} of the {anomalies.WEEKS} weeks before had some."


CHECKS: Final = [yesterday_is_built, revenue_reconciles, revenue_is_plausible, no_revenue_vanishes]
