"""A frame as the asset that takes it annotates it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import polars as pl
import pyarrow as pa

from orders_pipeline.errors import ReadError
from orders_pipeline.tables.scan import in_pandas

if TYPE_CHECKING:
    import pandas as pd


def _pandas(rows: pl.LazyFrame) -> "pd.DataFrame":
    return in_pandas(_polars(rows))


def _polars(rows: pl.LazyFrame) -> pl.DataFrame:
    return rows.collect(engine="streaming")


def _arrow(rows: pl.LazyFrame) -> pa.Table:
    return _polars(rows).to_arrow()


_FRAMES: Final[Mapping[str, Callable[[pl.LazyFrame], Any]]] = {
    "pandas.DataFrame": _pandas,
    "polars.DataFrame": _polars,
    "polars.LazyFrame": lambda rows: rows,
    "pyarrow.Table": _arrow,
}


def as_annotated(rows: pl.LazyFrame, context: dg.InputContext) -> Any:
    """The rows of a table for an asset of your own: a pandas frame as `orders_pipeline.read` returns it, a Polars frame
    or an Arrow table, as it annotates its argument; without an annotation, a Polars LazyFrame.

    Raises:
        ReadError: the annotation is none of these.
    """
    annotated = context.dagster_type.typing_type
    if annotated is Any or annotated is None:
        return rows
    name = f"{getattr(annotated, '__module__', '').split('.')[0]}.{getattr(annotated, '__name__', annotated)}"
    if name not in _FRAMES:
        table, asset = context.asset_key.to_user_string(), context.step_context.step.key
        raise ReadError(
            f"{asset} annotates its argument {table} as {name}. A table comes as {', '.join(_FRAMES)}: annotate it as"
            " one of these, or leave the annotation out for a polars.LazyFrame."
        )
    return _FRAMES[name](rows)
