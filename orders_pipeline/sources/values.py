"""Amounts and times as plain texts, beside the columns that have them as a source declares to write them."""

from functools import partial
from typing import Any, Final

import narwhals as nw
import polars as pl

from orders_pipeline.schema import CURRENCY
from orders_pipeline.sources.amounts import plain_amount
from orders_pipeline.sources.dates import plain_times
from orders_pipeline.sources.declaration import Source
from orders_pipeline.times import Frame

_TIMES: Final = ("order_date", "updated_at")


def plain_texts(source: Source) -> dict[str, pl.Expr]:
    """By column of an order, its values as plain texts; empty where a value is not written as declared. Columns whose
    values are plain already are left out."""
    amount = plain_amount(source)
    texts = {} if amount is None else {"amount": amount}
    if source.date_formats:
        read = partial(plain_times, formats=source.date_formats)
        texts |= {
            name: pl.col(name).map_batches(read, return_dtype=pl.String(), is_elementwise=True) for name in _TIMES
        }
    return texts


def text_of(source: Source, name: str) -> nw.Expr:
    """The plain text of an order's column, in a frame of `with_plain_texts`."""
    return nw.col(_plain(name)) if name in plain_texts(source) else nw.col(name).str.strip_chars()


def with_plain_texts(frame: Frame, source: Source) -> Frame:
    """Raw rows with the columns that `text_of` reads. Any eager frame, or a lazy one of Polars.

    Raises:
        TypeError: it is a lazy frame of another kind, and the source declares how values are written.
    """
    texts = plain_texts(source)
    if not texts:
        return frame
    plain = [text.alias(_plain(name)) for name, text in texts.items()]
    if frame.implementation.is_polars():
        rows: Any = frame.to_native()
        found: Frame = nw.from_native(rows.with_columns(plain))
        return found
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(f"Values as source {source.name!r} declares them are read from eager frames: collect it first.")
    converted = frame.select(*texts, CURRENCY).to_polars().select(plain)
    # As an array, a column takes over the index of a pandas frame.
    arrays = {name: partial(_array, converted[_plain(name)]) for name in texts}
    return frame.with_columns(
        **{_plain(name): nw.col(name).map_batches(array, return_dtype=nw.String()) for name, array in arrays.items()}
    )


def _array(texts: pl.Series, _: nw.Series[Any]) -> Any:
    return texts.to_numpy()


def _plain(name: str) -> str:
    return f"_plain_{name}"
