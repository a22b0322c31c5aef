"""Is every row accounted for? Computed from the raw rows, independently of the tables: a row is lost if it is the
latest of its order and in no table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline import validation
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger import active, builds, overlaps, staleness
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.staleness import Calendar, DueDays
from orders_pipeline.quality.scope import Scope
from orders_pipeline.schema import (
    AMOUNT,
    DAY,
    LANDED_AT,
    OUTCOME,
    ROW_NUMBER,
    SOURCE,
    UPDATED_AT,
    VALIDATION_COLUMNS,
    VOID,
)
from orders_pipeline.storage.lake import Lake
from orders_pipeline.tables.batching import batches
from orders_pipeline.tables.missing_objects import require_objects

EXAMPLES: Final = 5  # as many as a check names


@dataclass(frozen=True)
class Orders:
    """Where the clean rows of some days ended up. Amounts are in the shop's currency."""

    read: int
    clean: int
    lost: int
    lost_amount: Decimal
    lost_days: frozenset[date]
    foreign: int  # in the table, but in no file, or void by a later row
    examples: list[str]

    def __add__(self, other: "Orders") -> "Orders":
        """The sum of both."""
        return Orders(
            read=self.read + other.read,
            clean=self.clean + other.clean,
            lost=self.lost + other.lost,
            lost_amount=self.lost_amount + other.lost_amount,
            lost_days=self.lost_days | other.lost_days,
            foreign=self.foreign + other.foreign,
            examples=[*self.examples, *other.examples][:EXAMPLES],
        )


NONE: Final = Orders(0, 0, 0, Decimal(0), frozenset(), 0, [])


@dataclass(frozen=True)
class Rejects:
    """The number of files whose rejects were compared, and the keys of those whose rejects are not all listed."""

    compared: int
    wrong: list[str]


@dataclass(frozen=True)
class Completeness:
    """Which orders and rejects are accounted for. `days`: those that were compared. Stale days were not."""

    orders: Orders
    rejects: Rejects
    days: Sequence[date]
    stale: DueDays


def compare(engine: Engine, lake: Lake, scope: Scope, calendar: Calendar) -> Completeness:
    """Account for the rows of the days and files that the run built; if it built none, or covers everything: of all.

    Raises:
        MissingInputError: objects of cleaned_orders are missing.
    """
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        stale, unreadable = (
            staleness.due_days(snapshot, "cleaned_orders", calendar),
            overlaps.unreadable_days(snapshot),
        )
        # Includes days that are not built: this must find a day that is missing from the ledger.
        known = set(builds.all_days(snapshot, "cleaned_orders", calendar)) | active.days_held(snapshot)
        everything = [day for day in known if calendar.start <= day <= calendar.today]
        selected = scope.built_by_run(snapshot, "cleaned_orders") or everything
        compared = sorted(set(selected) - {*stale.stale} - unreadable)
        paths = builds.paths(snapshot, "cleaned_orders", compared)
        sources = []
        for batch in batches(compared, active.expected_rows(snapshot, compared)):
            holding = active.holding(snapshot, batch)
            sources.append((batch, holding, overlaps.partners(snapshot, holding)))
        rejects = of_rejects(snapshot, scope.run_id)
        if scope.everything or not rejects.compared:
            rejects = of_rejects(snapshot, None)
    require_objects(engine, lake, "cleaned_orders", paths)
    orders = NONE
    for batch, holding, overlapping in sources:
        built = [paths[day] for day in batch if day in paths]
        orders += of_orders(lake, batch, holding, overlapping, built, calendar.zone)
    return Completeness(orders, rejects, compared, stale)


def of_orders(
    lake: Lake,
    days: Sequence[date],
    holding: Sequence[ActiveFile],
    overlapping: Sequence[ActiveFile],
    clean_paths: Sequence[str],
    zone: str,
) -> Orders:
    """Compare the rows of files for these days with the clean orders of these days."""
    place = [SOURCE, ROW_NUMBER]
    files = list({file.raw.path: file for file in [*holding, *overlapping]}.values())
    numbered = pl.col(SOURCE).cast(
        pl.Enum(list(dict.fromkeys(file.version.key for file in files))), strict=False
    )  # joins faster
    held = raw_objects.clean_rows(lake, holding).filter(pl.col(DAY).is_in(list(days)))
    due = held.select("order_id", *place, LANDED_AT, *VALIDATION_COLUMNS).with_columns(numbered)
    clean = lake.scan(clean_paths).select(place).with_columns(numbered) if clean_paths else due.select(place).clear()
    left = due.join(clean, on=place, how="anti").collect(engine="streaming")
    counts = pl.collect_all([due.select(pl.len()), clean.select(pl.len())], engine="streaming")
    read, kept = (int(count.item()) for count in counts)
    foreign = 0
    if kept != read - left.height:
        foreign = clean.join(due, on=place, how="anti").select(pl.len()).collect(engine="streaming").item()
    every = raw_objects.versions(lake, files)
    voided = every.filter(pl.col(OUTCOME) == VOID).select("order_id").collect(engine="streaming")
    wanted = pl.concat([left.select("order_id"), voided]).unique()
    rivals = every.join(wanted.lazy(), on="order_id", how="semi")
    left = left.with_columns(pl.col(SOURCE).cast(pl.String))
    newest = _ranked(rivals, zone).sort("_rank", *place).group_by("order_id").agg(pl.col(*place, OUTCOME).last())
    newest = newest.collect(engine="streaming").lazy()
    if voided.height:
        ended = due.join(newest.filter(pl.col(OUTCOME) == VOID), on="order_id", how="semi")
        foreign += clean.join(ended, on=place, how="semi").select(pl.len()).collect(engine="streaming").item()
    lost = _ranked(left.lazy(), zone).join(newest, on=["order_id", *place], how="semi").collect()
    return Orders(
        read=read,
        clean=kept - foreign,
        lost=lost.height,
        lost_amount=sum(lost[AMOUNT].to_list(), Decimal(0)),
        lost_days=frozenset(lost[DAY]),
        foreign=foreign,
        examples=lost["order_id"].head(EXAMPLES).to_list(),
    )


def of_rejects(connection: Connection, run_id: str | None) -> Rejects:
    """Compare the number of rejects that are listed for each file with the number found when it landed.

    `run_id`: only files that this run listed."""
    query = sa.text(
        """
        SELECT file.key, file.rows - file.clean_rows - coalesce(file.void_rows, 0) = count(listed.row_number) AS agrees
        FROM ledger.built_files built
        JOIN ledger.landed_files file ON file.active AND file.bucket = built.bucket AND file.key = built.key
            AND file.path = built.path
        LEFT JOIN analytics.rejected_orders listed ON listed.bucket = file.bucket AND listed.source = file.key
        WHERE built.asset = 'rejected_orders' AND (CAST(:run_id AS text) IS NULL OR built.run_id = :run_id)
        GROUP BY file.id
        """
    )
    rows = connection.execute(query, {"run_id": run_id}).all()
    return Rejects(len(rows), sorted(row.key for row in rows if not row.agrees))


def _ranked(rows: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    validated: pl.LazyFrame = validation.validated(rows, zone).to_native()
    return validated.with_columns(_rank=pl.coalesce(UPDATED_AT, LANDED_AT))
