"""Shows what a step wrote in the Dagster UI. Counts come from the ledger; of the data, only the latest days of revenue
are read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.ledger import builds
from orders_pipeline.ledger.builds import Build
from orders_pipeline.ledger.published import Change
from orders_pipeline.ledger.superseded import Superseded
from orders_pipeline.quality import reject_rate
from orders_pipeline.tables import revenue
from orders_pipeline.tables.missing_objects import blocked_reason
from orders_pipeline.text import list_days
from orders_pipeline.ui import charts, metadata


@dataclass(frozen=True)
class Output:
    """What is shown of the rows that a step made."""

    rows: int
    sample: list[dict[str, Any]]

    @classmethod
    def of(cls, asset: str, rows: pl.DataFrame) -> "Output":
        """Their count, and a few of them without what may be personal."""
        return cls(rows.height, rows.select(metadata.PREVIEWED[asset]).head(metadata.PREVIEW_ROWS).to_dicts())


@dataclass
class RejectsOutput:
    """What is shown of the rejects that a step listed, as they come."""

    reasons: Counter[str] = field(default_factory=Counter)
    sample: list[dict[str, Any]] = field(default_factory=list)

    def add(self, rows: pl.DataFrame) -> None:
        """Count some more."""
        self.reasons.update(dict(rows.group_by("reason").agg(pl.col("rows").sum()).iter_rows()))
        self.sample = self.sample or Output.of("rejected_orders", rows).sample


def describe_days(
    context: dg.OutputContext, engine: Engine, build: Build, made: Mapping[date, Output], accepted: int
) -> None:
    """Show what a build did, and why: for the whole table, and for each partition its own part.

    `accepted`: how many days became current; others had something newer."""
    step: Any = context.step_context
    if context.has_asset_partitions:
        for day in build.current:
            step.add_asset_metadata({"State": "already current"}, partition_key=day.isoformat())
        for day, its in made.items():
            shown = {
                "dagster/partition_row_count": its.rows,
                "State": f"rebuilt from input {build.inputs[day]}: {build.due[day].why}",
                **metadata.preview(its.sample),
            }
            step.add_asset_metadata(shown, partition_key=day.isoformat())
    with engine.connect() as connection:
        total = builds.total_rows(connection, build.asset)
    context.add_output_metadata(
        {
            **({"Blocked": blocked_reason(build.blocked)} if build.blocked else {}),
            "Days rebuilt": accepted,
            "Reason": metadata.of_reasons({day: due.why for day, due in build.due.items()}),
            "Rows rebuilt": sum(its.rows for its in made.values()),
            "Days": list_days(made),
            "Days already current": len(build.current),
            "dagster/row_count": total,
        }
    )
    if not context.has_asset_partitions:
        latest = max((day for day, its in made.items() if its.rows), default=None)
        context.add_output_metadata(metadata.preview(made[latest].sample if latest else []))


def describe_rejects(context: dg.OutputContext, engine: Engine, made: RejectsOutput, files: int) -> None:
    """Show the rejects of the files that were read."""
    with engine.connect() as connection:
        total = reject_rate.listed(connection)
    context.add_output_metadata(
        {
            "Rows rejected": made.reasons.total(),
            **metadata.of_rejects(made.reasons),
            "Files read": files,
            "dagster/row_count": total,
            **metadata.preview(made.sample),
        }
    )


def describe_changes(context: dg.OutputContext, changes: Sequence[Change]) -> None:
    """Show which published figures a build changed."""
    context.add_output_metadata(metadata.of_changes(changes))


def describe_superseded(context: dg.OutputContext, found: Sequence[Superseded]) -> None:
    """Show which rows of the built days other versions replaced."""
    context.add_output_metadata(metadata.of_superseded(found))


def draw_revenue(context: dg.OutputContext, engine: Engine, today: date) -> None:
    """Show the revenue of the latest days that had orders."""
    with engine.connect() as connection:
        context.add_output_metadata(revenue_views(connection, today))


def revenue_views(connection: Connection, today: date) -> dict[str, dg.MarkdownMetadataValue]:
    """The chart, and the table of days."""
    latest = revenue.latest(connection, charts.CHARTED_DAYS)
    drawn, listed = charts.chart(latest), charts.change_table(latest, today)
    return {
        f"Revenue of the last {charts.CHARTED_DAYS} days with orders": dg.MarkdownMetadataValue(drawn),
        f"Last {charts.LISTED_DAYS} days with orders": dg.MarkdownMetadataValue(listed),
    }
