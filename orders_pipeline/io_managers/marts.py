"""The IO manager `marts`: tables in Postgres that people query."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any, Final

import dagster as dg
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from orders_pipeline.io_managers import handoff
from orders_pipeline.io_managers.annotated import as_annotated
from orders_pipeline.io_managers.handoff import Handoff
from orders_pipeline.io_managers.kept import spend
from orders_pipeline.io_managers.plan import FilesBuild
from orders_pipeline.ledger import active, builds, staleness
from orders_pipeline.ledger.builds import Build, BuiltDay
from orders_pipeline.ledger.models import MARTS
from orders_pipeline.ledger.published import NO_ORDERS, Change, Figure, publish
from orders_pipeline.ledger.records import pairs
from orders_pipeline.resources import PostgresResource
from orders_pipeline.storage.postgres import copy_frame
from orders_pipeline.tables import scan
from orders_pipeline.tables.batching import prefetch
from orders_pipeline.tables.missing_objects import require_built
from orders_pipeline.ui import metadata
from orders_pipeline.ui.materialization import (
    RejectsOutput,
    describe_changes,
    describe_days,
    describe_rejects,
    draw_revenue,
)

_COPIES_AT_ONCE: Final = 2


class MartsIOManager(dg.ConfigurableIOManager):
    """A day of a mart, or the rows of a file, is replaced in one transaction with the ledger's record of it."""

    postgres: dg.ResourceDependency[PostgresResource]

    def load_input(self, context: dg.InputContext) -> Any:
        """A whole mart, for assets of your own, as they annotate it."""
        return as_annotated(scan.of_mart(self.postgres.ledger(), context.asset_key.to_user_string()).lazy(), context)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Replace what the step set out to build.

        Raises:
            MissingInputError: a requested partition is blocked; all others are built.
            ServiceUnavailableError: another Postgres answers than the one that the step read.
        """
        loaded = handoff.of_step(context.step_context)
        engine = self.postgres.ledger()
        if isinstance(loaded.build, FilesBuild):
            made, replaced = RejectsOutput(), 0
            for build, rows in loaded.outputs(obj):
                replaced += _replace_files(engine, loaded, build, rows, context.run_id)
                made.add(rows)
            describe_rejects(context, engine, made, replaced)
        else:
            self._replace_days(context, loaded, loaded.build, obj)
        context.add_output_metadata(metadata.of_duration(loaded.seconds))
        if isinstance(loaded.build, Build) and context.has_asset_partitions:
            require_built(loaded.build.blocked)

    def _replace_days(self, context: dg.OutputContext, loaded: Handoff, build: Build, output: Any) -> None:
        engine, table = self.postgres.ledger(), MARTS[build.asset]
        changes, plotted = list[Change](), dict[str, float]()

        def replace_days(by_day: Mapping[date, pl.DataFrame]) -> int:
            built = [BuiltDay(day, build.inputs[day], rows.height) for day, rows in by_day.items()]
            with loaded.committing(engine) as transaction:
                before = builds.versions(transaction, build.asset, by_day)
                current = builds.commit_build(transaction, build, built, context.run_id)
                transaction.execute(sa.delete(table).where(table.c.order_date.in_(current)))
                if current:
                    copy_frame(transaction, table.schema, table.name, pl.concat([by_day[day] for day in current]))
                if build.asset == "daily_revenue":
                    figures = {day: _figure(by_day[day]) for day in current}
                    causes = handoff.reasons(build)
                    now = builds.versions(transaction, build.asset, current)
                    asked = staleness.asked_for(transaction, before, now)
                    changes.extend(publish(transaction, figures, causes, asked, context.run_id))
            return len(current)

        whole: dict[date, pl.DataFrame] = {}
        accepted = 0
        with ThreadPoolExecutor(_COPIES_AT_ONCE) as threads:
            for by_day in prefetch(loaded.outputs_by_day(output, pl.col("order_date"))):
                if context.has_asset_partitions:  # each day alone
                    accepted += sum(threads.map(replace_days, ({day: rows} for day, rows in by_day.items())))
                else:
                    whole |= by_day
        accepted += replace_days(whole)
        if build.asset == "daily_revenue":
            plotted = draw_revenue(context, engine, build.calendar.today)
        kept = spend(engine, build.current) if build.current else {}
        describe_days(context, engine, build, loaded.made, accepted, handoff.reasons(build), kept)
        describe_changes(context, changes)
        context.add_output_metadata(plotted)


def _figure(rows: pl.DataFrame) -> Figure:
    """What the rows of one day in `daily_revenue` show: one row, or none for a day without orders."""
    return Figure(rows["revenue"].item(), rows["order_count"].item()) if rows.height else NO_ORDERS


def _replace_files(engine: Engine, loaded: Handoff, build: FilesBuild, rows: pl.DataFrame, run_id: str) -> int:
    table = MARTS["rejected_orders"]
    buckets = {file.version.key: file.version.bucket for file in build.read}
    with loaded.committing(engine) as transaction:
        accepted = active.commit_files(transaction, table.name, build.read, build.gone, run_id)
        transaction.execute(sa.delete(table).where(sa.tuple_(table.c.bucket, table.c.source).in_(pairs(accepted))))
        mine = rows.with_columns(bucket=pl.col("source").replace_strict(buckets, return_dtype=pl.String))
        keys = pl.DataFrame(accepted, schema={"bucket": pl.String, "source": pl.String}, orient="row")
        copy_frame(transaction, table.schema, table.name, mine.join(keys, on=["bucket", "source"], how="semi"))
    return len(accepted)
