"""Fills a Dagster whose storage was lost with materializations, from what the ledger has of built tables."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import active, builds, reports
from orders_pipeline.ledger.builds import Recorded
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.quality import reject_rate
from orders_pipeline.schema import PARTITIONED
from orders_pipeline.tables import revenue
from orders_pipeline.ui import charts
from orders_pipeline.ui.materialization import ROWS_OF, revenue_views


@dataclass
class Reported:
    """How many materializations of each table were reported, and how many Dagster had."""

    reported: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)


def report(instance: dg.DagsterInstance, found: Iterable[dg.AssetMaterialization]) -> Reported:
    """Report each of these to Dagster, unless it has a materialization of the same asset and partition."""
    result = Reported()
    partitions: dict[str, set[str]] = {}
    for event in found:
        asset = event.asset_key.to_user_string()
        if event.partition is None:
            is_known = instance.get_latest_materialization_event(event.asset_key) is not None
        else:
            if asset not in partitions:
                partitions[asset] = instance.get_materialized_partitions(event.asset_key)
            is_known = event.partition in partitions[asset]
        if is_known:
            result.known[asset] += 1
        else:
            instance.report_runless_asset_event(event)
            result.reported[asset] += 1
    return result


def materializations(connection: Connection, calendar: Calendar) -> Iterator[dg.AssetMaterialization]:
    """One for each table that is built, or for each built day of it if it is partitioned; upstream tables first."""
    counts = reports.counts(connection)
    if counts.by_status["loaded"]:
        yield _event("raw_orders", {"Files": counts.by_status["loaded"], "dagster/row_count": counts.rows})
    if cleaned := builds.recorded(connection, "cleaned_orders", calendar):
        yield _event("cleaned_orders", _of_table(cleaned))
    if files := active.files_read(connection, "rejected_orders"):
        yield _event("rejected_orders", {"Files read": files, "dagster/row_count": reject_rate.listed(connection)})
    if shown := builds.recorded(connection, "daily_revenue", calendar):
        latest = revenue.latest(connection, charts.CHARTED_DAYS)
        yield _event("daily_revenue", {**revenue_views(latest, calendar.today), **_of_table(shown)})
    spent = revenue.spent(connection)
    for asset in PARTITIONED:
        for day in builds.recorded(connection, asset, calendar):
            shown_of_day = {
                "dagster/partition_row_count": day.rows,
                ROWS_OF[asset]: day.rows,
                **({"Revenue": f"{spent.get(day.day, 0):,.2f}"} if asset == "daily_revenue_partitioned" else {}),
                **({} if day.version is None else {"Day version": str(day.version)}),
                "Built": dg.MetadataValue.timestamp(day.built_at),
            }
            yield _event(asset, shown_of_day, day.day.isoformat())


def _of_table(days: list[Recorded]) -> dict[str, Any]:
    return {
        "Days": len(days),
        "dagster/row_count": sum(day.rows for day in days),
        "Built": dg.MetadataValue.timestamp(max(day.built_at for day in days)),
    }


def _event(asset: str, shown: Mapping[str, Any], partition: str | None = None) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset,
        description="Reported from the ledger by `orders-pipeline report-to-dagster`. Nothing was built.",
        partition=partition,
        metadata=dict(shown),
    )
