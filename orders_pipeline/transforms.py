"""From validated rows to tables: the latest version of each order, and the sums of each day. No I/O, no Dagster.

The functions take any frame that narwhals reads (pandas, Polars eager or lazy, ...) and return the same kind.
"""

from typing import Any, Final

import narwhals as nw

from orders_pipeline.schema import (
    AMOUNT,
    CLEAN_COLUMNS,
    COUNTS,
    DAY,
    LANDED_AT,
    ORDER_DATE,
    OUTCOME,
    ROW_NUMBER,
    SOURCE,
    UPDATED_AT,
    VOID,
)
from orders_pipeline.validation import Frame, day_of, validated

_IS_VERSION: Final = (nw.col(OUTCOME) == COUNTS) | (nw.col(OUTCOME) == VOID)


def clean(raw: Any, zone: str = "UTC") -> Any:
    """The latest clean row of each order.

    Rows from the lake were validated when their file landed. Rows that were not are validated first, in time zone
    `zone`; see `validation.validate` for what they need.

    Returns:
        `order_id`, `customer_id`, `amount` decimal(18,2), `order_date` (wall clock in `zone`), and where each row
        came from. Rows that validation refused are left out; `validation.rejects` returns those. An order whose latest
        row is void is left out too.
    """
    versions = validated(raw, zone).filter(_IS_VERSION)
    converted = {"amount": AMOUNT, "order_date": ORDER_DATE}
    names = [column.name for column in CLEAN_COLUMNS]
    orders = latest(versions).filter(nw.col(OUTCOME) == COUNTS)
    return orders.select(**{name: nw.col(converted.get(name, name)) for name in names}).to_native()


def latest(versions: Frame) -> Frame:
    """Of clean and void rows, the one of each order_id with the highest rank: (`updated_at` or else landing time,
    key, row number).

    Keys compare by bytes. The winner depends on the rows alone, never on the order in which they arrived.
    """
    counted = _counted(versions)
    repeated = counted.filter(nw.col("_versions") > 1)  # few: only these need a rank
    return nw.concat([counted.filter(nw.col("_versions") == 1), _winners(repeated)])  # type: ignore[type-var]  # both are of one kind


def superseded(rows: Any, zone: str = "UTC") -> Any:
    """The clean rows that another version of their order replaced, counted by business day and by file.

    Takes the same rows as `clean`.

    Returns:
        `day` of the superseded rows; `winner` and `loser`: the keys of the files of the version that wins and of the
        one that does not, maybe the same one; `orders`: how many rows; their `amount` decimal(38,2); `other_customer`:
        how many of them name another customer than the winner. A void row may win, and names none.
    """
    versions = validated(rows, zone).filter(_IS_VERSION)
    repeated = _counted(versions).filter(nw.col("_versions") > 1)
    place = {SOURCE: "winner", ROW_NUMBER: "_winners_row", LANDED_AT: "_winner_landed_at"}
    winners = _winners(repeated).select(
        "order_id",
        _winners_customer=nw.when(nw.col(OUTCOME) == COUNTS).then(nw.col("customer_id")),
        **{name: nw.col(column) for column, name in place.items()},
    )
    pairs = repeated.join(winners, on="order_id", how="inner")  # type: ignore[arg-type]  # both are of one kind
    is_other = nw.any_horizontal(*(nw.col(a) != nw.col(b) for a, b in place.items()), ignore_nulls=True)
    losers = pairs.filter(is_other & (nw.col(OUTCOME) == COUNTS))
    compared = losers.select(
        "winner",
        day=nw.col(DAY),
        loser=nw.col(SOURCE),
        amount=nw.col(AMOUNT).cast(nw.Decimal(38, 2)),
        other_customer=(nw.col("customer_id") != nw.col("_winners_customer")).fill_null(False).cast(nw.Int64),
    )
    return (
        compared.group_by("day", "winner", "loser")
        .agg(orders=nw.len(), amount=nw.col("amount").sum(), other_customer=nw.col("other_customer").sum())
        .with_columns(nw.col("orders").cast(nw.Int64))
        .to_native()
    )


def revenue_by_day(orders: Any) -> Any:
    """`order_date` (day), `revenue` and `order_count` of each day of clean orders."""
    revenue = _by_day(orders).group_by("order_date").agg(revenue=nw.col("amount").sum(), order_count=nw.len())
    return revenue.with_columns(nw.col("order_count").cast(nw.Int64)).to_native()


def spend_by_customer(orders: Any) -> Any:
    """`order_date` (day), `customer_id` and `daily_spend`: what each customer spent each day."""
    return _by_day(orders).group_by("order_date", "customer_id").agg(daily_spend=nw.col("amount").sum()).to_native()


def _counted(versions: Frame) -> Frame:
    """Clean and void rows with their `_rank` by time and the number of `_versions` of their order."""
    ranked = versions.with_columns(_rank=nw.coalesce(nw.col(UPDATED_AT), nw.col(LANDED_AT)))
    return ranked.with_columns(_versions=nw.len().over("order_id"))


def _winners(counted: Frame) -> Frame:
    """The row of each order with the highest rank."""
    return counted.unique(subset="order_id", keep="last", order_by=["_rank", SOURCE, ROW_NUMBER])  # type: ignore[call-arg,unused-ignore]  # narwhals: same signature on both frame kinds


def _by_day(orders: Any) -> Frame:
    frame: Frame = nw.from_native(orders)
    # A sum can have more digits than one amount. The marts hold 38.
    return frame.with_columns(order_date=day_of("order_date"), amount=nw.col("amount").cast(nw.Decimal(38, 2)))
