"""The IO managers `lake` and `marts`: they hand an asset only the rows that its stale days need, and make what it
returns visible together with the ledger's record of it. What passes from load to output is in `handoff`.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import groupby
from typing import Any, Final

import dagster as dg
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline import progress, run_tags
from orders_pipeline.errors import MissingInputError
from orders_pipeline.io_managers.lake import handoff
from orders_pipeline.io_managers.lake.handoff import FilesBuild, Handoff
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger import active, days, locks, overlaps
from orders_pipeline.ledger.days import Build, BuiltDay, Calendar
from orders_pipeline.ledger.models import MARTS
from orders_pipeline.ledger.records import ActiveFile, pairs
from orders_pipeline.partitions import days_of
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.runs.in_flight import locks_of
from orders_pipeline.schema import DAY, PARTITIONED, RULES, UPSTREAM
from orders_pipeline.settings import read_settings
from orders_pipeline.storage.postgres import copy_frame
from orders_pipeline.tables import scan
from orders_pipeline.tables.batching import one_ahead, portions
from orders_pipeline.tables.missing_objects import blocked_reason, require_objects
from orders_pipeline.ui import metadata
from orders_pipeline.ui.materialization import MadeRejects, describe_days, describe_rejects, draw_revenue

_WRITES_AT_ONCE: Final = 4
_COPIES_AT_ONCE: Final = 2


class LakeIOManager(dg.ConfigurableIOManager):
    """Orders as immutable Parquet objects: raw ones per landed file, clean ones per day."""

    postgres: dg.ResourceDependency[PostgresResource]
    s3: dg.ResourceDependency[S3Resource]

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["LakeIOManager"]:
        """Let others see that this run, and a run of its chain, is at work, for as long as its process lives."""
        if context.run is None:
            yield self
            return
        with (
            locks.at_work(self.postgres.engine(), context.run.run_id),  # before anything that it may have to wait for
            locks.shared(self.postgres.ledger(), locks_of(context.run)),
        ):
            yield self

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """The rows that the step's stale days (or files) need, read in one snapshot of the ledger; for assets of your
        own, the whole table.

        Raises:
            MissingInputError: a day is asked for whose upstream was never built.
        """
        step: Any = context.step_context
        consumer = step.assets_def.key.to_user_string()
        if consumer not in RULES:
            return scan.of_lake(self.postgres.ledger(), self.s3.lake(), context.asset_key.to_user_string())
        engine = self.postgres.ledger().execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as snapshot:
            tags = dict(step.dagster_run.tags)
            if consumer == "rejected_orders":
                everything = tags.get(run_tags.FULL_REFRESH) == "true"
                files = FilesBuild(*active.stale_files(snapshot, consumer, everything=everything))
                loaded = handoff.begin(step, files)
                loaded.parts.extend((part, self._rejects(part.read)) for part in _parts_of_files(files))
                return loaded.input()
            build = _build(snapshot, consumer, tags)
            loaded = handoff.begin(step, build)
            if not build.inputs:
                return self._nothing(consumer)
            lake, upstream = self.s3.lake(), UPSTREAM[consumer]
            if not days.reads_raw(consumer):
                require_objects(self.postgres.ledger(), lake, upstream, build.inputs)
            for part in _parts(snapshot, build):
                if days.reads_raw(consumer):
                    holding = active.holding(snapshot, part.inputs)
                    sharing = overlaps.partners(snapshot, holding)
                    loaded.parts.append((part, raw_objects.candidates(lake, part.inputs, holding, sharing)))
                else:
                    loaded.parts.append((part, lake.scan(list(part.inputs.values()))))
            return loaded.input()

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write each day that the step set out to build as a new object, then mark it current.

        Raises:
            MissingInputError: a partition was asked for that is blocked; all others are built.
        """
        loaded = handoff.of_step(context.step_context)
        build = loaded.build
        assert isinstance(build, Build)  # noqa: S101 - the only asset kept per file lives in the marts
        asset, lake, engine = build.asset, self.s3.lake(), self.postgres.ledger()

        def write(day: date, rows: pl.DataFrame) -> BuiltDay:
            path = lake.write(f"{asset}/{day}", partial(rows.write_parquet, compression="lz4"))
            return BuiltDay(day, build.inputs[day], rows.height, path)

        def written() -> Iterator[BuiltDay]:
            for by_day in one_ahead(loaded.outputs_by_day(obj, pl.col("order_date").dt.date())):
                with ThreadPoolExecutor(_WRITES_AT_ONCE) as threads:
                    yield from threads.map(write, by_day.keys(), by_day.values())

        accepted = 0
        for batch in _batches(_reported(written(), build), alone=context.has_asset_partitions):
            with engine.begin() as transaction:
                accepted += len(days.mark(transaction, build, batch, context.run_id))
        describe_days(context, engine, build, loaded.made, accepted)
        context.add_output_metadata({"dagster/uri": f"{lake.uri}/{asset}", "seconds": loaded.seconds})
        if build.blocked and context.has_asset_partitions:
            raise MissingInputError(blocked_reason(build.blocked))

    def _rejects(self, read: list[ActiveFile]) -> pl.LazyFrame:
        with_rejects = [file for file in read if file.raw.rows > file.raw.clean_rows]
        return raw_objects.scan(self.s3.lake(), with_rejects).filter(pl.col(DAY).is_null())

    def _nothing(self, consumer: str) -> pl.LazyFrame:
        if days.reads_raw(consumer):
            return raw_objects.scan(self.s3.lake(), [])
        return pl.LazyFrame(schema=scan.schema_of(UPSTREAM[consumer]))


class MartsIOManager(dg.ConfigurableIOManager):
    """Tables in Postgres that people query; a day (or a file's rows) is replaced in one transaction with its mark."""

    postgres: dg.ResourceDependency[PostgresResource]

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """A whole mart, for assets of your own."""
        return scan.of_mart(self.postgres.ledger(), context.asset_key.to_user_string()).lazy()

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Replace what the step set out to build."""
        loaded = handoff.of_step(context.step_context)
        engine = self.postgres.ledger()
        if isinstance(loaded.build, FilesBuild):
            made, replaced = MadeRejects(), 0
            for build, rows in loaded.outputs(obj):
                replaced += _replace_files(engine, build, rows, context.run_id)
                made.add(rows)
            describe_rejects(context, engine, made, replaced)
        else:
            self._replace_days(context, loaded, loaded.build, obj)
        context.add_output_metadata({"seconds": loaded.seconds})

    def _replace_days(self, context: dg.OutputContext, loaded: Handoff, build: Build, output: Any) -> None:
        engine, table = self.postgres.ledger(), MARTS[build.asset]

        def replace_days(by_day: Mapping[date, pl.DataFrame]) -> int:
            built = [BuiltDay(day, build.inputs[day], rows.height) for day, rows in by_day.items()]
            with engine.begin() as transaction:
                current = days.mark(transaction, build, built, context.run_id)
                transaction.execute(sa.delete(table).where(table.c.order_date.in_(current)))
                if current:
                    copy_frame(transaction, table.schema, table.name, pl.concat([by_day[day] for day in current]))
            return len(current)

        whole: dict[date, pl.DataFrame] = {}
        accepted = 0
        with ThreadPoolExecutor(_COPIES_AT_ONCE) as threads:
            for by_day in one_ahead(loaded.outputs_by_day(output, pl.col("order_date"))):
                if context.has_asset_partitions:  # each day alone
                    accepted += sum(threads.map(replace_days, ({day: rows} for day, rows in by_day.items())))
                else:
                    whole |= by_day
        accepted += replace_days(whole)
        describe_days(context, engine, build, loaded.made, accepted)
        if build.asset == "daily_revenue":
            draw_revenue(context, engine, build.calendar.today)


def _build(snapshot: Connection, asset: str, tags: Mapping[str, str]) -> Build:
    """What a run has to build of a table: of the days that it asks for (all, if it names none), those that are stale.

    Raises:
        MissingInputError: the upstream of a day that orders were delivered for was never built.
    """
    calendar = Calendar.of(read_settings())
    if days.reads_raw(asset) and (outdated := active.outdated(snapshot, calendar.zone)):
        raise MissingInputError(
            f"{len(outdated)} files, {outdated[0].version.key} among them, are to be read anew, or were judged by older"
            f" rules or for another time zone than {calendar.zone}: materialize raw_orders first, without config."
        )
    stale = days.due_days(snapshot, asset, calendar, everything=tags.get(run_tags.FULL_REFRESH) == "true")
    current: set[date] = set()
    if asked := days_of(dict(tags)) if asset in PARTITIONED else []:
        delivered = days.delivered_days(snapshot, asked)
        if missing := delivered - days.current_inputs(snapshot, asset, asked).keys():
            raise MissingInputError(
                f"{UPSTREAM[asset]} was never built for {metadata.list_days(missing)}: materialize it for these days"
                " first."
            )
        stale = stale.among(asked)
        current = delivered - {*stale.due, *stale.blocked}
    return Build(asset, stale.due, calendar, current=tuple(sorted(current)), blocked=stale.blocked)


def _parts(snapshot: Connection, build: Build) -> Iterator[Build]:
    """The build in parts that memory can hold."""
    if days.reads_raw(build.asset):
        expected = active.expected_rows(snapshot, build.inputs)
    else:
        expected = days.row_counts(snapshot, UPSTREAM[build.asset], build.inputs)
    for portion in portions(build.days, expected):
        yield replace(build, due={day: build.due[day] for day in portion})


def _parts_of_files(build: FilesBuild) -> Iterator[FilesBuild]:
    """The build in parts that memory can hold, each of one bucket: another one may have files of the same keys."""
    rejects = {file: file.raw.rows - file.raw.clean_rows for file in build.read}
    by_bucket = groupby(sorted(build.read, key=_bucket), key=_bucket)
    parts = [part for _, files in by_bucket for part in portions(files, rejects)]
    yield FilesBuild(parts[0] if parts else [], build.gone)
    yield from (FilesBuild(part, []) for part in parts[1:])


def _bucket(file: ActiveFile) -> str:
    return file.version.bucket


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


def _replace_files(engine: Engine, build: FilesBuild, rows: pl.DataFrame, run_id: str) -> int:
    table = MARTS["rejected_orders"]
    buckets = {file.version.key: file.version.bucket for file in build.read}
    with engine.begin() as transaction:
        accepted = active.mark_files(transaction, table.name, build.read, build.gone, run_id)
        transaction.execute(sa.delete(table).where(sa.tuple_(table.c.bucket, table.c.source).in_(pairs(accepted))))
        mine = rows.with_columns(bucket=pl.col("source").replace_strict(buckets, return_dtype=pl.String))
        keys = pl.DataFrame(accepted, schema={"bucket": pl.String, "source": pl.String}, orient="row")
        copy_frame(transaction, table.schema, table.name, mine.join(keys, on=["bucket", "source"], how="semi"))
    return len(accepted)
