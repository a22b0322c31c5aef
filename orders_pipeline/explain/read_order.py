"""Reads every row of an order. The ledger knows which files may have its id, so few objects are opened."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import narwhals as nw
import polars as pl
from sqlalchemy.engine import Connection, Engine

from orders_pipeline import progress
from orders_pipeline.explain.meaning import is_storable
from orders_pipeline.explain.names import shown
from orders_pipeline.explain.order import Order, Row, in_order
from orders_pipeline.explain.read_day import when_is
from orders_pipeline.explain.snapshot import snapshot
from orders_pipeline.explain.tables import Table, tables_of_day
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.overlap import id_hash
from orders_pipeline.ledger import active, builds, declarations, history, reports, staleness
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.ledger.versions import TABLE, FileVersion
from orders_pipeline.resources import S3Resource
from orders_pipeline.schema import (
    AMOUNT,
    COUNTS,
    DAY,
    LANDED_AT,
    MOST_REJECTS,
    OUTCOME,
    PROBLEM,
    REASON,
    ROW_NUMBER,
    SOURCE,
    TEXT,
    UPDATED_AT,
    UPSTREAM,
    VOID,
)
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import Sources
from orders_pipeline.sources.senders import sender_of
from orders_pipeline.storage.lake import Lake
from orders_pipeline.tables import rejects
from orders_pipeline.transforms import latest

_REPLACED: Final = "replaced by a newer version of the file"


@dataclass(frozen=True)
class _Searched:
    """A file that may have rows of the order, and why it is not active; None: it is."""

    file: ActiveFile
    gone: str | None


@dataclass(frozen=True)
class _Found:
    """The rows with each id, how many objects were opened, and those that could not be."""

    rows: Mapping[str, list[dict[str, Any]]]
    opened: int
    damaged: Sequence[FileVersion]
    vacuumed: int

    def versions_with(self, order_id: str) -> list[FileVersion]:
        """The active versions of files that have such rows."""
        return [row["searched"].file.version for row in self.rows[order_id] if row["searched"].gone is None]


def read_orders(engine: Engine, s3: S3Resource, settings: Settings, text: str) -> list[Order]:
    """What is known of an order id, as it is in the tables or as its sender writes it: one order for each id that a
    source makes of it, by its prefix. At least one, maybe without rows.

    Raises:
        ServiceUnavailableError: the lake did not answer.
    """
    if not is_storable(text):
        return [Order(text, [], None, None, [], 0, 0, [], 0, 0)]
    lake, calendar = s3.lake(), Calendar.of(settings)
    with snapshot(engine) as connection:
        sources = declarations.current(connection)
        ids = _ids(text, sources)
        searched = _files(connection, ids, sources)
        found = _search(lake, searched, ids)
        unloaded = {(file.version.bucket, file.version.key) for file in reports.unloaded(connection)[1]}
        objects, unread = reports.counts(connection).by_status["loaded"], history.unsearchable(connection)
        orders = []
        for order_id in [one for one in ids if found.rows[one]] or [text]:
            rows = _made(found.rows[order_id], settings, sources)
            day = next((row.day for row in rows if row.is_version and row.day), None)
            when = None if day is None else when_is(day, calendar)
            tables = [] if day is None else _tables(connection, day, calendar)
            lost = sorted(shown(one.bucket, one.key, settings.landing_bucket) for one in found.damaged)
            own = {(one.bucket, one.key) for one in found.versions_with(order_id)} & unloaded
            newer = sorted(shown(*one, settings.landing_bucket) for one in own)
            sums = found.opened, objects, lost, found.vacuumed, unread
            orders.append(Order(order_id, rows, day, when, tables, *sums, newer))
        return orders


def _tables(connection: Connection, day: date, calendar: Calendar) -> list[Table]:
    due = {table: staleness.due_days(connection, table, calendar) for table in UPSTREAM}
    return tables_of_day(day, builds.records(connection, day), due)


def _search(lake: Lake, searched: Sequence[_Searched], ids: Sequence[str]) -> _Found:
    """The rows of these files that have one of these ids."""
    files = {one.file.raw.path: one for one in reversed(searched)}  # an active version may share its object
    damaged = set(lake.damaged(files))
    rows: dict[str, list[dict[str, Any]]] = {one: [] for one in ids}
    for done, (path, one) in enumerate(files.items(), start=1):
        if path not in damaged:
            for row in _rows(raw_objects.scan(lake, [one.file]), ids):
                rows[row["id"]].append({**row, "searched": one})
        progress.report("files", done, len(files))
    lost = [files[path] for path in damaged]
    return _Found(
        rows,
        len(files) - len(damaged),
        [one.file.version for one in lost if one.gone is None],
        sum(one.gone is not None for one in lost),
    )


def _ids(text: str, sources: Sources) -> list[str]:
    """The text itself, and what a source makes of it."""
    prefixes = (source.order_id_prefix for source in (sources.undeclared, *sources.declared))
    return list(dict.fromkeys([text, *(f"{prefix}{text}" for prefix in prefixes if prefix)]))


def _files(connection: Connection, ids: Sequence[str], sources: Sources) -> list[_Searched]:
    """The files that may have a row with one of these ids, active ones first."""
    hashes = {one: id_hash(one) for one in ids}
    listed = rejects.with_text(connection, {text for one in ids for text in (one, one.replace('"', '""'))})
    counting = [
        *active.may_hold(connection, hashes),
        *active.of_keys(connection, {(one.bucket, one.key) for one in listed}),
        *history.with_rejects_beyond(connection, MOST_REJECTS),
        *(file for file in active.stale_files(connection, "rejected_orders")[0] if file.raw.rejects),
    ]
    former = history.formerly_with_id(connection, ids, sources)
    return [
        *(_Searched(file, None) for file in dict.fromkeys(counting)),
        *(_Searched(one.loaded, one.reason or _REPLACED) for one in former if one.loaded),
    ]


def _rows(rows: pl.LazyFrame, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of an object that have one of these ids, and which one each has. A row that could not be split into
    columns has it as a word of its text."""
    bare, text = pl.col("order_id").str.strip_chars(), pl.col(TEXT)
    is_reject = pl.col(REASON).is_not_null()
    words = "|".join(re.escape(one) for one in sorted(ids, key=len, reverse=True))
    has_word = pl.any_horizontal(text.str.contains(one, literal=True) for one in ids)
    found = rows.filter(
        pl.col("order_id").is_in(ids) | (is_reject & (bare.is_in(ids) | (pl.col(PROBLEM).is_not_null() & has_word)))
    )
    for row in found.collect(engine="streaming").iter_rows(named=True):
        order_id = row["order_id"] if row["order_id"] in ids else (row["order_id"] or "").strip()
        if order_id not in ids:
            word = re.search(rf"(?<![\w-])(?:{words})(?![\w-])", row[TEXT] or "")
            order_id = word[0] if word else None
        if order_id is not None:
            yield {**row, "id": order_id}


def _made(found: Sequence[Mapping[str, Any]], settings: Settings, sources: Sources) -> list[Row]:
    winner = _winner([row for row in found if row["searched"].gone is None and row[OUTCOME] in (COUNTS, VOID)])
    return in_order([_row(row, settings, sources, is_latest=row is winner) for row in found])


def _winner(versions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The latest version of an order, by the rule of every build."""
    if not versions:
        return None
    columns = ("order_id", SOURCE, ROW_NUMBER, LANDED_AT, UPDATED_AT)
    schema = {
        "order_id": pl.String(),
        SOURCE: pl.String(),
        ROW_NUMBER: pl.Int64(),
        LANDED_AT: pl.Datetime("us", "UTC"),
        UPDATED_AT: pl.Datetime("us", "UTC"),
        "_place": pl.Int64(),
    }
    rows = [(*(row[name] for name in columns), place) for place, row in enumerate(versions)]
    frame = nw.from_native(pl.DataFrame(rows, schema=schema, orient="row"), eager_only=True)
    place: int = latest(frame).to_native()["_place"][0]
    return versions[place]


def _row(row: Mapping[str, Any], settings: Settings, sources: Sources, *, is_latest: bool) -> Row:
    version, gone = row["searched"].file.version, row["searched"].gone
    return Row(
        shown(version.bucket, version.key, settings.landing_bucket),
        sender_of(sources, version.bucket, version.key),
        row[ROW_NUMBER],
        row[OUTCOME],
        row[REASON],
        row["customer_id"],
        row[AMOUNT],
        row["amount"],
        row[DAY],
        row[UPDATED_AT],
        None if version.bucket == TABLE else row[LANDED_AT],
        row[TEXT],
        gone,
        is_latest,
    )
