"""Orders in several lines: what becomes of the rows of one file that have the same order_id. No I/O, no Dagster."""

from typing import Final

import narwhals as nw
import polars as pl

from orders_pipeline.column_types import polars_schema
from orders_pipeline.schema import (
    AMOUNT,
    BLANK,
    COUNTS,
    CURRENCY,
    DAY,
    MERGED,
    ORDER_DATE,
    OUTCOME,
    REASON,
    REJECTED,
    ROW_NUMBER,
    UPDATED_AT,
    VOID,
)
from orders_pipeline.sources import conditions
from orders_pipeline.sources.declaration import Source
from orders_pipeline.validation import has_no_id

SETTLED: Final = (REASON, OUTCOME, AMOUNT, ORDER_DATE, UPDATED_AT, DAY)  # the columns that may change

_VALUES: Final = (AMOUNT, ORDER_DATE, UPDATED_AT, DAY)  # of versions of orders only
_MONEY: Final = polars_schema("raw_orders")[AMOUNT]
_PLACE, _STRETCH, _IS_LINE, _IS_DELETE = "_line_place", "_stretch", "_is_line", "_is_delete"


def settle_lines(rows: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """Validated rows of one file version with the outcomes that its source declares for orders of several rows.

    Args:
        rows: all rows that the file has of some orders, with the columns of the file and `schema.VALIDATION_COLUMNS`.
        source: how the sender writes; its `lines` are not `last`.

    Returns:
        The same rows and columns, in any order. Only `SETTLED` changes, and no row becomes another order's.
    """
    columns = rows.collect_schema().names()
    reasons = _summed(rows, source, columns) if source.lines == "sum" else _refused(rows)
    outcome = pl.when(pl.col(REASON).is_not_null()).then(pl.lit(REJECTED)).otherwise(pl.col(OUTCOME))
    settled = reasons.with_columns(outcome.alias(OUTCOME))
    is_version = pl.col(OUTCOME).is_in([COUNTS, VOID])
    return settled.with_columns(pl.when(is_version).then(pl.col(*_VALUES))).select(columns)


def _refused(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with a reason against every clean one whose order_id another clean row has too."""
    is_clean = pl.col(OUTCOME) == COUNTS
    is_repeated = is_clean & (is_clean.sum().over("order_id") > 1)
    return rows.with_columns(pl.coalesce(REASON, _because(is_repeated, "order_id_repeated")))


def _summed(rows: pl.LazyFrame, source: Source, columns: list[str]) -> pl.LazyFrame:
    """Rows with the sum in one line of each order, the latest, and with a reason against the lines that have no sum.

    A row that deletes its order is no line. It ends what came before: lines are summed in stretches between deletes, so
    that each stretch is one version of the order."""
    frame = nw.from_native(rows)
    deletes = conditions.deletes(source, columns)
    known = frame.with_columns(
        **{_IS_LINE: ~has_no_id(frame, "order_id"), _IS_DELETE: nw.lit(False) if deletes is None else deletes}
    ).to_native()
    outcome, is_line = pl.col(OUTCOME), pl.col(_IS_LINE)
    is_delete = (outcome == VOID) & pl.col(_IS_DELETE)
    ordered = (
        known.sort("order_id", UPDATED_AT, ROW_NUMBER, maintain_order=True)  # without updated_at: before those with one
        .with_columns((is_line & (outcome != BLANK) & ~is_delete).alias(_IS_LINE), is_delete.alias(_IS_DELETE))
        .with_columns(pl.col(_IS_DELETE).cast(pl.Int64).cum_sum().over("order_id").alias(_STRETCH))
        .with_row_index(_PLACE)
    )
    stretch, is_clean = ["order_id", _STRETCH], is_line & (outcome == COUNTS)
    total = pl.col(AMOUNT).cast(pl.Decimal(38, 2)).sum().over(stretch).cast(_MONEY, strict=False)
    kinds = [
        pl.col(name).filter(is_clean).drop_nulls().n_unique().over(stretch) for name in ("customer_id", DAY, CURRENCY)
    ]
    last = pl.col(_PLACE).filter(is_clean).last().over(stretch)
    has_clean = is_clean.any().over(stretch)
    reason = pl.coalesce(
        REASON,
        _because(is_line & (is_line & (outcome == REJECTED)).any().over("order_id"), "line_rejected"),
        _because(is_line & (pl.max_horizontal(kinds) > 1), "lines_differ"),
        _because(is_line & has_clean & total.is_null(), "amount_not_decimal"),
    )
    return ordered.with_columns(
        reason.alias(REASON),
        pl.when(is_line & has_clean & (pl.col(_PLACE) != last)).then(pl.lit(MERGED)).otherwise(outcome).alias(OUTCOME),
        pl.when(is_clean).then(total).alias(AMOUNT),
    )


def _because(holds: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(holds).then(pl.lit(reason))
