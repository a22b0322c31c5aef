"""The demo: sample orders through the whole pipeline, in two acts, and the result."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import dagster as dg
import polars as pl

from orders_pipeline.cli.sample import DAYS, Sample, last_day_of, make_sample, write_source_table
from orders_pipeline.cli.sync import Synced, sync
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger import builds, keys
from orders_pipeline.ledger.active import all_files
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.schema import TABLES
from orders_pipeline.settings import read_settings
from orders_pipeline.storage.postgres import source_engine

_SAMPLE_PREFIX: Final = "demo/"


@dataclass(frozen=True)
class Played:
    """What a demo did. `changed`: the tables whose rows differ from before; on a first run all."""

    acts: list[Synced]
    changed: list[str]
    was_there: bool


def play(instance: dg.DagsterInstance, say: Callable[[str], None]) -> Played:
    """Land the sample and bring every table up to date; on a first run in two acts, the second one with late files,
    corrections and changes of the source table."""
    sample = sample_here()
    before = fingerprints()
    was_there = any(before.values())
    acts = []
    if not was_there:
        say(
            f"Act one: {len(sample.first_files)} files of the {DAYS} days up to {sample.last_day} land on S3,"
            f" {len(sample.first_table)} orders are in Postgres"
        )
        land_sample(sample, later=False)
        acts.append(sync(instance, say))
        say("Act two: late files, corrections, changes of the source table")
    else:
        say(f"The sample orders up to {sample.last_day} land again, as they were at the end of the last demo")
    land_sample(sample, later=True, again=was_there)
    acts.append(sync(instance, say))
    after = fingerprints()
    return Played(acts, [table for table in TABLES if after[table] != before[table]], was_there)


def land_sample(sample: Sample, *, later: bool, again: bool = True) -> None:
    """Put sample rows into the source table and sample files on S3.

    `later`: those of the second act; with `again`, those of the first as well.

    Raises:
        OrdersPipelineError: the table has orders of someone else. Nothing is written.
    """
    orders = sample.later_table if later else sample.first_table
    write_source_table(source_engine(read_settings()), orders)
    files = sample.later_files if later else sample.first_files
    if later and again:
        files = {**sample.first_files, **sample.later_files}
    with TemporaryDirectory(prefix="orders-sample-") as folder:
        for key, content in files.items():
            path = Path(folder) / "file"
            path.write_bytes(content)
            s3.upload(path, f"{s3.prefix}{_SAMPLE_PREFIX}{key}")


def land_sample_once() -> str:
    """Put the whole sample in place unless something landed before; say which."""
    with postgres.ledger().connect() as connection:
        if all_files(connection):
            return "The pipeline already holds orders: no sample landed."
    sample = sample_here()
    land_sample(sample, later=True)
    return (
        f"Sample orders of the {DAYS} days up to {sample.last_day} landed under {s3.prefix}{_SAMPLE_PREFIX} and in the"
        " table `orders`."
    )


def sample_here() -> Sample:
    """The sample that landed here before; else the one that ends yesterday."""
    with postgres.ledger().connect() as connection:
        landed = keys.beginning_with(connection, s3.bucket, f"{s3.prefix}{_SAMPLE_PREFIX}")
    return make_sample(last_day_of(landed) or read_settings().today() - timedelta(days=1))


def fingerprints() -> dict[str, str]:
    """For each table a hash of its rows, in whatever order they are; empty for a table without any."""
    calendar, lake = Calendar.of(read_settings()), s3.lake()
    frames: dict[str, pl.DataFrame] = {}
    with postgres.ledger().connect() as connection:
        frames["raw_orders"] = raw_objects.scan(lake, all_files(connection)).drop("_landed_at").collect()
        for asset in ("cleaned_orders", "daily_orders"):
            built = builds.all_days(connection, asset, calendar)
            paths = list(builds.paths(connection, asset, built).values())
            frames[asset] = lake.scan(paths).collect() if paths else pl.DataFrame()
    for mart in ("daily_revenue", "daily_revenue_partitioned", "rejected_orders"):
        frames[mart] = pl.from_pandas(postgres.read_table(mart))
    return {table: _hash(frames[table]) for table in TABLES}


def _hash(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return ""
    rows = sorted(frame.select(pl.all().cast(pl.String)).rows(), key=str)
    return hashlib.sha256(repr(rows).encode()).hexdigest()
