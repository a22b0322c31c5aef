"""Is every row accounted for? A row is lost if it is the latest of its order and in no table. Which one is the
latest is found here a second way, from the raw rows with their validation."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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
from orders_pipeline.ledger.damage import intact_days, intact_files
from orders_pipeline.ledger.findings import Examination, Finding, of_file
from orders_pipeline.ledger.models import built_files, landed_files, rejected_orders
from orders_pipeline.ledger.records import ActiveFile, rejects_in
from orders_pipeline.ledger.staleness import Blocked, Calendar, DueDays
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
from orders_pipeline.text import examples, printable


@dataclass(frozen=True)
class Problem:
    """What is wrong with the orders of a day: how many are lost, what they are worth in the shop's currency and their
    ids, and how many are in the table, but in no file."""

    day: date
    lost: int
    amount: Decimal
    order_ids: Sequence[str]
    foreign: int

    def finding(self) -> Finding:
        """So many orders of the day are lost, or in no file."""
        clauses = []
        if self.lost:
            clauses.append(
                f"{self.lost} rows worth {self.amount} on {self.day} are neither clean nor superseded"
                f" (orders {examples(self.order_ids)})"
            )
        if self.foreign:
            when = "" if self.lost else f", on {self.day}"
            clauses.append(f"{self.foreign} clean orders are in no file, or void{when}")
        fingerprint = f"{self.lost} {self.amount} {self.foreign}"
        return Finding(str(self.day), fingerprint, " and ".join(clauses), self.amount if self.lost else None)


@dataclass(frozen=True)
class Orders:
    """Where the clean rows of some days ended up. `problems`: the days on which something is wrong."""

    read: int
    clean: int
    problems: Sequence[Problem]

    def __add__(self, other: "Orders") -> "Orders":
        """The sum of both."""
        return Orders(
            read=self.read + other.read,
            clean=self.clean + other.clean,
            problems=[*self.problems, *other.problems],
        )


NONE: Final = Orders(0, 0, [])


@dataclass(frozen=True)
class Rejects:
    """The rejects of a file: their number when it landed, and how many of them are listed."""

    bucket: str
    key: str
    found: int
    listed: int

    @property
    def subject(self) -> str:
        """Not only the file: that its object is missing is another finding."""
        return f"rejects of {of_file(self.bucket, self.key)}"

    def finding(self) -> Finding:
        """Not all of them are listed, or too many."""
        message = f"{self.listed} of the {self.found} rejects of {printable(self.key)} are listed"
        return Finding(self.subject, f"{self.listed} of {self.found}", message)


@dataclass(frozen=True)
class Completeness:
    """Which orders and rejects are accounted for. `days`: those that were compared. Stale days were not. `missing`: the
    files without which stale days cannot be built. `examined`: the subjects on which the findings say all there is to
    say."""

    orders: Orders
    rejects: Sequence[Rejects]
    days: Sequence[date]
    stale: DueDays
    missing: Sequence[ActiveFile]
    examined: set[str]

    def unbuildable(self, keys: Collection[str]) -> dict[date, Blocked]:
        """The stale days that cannot be built without these files."""
        named = {
            day: Blocked(found.by, tuple(name for name in found.names if name in keys))
            for day, found in self.stale.unrecoverable.items()
        }
        return {day: found for day, found in named.items() if found.names}

    def findings(self) -> list[Finding]:
        """What is not accounted for, by day or file."""
        return [
            *(problem.finding() for problem in self.orders.problems),
            *(file.finding() for file in self.rejects if file.listed != file.found),
            *(_missing(file) for file in self.missing),
        ]


def compare(engine: Engine, lake: Lake, scope: Scope, calendar: Calendar, again: Examination) -> Completeness:
    """Account for the rows of the days and files that the run built; if it built none, or covers everything: of all.
    The subjects of `again` are compared in any case. Days that depend on missing or damaged objects are left out."""
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        stale, unreadable = (
            staleness.due_days(snapshot, "cleaned_orders", calendar),
            overlaps.unreadable_days(snapshot),
        )
        # Includes days that are not built: this must find a day that is missing from the ledger.
        known = set(builds.all_days(snapshot, "cleaned_orders", calendar)) | active.days_held(snapshot)
        everything = [day for day in known if calendar.start <= day <= calendar.today]
        selected = {
            *(scope.built_by_run(snapshot, "cleaned_orders") or everything),
            *again.days.intersection(everything),
        }
        compared = sorted(selected - {*stale.stale} - unreadable)
        paths = builds.paths(snapshot, "cleaned_orders", compared)
        sources = []
        for batch in batches(compared, active.expected_rows(snapshot, compared)):
            holding = active.holding(snapshot, batch)
            sources.append((batch, holding, overlaps.partners(snapshot, holding)))
        if scope.everything or not _listed_rejects(snapshot, scope.run_id):
            rejects, outdated = of_rejects(snapshot, None, again.subjects)
        else:
            rejects, outdated = of_rejects(snapshot, scope.run_id, again.subjects)
        missing = _files_missing(snapshot, stale)
    files = list({file.raw.path: file for _, *both in sources for some in both for file in some}.values())
    is_intact = len(intact_files(engine, lake, files)) == len(files)
    if intact_days(engine, lake, "cleaned_orders", paths) != paths or not is_intact:
        return compare(engine, lake, scope, calendar, again)  # without what depends on them
    orders = NONE
    for batch, holding, overlapping in sources:
        built = [paths[day] for day in batch if day in paths]
        orders += of_orders(lake, batch, holding, overlapping, built, calendar.zone)
    waiting = {*map(str, stale.stale), *map(str, unreadable), *(file.subject for file in outdated)}
    examined = {*map(str, compared), *(file.subject for file in rejects), *(again.subjects - waiting)}
    return Completeness(orders, rejects, compared, stale, missing, examined)


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
    foreign = Counter[date]()
    if kept != read - left.height:
        dated = lake.scan(clean_paths).select(*place, day=pl.col("order_date").dt.date()).with_columns(numbered)
        strange = dated.join(due, on=place, how="anti").select("day").collect(engine="streaming")
        foreign.update(strange["day"].to_list())
    every = raw_objects.versions(lake, files)
    voided = every.filter(pl.col(OUTCOME) == VOID).select("order_id").collect(engine="streaming")
    wanted = pl.concat([left.select("order_id"), voided]).unique()
    rivals = every.join(wanted.lazy(), on="order_id", how="semi")
    left = left.with_columns(pl.col(SOURCE).cast(pl.String))
    newest = _ranked(rivals, zone).sort("_rank", *place).group_by("order_id").agg(pl.col(*place, OUTCOME).last())
    newest = newest.collect(engine="streaming").lazy()
    if voided.height:
        ended = due.join(newest.filter(pl.col(OUTCOME) == VOID), on="order_id", how="semi")
        foreign.update(ended.join(clean, on=place, how="semi").select(DAY).collect(engine="streaming")[DAY].to_list())
    lost = _ranked(left.lazy(), zone).join(newest, on=["order_id", *place], how="semi").collect()
    return Orders(
        read=read,
        clean=kept - sum(foreign.values()),
        problems=_problems(lost, foreign),
    )


def of_rejects(
    connection: Connection, run_id: str | None, again: Collection[str]
) -> tuple[list[Rejects], list[Rejects]]:
    """The number of rejects that are listed for each file, and the number found when it landed.

    `run_id`: only files that this run listed, and the subjects of `again`. The second list: files that have changed
    since their rejects were listed, which therefore cannot be compared."""
    built, file, listed = built_files.c, landed_files.c, rejected_orders.c
    is_file = sa.and_(file.active, file.bucket == built.bucket, file.key == built.key)
    is_listed = sa.and_(listed.bucket == file.bucket, listed.source == file.key)
    subject = sa.literal("rejects of ") + file.bucket + "/" + file.key
    is_wanted = sa.or_(built.run_id == run_id, subject == sa.any_(sa.literal(list(again), sa.ARRAY(sa.Text))))
    is_current = file.path == built.path
    total = sa.cast(sa.func.coalesce(sa.func.sum(listed.rows), 0), sa.BigInteger)
    query = (
        sa.select(is_current, file.bucket, file.key, rejects_in(file), total)
        .select_from(built_files.join(landed_files, is_file).outerjoin(rejected_orders, is_listed))
        .where(built.asset == "rejected_orders", sa.true() if run_id is None else is_wanted)
        .group_by(file.id, built.path)
        .order_by(file.key)
    )
    current, outdated = list[Rejects](), list[Rejects]()
    for compares, *of_file_ in connection.execute(query):
        (current if compares else outdated).append(Rejects(*of_file_))
    return current, outdated


def _listed_rejects(connection: Connection, run_id: str) -> bool:
    """Whether a run listed the rejects of any file."""
    of_run = built_files.c.asset == "rejected_orders", built_files.c.run_id == run_id
    return bool(connection.execute(sa.select(sa.exists().where(*of_run))).scalar_one())


def _files_missing(connection: Connection, stale: DueDays) -> list[ActiveFile]:
    """The files without which stale days cannot be built."""
    keys = {key for blocked in stale.unrecoverable.values() for key in blocked.names}
    return [file for file in active.unrecoverable(connection) if file.version.key in keys]


def _missing(file: ActiveFile) -> Finding:
    version = file.version
    message = f"the object of {printable(version.key)} is missing from the lake"
    return Finding(of_file(version.bucket, version.key), file.raw.path, message)


def _problems(lost: pl.DataFrame, foreign: Mapping[date, int]) -> list[Problem]:
    """The days on which orders are lost, or in no file, in order."""
    by_day = {day: rows for (day,), rows in lost.partition_by(DAY, as_dict=True).items()}
    return [
        Problem(
            day=day,
            lost=rows.height,
            amount=sum(rows[AMOUNT].to_list(), Decimal(0)),
            order_ids=rows["order_id"].to_list(),
            foreign=foreign.get(day, 0),
        )
        for day in sorted({*by_day, *foreign})
        for rows in [by_day.get(day, lost.clear())]
    ]


def _ranked(rows: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    validated: pl.LazyFrame = validation.validated(rows, zone).to_native()
    return validated.with_columns(_rank=pl.coalesce(UPDATED_AT, LANDED_AT))
