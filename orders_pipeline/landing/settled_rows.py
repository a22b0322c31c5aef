"""Settle the lines of a file that is validated batch by batch: the lines of one order may be in different batches.

Only ids that occur more than once are settled, some of them at a time. All rows of one id are settled at once, so an id
in millions of rows needs memory for all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import narwhals as nw
import polars as pl

from orders_pipeline import repeated_ids, validation
from orders_pipeline.formats.rows import batch_rows
from orders_pipeline.lines import SETTLED, needed, settle_lines
from orders_pipeline.schema import BLANK, OUTCOME, REASON, TEXT, TOO_LONG
from orders_pipeline.sources.declaration import Source

_ROWS_AT_ONCE: Final = 1_000_000
_PLACE: Final = "_place"  # of a row in its file
_ID: Final = pl.col("order_id").hash()
_HAS_ORDER: Final = (  # else it is as validation left it; such rows may be very many, and often have the same text
    pl.col("order_id").is_not_null() & (pl.col(OUTCOME) != BLANK) & pl.col(REASON).ne_missing("order_id_missing")
)


def settled(rows: Path, spool: Path, source: Source, part_rows: int, id_chars: int) -> Iterator[pl.DataFrame]:
    """The rows of a Parquet file of validated rows, in their order, with the lines of its orders settled.

    Args:
        rows: the file.
        spool: an empty folder, for what becomes of the lines.
        source: how the sender writes; its `lines` are not `last`.
        part_rows: how many rows to return at a time; fewer, if they have many columns.
        id_chars: the most characters of an id. A longer order_id has no other lines, and a longer customer_id is one.
    """
    every = pl.scan_parquet(rows, row_index_name=_PLACE)
    columns = [name for name in every.collect_schema().names() if name != _PLACE]
    count = int(every.select(pl.len()).collect().item())
    lines = (
        every.filter(_HAS_ORDER, pl.col("order_id").str.len_chars() <= id_chars)
        .select(_PLACE, *needed(source, columns), *SETTLED)
        .with_columns(pl.when(pl.col(REASON).ne_missing(TOO_LONG)).then("customer_id").alias("customer_id"))
    )
    found = list(_changes(lines, count, spool, source))
    most = batch_rows(len(columns), part_rows)
    for start in range(0, max(count, 1), most):
        part = every.slice(start, most).collect()
        if found:
            is_here = pl.col(_PLACE).is_between(start, start + most - 1)
            part = _changed(part, pl.scan_parquet(found).filter(is_here).collect())
        frame = nw.from_native(part.select(columns), eager_only=True)
        yield validation.with_text(frame, columns).to_native()


def _changes(rows: pl.LazyFrame, count: int, spool: Path, source: Source) -> Iterator[Path]:
    """Files with what becomes of each row whose order_id occurs more than once, by its place."""
    for number, share in enumerate(repeated_ids.shares(_ID, count, _ROWS_AT_ONCE)):
        hashes = rows.filter(share).select(id=_ID).collect(engine="streaming")["id"]
        twice = repeated_ids.repeated(hashes)
        if not twice.len():
            continue
        lines = rows.filter(_ID.is_in(twice.implode())).collect(engine="streaming")
        file = spool / f"{number}.parquet"
        settle_lines(lines, source).select(_PLACE, *SETTLED).sort(_PLACE).write_parquet(file)
        yield file


def _changed(part: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Rows with their changes. A row without any stays as it is."""
    there = changes.select(_PLACE, *(pl.col(name).alias(_new(name)) for name in SETTLED))
    has_changed = pl.col(_new(OUTCOME)).is_not_null()
    values = (pl.when(has_changed).then(_new(name)).otherwise(name).alias(name) for name in SETTLED)
    changed = part.join(there, on=_PLACE, how="left", maintain_order="left").with_columns(values)
    return changed.with_columns(pl.when(pl.col(OUTCOME) != BLANK).then(TEXT).alias(TEXT))  # of rejects only


def _new(name: str) -> str:
    return f"_settled{name}"
