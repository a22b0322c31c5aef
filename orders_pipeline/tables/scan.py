"""Scans of a whole table or some of its days, in one snapshot of the ledger: for `orders_pipeline.read`, and for your
own assets that read a whole table."""

from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.column_types import polars_schema
from orders_pipeline.errors import MissingInputError
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger import active, builds
from orders_pipeline.ledger.damage import intact_files
from orders_pipeline.ledger.models import MARTS
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.schema import DAY
from orders_pipeline.storage.lake import Lake
from orders_pipeline.storage.postgres import copy_out
from orders_pipeline.tables.missing_objects import require_objects

if TYPE_CHECKING:
    import pandas as pd

Days = tuple[date, date]  # the first and the last


def of_lake(engine: Engine, lake: Lake, table: str, within: Days | None = None) -> pl.LazyFrame:
    """The rows of a table in the lake, day by day (raw orders: file by file). Objects never change, so the frame has
    the rows of this moment whenever you collect it.

    Raises:
        MissingInputError: some of its objects are missing or damaged. The next run reads or builds them again.
    """
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        if table == "raw_orders":
            files = active.all_files(snapshot) if within is None else _files(snapshot, within)
            try:
                rows = raw_objects.scan(lake, files).select(polars_schema(table).names())
            except MissingInputError:
                intact_files(engine, lake, files)  # reports the others
                raise
            return rows if within is None else rows.filter(pl.col(DAY).is_between(*within))
        paths = builds.paths_within(snapshot, table, *(within or (date.min, date.max)))
    require_objects(engine, lake, table, paths)
    return lake.scan(list(paths.values())) if paths else pl.LazyFrame(schema=polars_schema(table))


def of_mart(engine: Engine, table: str, within: Days | None = None) -> pl.DataFrame:
    """The rows of a mart, in the order of its first two columns."""
    mart = MARTS[table]
    query = sa.select(mart) if within is None else sa.select(mart).where(mart.c.order_date.between(*within))
    with engine.connect() as connection:
        rows = copy_out(connection, query, polars_schema(table))
    return rows.sort(rows.columns[:2])


def in_pandas(rows: pl.DataFrame) -> "pd.DataFrame":
    """The rows in pandas. It has no date type, and its decimals from Arrow refuse sums of columns: docs/decisions
    (0040)."""
    import pandas as pd

    return rows.to_pandas(types_mapper={pa.date32(): pd.ArrowDtype(pa.date32())}.get)


def _files(snapshot: Connection, within: Days) -> list[ActiveFile]:
    first, last = within
    return active.holding(snapshot, [day for day in active.days_held(snapshot) if first <= day <= last])
