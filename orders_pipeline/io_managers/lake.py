"""The IO manager `lake`: it hands an asset only the rows that its stale days (or files) need, and writes the days that
the asset returns as objects of the lake, together with the ledger's record of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any, Final

import dagster as dg
import polars as pl

from orders_pipeline import progress
from orders_pipeline.column_types import polars_schema
from orders_pipeline.io_managers import handoff, losers, plan
from orders_pipeline.io_managers.annotated import as_annotated
from orders_pipeline.io_managers.intact import days_to_read, files_to_read
from orders_pipeline.io_managers.kept import orders
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger import builds, identity, locks, staleness, superseded
from orders_pipeline.ledger.builds import Build, BuiltDay
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.runs.in_flight import locks_of
from orders_pipeline.schema import CODE_VERSIONS, MOST_REJECTS, UPSTREAM
from orders_pipeline.tables import scan
from orders_pipeline.tables.batching import prefetch
from orders_pipeline.tables.missing_objects import require_built
from orders_pipeline.ui import metadata
from orders_pipeline.ui.materialization import describe_days, describe_superseded

_WRITES_AT_ONCE: Final = 4
_RECORDED: Final = "cleaned_orders"  # the table whose superseded rows are recorded; the other chain has the same


class LakeIOManager(dg.ConfigurableIOManager):
    """Orders as immutable Parquet objects: raw ones per landed file, clean ones per day."""

    postgres: dg.ResourceDependency[PostgresResource]
    s3: dg.ResourceDependency[S3Resource]

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["LakeIOManager"]:
        """Show others that this run, and a run of its chain, is in progress, for as long as its process lives."""
        if context.run is None:
            yield self
            return
        with (
            locks.hold_run_lock(self.postgres.engine(), context.run.run_id),  # first: all else may wait
            locks.hold_shared(self.postgres.ledger(), locks_of(context.run)),
        ):
            yield self

    def load_input(self, context: dg.InputContext) -> Any:
        """The rows that the step's stale days (or files) need, read in one snapshot of the ledger; for assets of your
        own, the whole table, as they annotate it.

        Raises:
            MissingInputError: the upstream of a requested day was never built.
        """
        step: Any = context.step_context
        consumer = step.assets_def.key.to_user_string()
        if consumer not in CODE_VERSIONS:
            table = context.asset_key.to_user_string()
            return as_annotated(scan.of_lake(self.postgres.ledger(), self.s3.lake(), table), context)
        engine, lake, tags = self.postgres.ledger(), self.s3.lake(), dict(step.dagster_run.tags)
        with engine.connect() as connection:  # before the ledger is read: a failover in between is noticed
            server = identity.of(connection)
        if consumer == "rejected_orders":
            files = files_to_read(engine, lake, consumer, tags)
            loaded = handoff.start(step, consumer, files, server)
            for some in plan.parts_of_files(files):
                loaded.parts.append((some, raw_objects.rejects(lake, some.read, MOST_REJECTS)))
            return loaded.input()
        reads = days_to_read(engine, lake, consumer, tags)
        loaded = handoff.start(step, consumer, reads.build, server)
        if not reads.parts:
            return self._nothing(consumer)
        if reads.origins:
            for part, origin in zip(reads.parts, reads.origins, strict=True):
                rows = raw_objects.candidates(lake, part.inputs, origin.holding, origin.sharing)
                loaded.parts.append((part, rows))
        else:
            loaded.parts.extend((part, lake.scan(list(part.inputs.values()))) for part in reads.parts)
        if consumer == _RECORDED:
            loaded.origins.extend(reads.origins)
        return loaded.input()

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write each day that the step set out to build as a new object, then mark it current.

        Raises:
            MissingInputError: a requested partition is blocked; all others are built.
            ServiceUnavailableError: another Postgres answers than the one that the step read.
        """
        loaded = handoff.of_step(context.step_context)
        build = loaded.build
        assert isinstance(build, Build)  # noqa: S101 - the only asset kept per file lives in the marts
        asset, lake, engine = build.asset, self.s3.lake(), self.postgres.ledger()

        def write(day: date, rows: pl.DataFrame) -> BuiltDay:
            path = lake.write(f"{asset}/{day}", partial(rows.write_parquet, compression="lz4"))
            return BuiltDay(day, build.inputs[day], rows.height, path)

        def written() -> Iterator[BuiltDay]:
            for by_day in prefetch(loaded.outputs_by_day(obj, pl.col("order_date").dt.date())):
                with ThreadPoolExecutor(_WRITES_AT_ONCE) as threads:
                    yield from threads.map(write, by_day.keys(), by_day.values())

        accepted, recorded = 0, []
        for batch in _batches(_reported(written(), build), alone=context.has_asset_partitions):
            found = losers.find(lake, loaded.origins, {built.day: built.rows for built in batch})
            with loaded.committing(engine) as transaction:
                current = builds.commit_build(transaction, build, batch, context.run_id)
                if asset == _RECORDED:
                    recorded += superseded.replace(transaction, current, found)
            accepted += len(current)
            handoff.remember(build, batch)
        kept = orders(engine, lake, build.current) if build.current else {}
        describe_days(context, engine, build, loaded.made, accepted, handoff.reasons(build), kept)
        if asset == _RECORDED:
            describe_superseded(context, recorded)
        context.add_output_metadata(metadata.of_duration(loaded.seconds))
        if context.has_asset_partitions:
            require_built(build.blocked)

    def _nothing(self, consumer: str) -> pl.LazyFrame:
        if staleness.reads_raw(consumer):
            return raw_objects.scan(self.s3.lake(), [])
        return pl.LazyFrame(schema=polars_schema(UPSTREAM[consumer]))


def _reported(built: Iterator[BuiltDay], build: Build) -> Iterator[BuiltDay]:
    """Days as they are built, and how far that is."""
    for done, day in enumerate(built, start=1):
        progress.report(f"days of {build.asset}", done, len(build.inputs))
        yield day


def _batches(built: Iterator[BuiltDay], *, alone: bool) -> Iterator[list[BuiltDay]]:
    """What is committed together: everything, or each day alone, so that a failed run keeps what it finished."""
    if alone:
        yield from ([day] for day in built)
    else:
        yield list(built)
