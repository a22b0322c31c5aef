"""Orders in several lines: what becomes of the rows of one file that have the same order_id. No I/O, no Dagster."""

from collections.abc import Sequence
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
    NO_AMOUNT,
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
_PLACE, _IS_LINE, _IS_DELETE = "_line_place", "_is_line", "_is_delete"
_ORDER, _CUSTOMER, _STRETCH = "_order_number", "_customer_number", "_stretch"


def needed(source: Source, columns: Sequence[str]) -> list[str]:
    """The columns of a file that `settle_lines` reads, besides `SETTLED`. `columns`: all columns of the file."""
    return list(dict.fromkeys(["order_id", "customer_id", ROW_NUMBER, CURRENCY, *conditions.deleting(source, columns)]))


def settle_lines(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Validated rows of one file version with the outcomes that its source declares for orders of several rows.

    Args:
        rows: all rows that the file has of some orders, with the columns `needed` and `SETTLED`, and any others.
        source: how the sender writes; its `lines` are not `last`.

    Returns:
        The same rows and columns, in any order. Only `SETTLED` changes, and no row becomes another order's.
    """
    reasons = _summed(rows, source) if source.lines == "sum" else _refused(rows)
    outcome = pl.when(pl.col(REASON).is_not_null()).then(pl.lit(REJECTED)).otherwise(pl.col(OUTCOME))
    settled = reasons.with_columns(outcome.alias(OUTCOME))
    is_version = pl.col(OUTCOME).is_in([COUNTS, VOID])
    return settled.with_columns(pl.when(is_version).then(pl.col(*_VALUES))).select(rows.columns)


def _refused(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with a reason against every clean one whose order_id another row has too, clean or rejected."""
    outcome = pl.col(OUTCOME)
    is_repeated = (outcome == COUNTS) & ((outcome != VOID).sum().over("order_id") > 1)
    return rows.with_columns(pl.coalesce(REASON, _because(is_repeated, "order_id_repeated")))


def _summed(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rows with the sum in one line of each order, the latest, and with a reason against the lines that have no sum.

    A row that deletes its order is no line. It ends what came before: lines are summed in stretches between deletes, so
    that each stretch is one version of the order."""
    outcome, is_line = pl.col(OUTCOME), pl.col(_IS_LINE)
    stretch, is_clean = [_ORDER, _STRETCH], is_line & (outcome == COUNTS)
    total = pl.col(AMOUNT).cast(pl.Decimal(38, 2)).sum().over(stretch).cast(_MONEY, strict=False)
    kinds = [pl.when(is_clean).then(name) for name in (_CUSTOMER, DAY, CURRENCY)]
    differ = pl.any_horizontal(kind.min().over(stretch) != kind.max().over(stretch) for kind in kinds)
    last = pl.when(is_clean).then(_PLACE).max().over(stretch)
    is_set_aside = (is_line & (outcome == REJECTED)).any().over(_ORDER)
    reason = pl.coalesce(
        REASON,
        _because(is_line & is_set_aside, "line_rejected"),
        _because(is_line & differ, "lines_differ"),
        _because(is_line & last.is_not_null() & total.is_null(), "amount_not_decimal"),
    )
    return _in_stretches(rows, source).with_columns(
        reason.alias(REASON),
        pl.when(is_line & (pl.col(_PLACE) != last)).then(pl.lit(MERGED)).otherwise(outcome).alias(OUTCOME),
        pl.when(is_clean).then(total).alias(AMOUNT),
    )


def _in_stretches(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rows by rank within the file (without `updated_at`: before those with one), each with the number of its order,
    of its customer and of its stretch. Lines are all rows with an id but blank ones and deletes."""
    frame = nw.from_native(_with_blank_rows(rows), eager_only=True)
    deletes = conditions.deletes(source, rows.columns)
    known = frame.with_columns(
        **{_IS_LINE: ~has_no_id(frame, "order_id"), _IS_DELETE: nw.lit(False) if deletes is None else deletes}
    ).to_native()
    is_delete = (pl.col(OUTCOME) == VOID) & pl.col(_IS_DELETE)
    ends = pl.col(_IS_DELETE).cast(pl.Int64).cum_sum().over(_ORDER)
    return (
        known.sort(UPDATED_AT, ROW_NUMBER, maintain_order=True)
        .with_columns(
            (pl.col(_IS_LINE) & (pl.col(OUTCOME) != BLANK) & ~is_delete).alias(_IS_LINE),
            is_delete.alias(_IS_DELETE),
            _numbers(rows["order_id"]).alias(_ORDER),
            _numbers(rows["customer_id"]).alias(_CUSTOMER),
        )
        .with_columns(pl.lit(0, pl.Int64).alias(_STRETCH) if deletes is None else ends.alias(_STRETCH))
        .with_row_index(_PLACE)
    )


def _with_blank_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the outcome BLANK for those without an amount whose order has a row of another kind."""
    is_without = pl.col(REASON).eq_missing(NO_AMOUNT)
    if not rows.select(is_without.any()).item():
        return rows
    is_blank = is_without & (~is_without).any().over("order_id")
    return rows.with_columns(
        pl.when(~is_blank).then(REASON).alias(REASON),
        pl.when(is_blank).then(pl.lit(BLANK)).otherwise(OUTCOME).alias(OUTCOME),
    )


def _numbers(texts: pl.Series) -> pl.Expr:
    """A number for each text of a column, which is compared faster. Equal texts, and no others, have the same one."""
    return pl.col(texts.name).cast(pl.Enum(texts.drop_nulls().unique())).to_physical()


def _because(holds: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(holds).then(pl.lit(reason))
