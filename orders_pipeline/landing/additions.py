"""What a source adds to the rows of a file: prefixes of ids, a customer for orders without one, the day in the key."""

from typing import Final

import narwhals as nw
import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.schema import ID_COLUMNS
from orders_pipeline.sources.dates import days_in
from orders_pipeline.sources.declaration import Source
from orders_pipeline.validation import has_no_id

_ORDER_DATE: Final = "order_date"


def with_additions(rows: pl.DataFrame, source: Source, key: str) -> pl.DataFrame:
    """Raw rows of a file with this key, with what its source adds.

    Raises:
        QuarantineError: the key has no date, or several, where the source declares one.
    """
    if source.date_from_key is not None:
        rows = rows.with_columns(pl.lit(_day(key, source.date_from_key)).alias(_ORDER_DATE))
    if source.customer_default is not None:
        of_orders = ~_lacks(rows, "order_id") & _lacks(rows, "customer_id")
        filled = pl.when(of_orders).then(pl.lit(source.customer_default)).otherwise("customer_id")
        rows = rows.with_columns(filled.alias("customer_id"))
    for name in ID_COLUMNS:
        if prefix := source.prefix_of(name):
            prefixed = pl.when(_lacks(rows, name)).then(name).otherwise(pl.lit(prefix) + pl.col(name))
            rows = rows.with_columns(prefixed.alias(name))
    return rows


def _lacks(rows: pl.DataFrame, column: str) -> pl.Series:
    frame = nw.from_native(rows, eager_only=True)
    lacks: pl.Series = frame.select(lacks=has_no_id(frame, column))["lacks"].to_native()
    return lacks


def _day(key: str, declared: str) -> str:
    """The business day in a key, like 2026-03-05."""
    before, _, rest = declared.partition("(")
    date_format, _, after = rest.partition(")")
    days = days_in(key, before, date_format, after)
    if len(days) == 1:
        return days.pop()
    found = f"several dates ({', '.join(sorted(days))})" if days else "no date"
    raise QuarantineError(
        "date_not_in_key",
        f"The key has {found} like {declared!r}, from which its source takes the business day. Upload the file under"
        " another key, or correct `date_from_key` (`orders-pipeline sources apply`).",
    )
