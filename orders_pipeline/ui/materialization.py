"""Shows what a step wrote in the Dagster UI, the most useful first. Counts come from the ledger; of the data, only the
latest days of revenue and a few rejects are read.

Dagster plots each number, so numbers are what is worth a plot: revenue, orders, rejects. All others are text."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

import dagster as dg
import polars as pl
from sqlalchemy.engine import Engine

from orders_pipeline.landing.suspects import total
from orders_pipeline.ledger import builds, findings
from orders_pipeline.ledger.builds import Build
from orders_pipeline.ledger.published import Change
from orders_pipeline.ledger.superseded import Superseded
from orders_pipeline.quality import reject_rate
from orders_pipeline.tables import revenue
from orders_pipeline.tables.missing_objects import blocked_reason
from orders_pipeline.tables.revenue import DayRevenue
from orders_pipeline.tables.totals import rejects_by_reason
from orders_pipeline.text import counted, list_days
from orders_pipeline.ui import charts, log_lines, metadata, partitions
from orders_pipeline.ui.findings import of_asset

_LISTED_REJECTS: Final = 10
ROWS_OF: Final = {"daily_orders": "Orders", "daily_revenue_partitioned": "Customers"}  # of a partition
_MONEY: Final = {
    "cleaned_orders": "amount",
    "daily_orders": "amount",
    "daily_revenue": "revenue",
    "daily_revenue_partitioned": "daily_spend",
}


@dataclass(frozen=True)
class Output:
    """What is shown of the rows that a step made: how many, a few of them without what may be personal, and what they
    are worth (rejects: nothing)."""

    rows: int
    sample: list[dict[str, Any]]
    money: Decimal = Decimal("0.00")

    @classmethod
    def of(cls, asset: str, rows: pl.DataFrame) -> "Output":
        """Of these rows."""
        sample = rows.select(metadata.PREVIEWED.get(asset, ())).head(metadata.PREVIEW_ROWS).to_dicts()
        return cls(rows.height, sample, total(rows[_MONEY[asset]]) if asset in _MONEY else cls.money)


@dataclass
class RejectsOutput:
    """What is shown of the rejects that a step listed, as they come."""

    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, rows: pl.DataFrame) -> None:
        """Count some more."""
        self.reasons.update(dict(rows.group_by("reason").agg(pl.col("rows").sum()).iter_rows()))


def describe_days(
    context: dg.OutputContext,
    engine: Engine,
    build: Build,
    made: Mapping[date, Output],
    accepted: int,
    reasons: Mapping[date, str],
    kept: Mapping[date, Output],
) -> None:
    """Show what a build did, and why: for the whole table, or for each partition its own part.

    `accepted`: how many days became current; others had something newer. `reasons`: why each day was built. `kept`:
    what the requested days hold that were current."""
    money = sum((its.money for its in made.values()), Decimal("0.00"))
    for line in log_lines.of_build(build, sum(its.rows for its in made.values()), money):
        context.log.info(line)
    with engine.connect() as connection:
        rows = {"dagster/row_count": builds.total_rows(connection, build.asset)}
        built_at = builds.built_at(connection, build.asset, kept)
    context.add_output_metadata(
        {
            **open_findings(context.step_context, engine, build.asset),
            **({"Blocked": blocked_reason(build.blocked)} if build.blocked else {}),
        }
    )
    if not context.has_asset_partitions:
        _describe_table(context, build, made, accepted, reasons)
        context.add_output_metadata(rows)
        return
    states = {day: f"rebuilt: {reasons[day]}" for day in made} | partitions.current(build, built_at)
    shown = {day: _of_partition(build.asset, {**made, **kept}.get(day), state) | rows for day, state in states.items()}
    step: Any = context.step_context
    for day, its in {**shown, **partitions.empty(build)}.items():
        step.add_asset_metadata(its, partition_key=day.isoformat())


def _describe_table(
    context: dg.OutputContext,
    build: Build,
    made: Mapping[date, Output],
    accepted: int,
    reasons: Mapping[date, str],
) -> None:
    overtaken = len(made) - accepted
    latest = max((day for day, its in made.items() if its.rows), default=None)
    context.add_output_metadata(
        {
            "Days rebuilt": metadata.of_reasons({day: reasons[day] for day in build.days}),
            **({"Not replaced": f"{counted(overtaken, 'day')}: another run was first."} if overtaken else {}),
            "Rows rebuilt": f"{sum(its.rows for its in made.values()):,}",
            **metadata.preview(made[latest].sample if latest else []),
        }
    )


def _of_partition(asset: str, its: Output | None, state: str) -> dict[str, Any]:
    """What is shown of a day that has been built. None: its rows cannot be read."""
    if its is None:
        return {"State": state}
    return {
        "State": state,
        ROWS_OF[asset]: its.rows,
        "Revenue": float(its.money),  # a plot takes no exact number
        **metadata.preview(its.sample),
        "dagster/partition_row_count": its.rows,
    }


def describe_rejects(context: dg.OutputContext, engine: Engine, made: RejectsOutput, files: int) -> None:
    """Show how many rows of the files that were read are rejected, and what is rejected in all."""
    context.log.info(f"Listed {counted(made.reasons.total(), 'rejected row')} of {counted(files, 'file')}.")
    with engine.connect() as connection:
        by_reason = rejects_by_reason(connection)
        newest = reject_rate.newest(connection, _LISTED_REJECTS)
    context.add_output_metadata(
        {
            **open_findings(context.step_context, engine, "rejected_orders"),
            **metadata.of_rejects(by_reason, newest),
            "Rows rejected by this run": made.reasons.total(),
            "Files read by this run": f"{files:,}",
            "dagster/row_count": sum(by_reason.values()),
        }
    )


def describe_changes(context: dg.OutputContext, changes: Sequence[Change]) -> None:
    """Show which published figures a build changed."""
    for line in log_lines.of_changes(changes):
        context.log.info(line)
    context.add_output_metadata(metadata.of_changes(changes))


def describe_superseded(context: dg.OutputContext, found: Sequence[Superseded]) -> None:
    """Show which rows of the built days other versions replaced."""
    context.add_output_metadata(metadata.of_superseded(found))


def draw_revenue(context: dg.OutputContext, engine: Engine, today: date) -> dict[str, float]:
    """Show the revenue of the latest days that had orders. Returns the figures of the newest one, to be plotted."""
    with engine.connect() as connection:
        latest = revenue.latest(connection, charts.CHARTED_DAYS)
        standing = findings.open_findings(connection)
    checks = _checks_of(context.step_context, "daily_revenue")
    questioned = {one.subject for one in standing if one.kind in checks}
    marked = [found.day for found in latest if found.day.isoformat() in questioned]
    context.add_output_metadata(revenue_views(latest, today, marked))
    if not latest:
        return {}
    return {"Revenue of the newest day": float(latest[-1].revenue), "Orders of the newest day": latest[-1].orders}


def revenue_views(latest: Sequence[DayRevenue], today: date, marked: Collection[date] = ()) -> dict[str, Any]:
    """The chart, the newest day, and the table of days. `latest`: the last days with orders, in order."""
    return {
        f"Revenue of the last {charts.CHARTED_DAYS} days with orders": dg.MarkdownMetadataValue(
            charts.chart(latest, marked)
        ),
        **({"Marked in red": f"{list_days(marked)}: see the open findings"} if marked else {}),
        **({"Newest day with orders": metadata.in_words(latest[-1])} if latest else {}),
        f"Last {charts.LISTED_DAYS} days with orders": dg.MarkdownMetadataValue(charts.change_table(latest, today)),
    }


def open_findings(step: Any, engine: Engine, asset: str) -> dict[str, Any]:
    """The findings of an asset's checks that are open, those of this run's checks not among them: they come after."""
    checks = _checks_of(step, asset)
    with engine.connect() as connection:
        return of_asset([one for one in findings.open_findings(connection) if one.kind in checks])


def _checks_of(step: Any, asset: str) -> Collection[str]:
    graph = step.job_def.asset_layer.asset_graph
    return {key.name for key in graph.get_check_keys_for_assets({dg.AssetKey(asset)})}
