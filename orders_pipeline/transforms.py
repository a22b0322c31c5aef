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
    TABLE_PREFIX,
    UPDATED_AT,
    VOID,
)
from orders_pipeline.times import Frame, day_of
from orders_pipeline.validation import validated

_IS_VERSION: Final = (nw.col(OUTCOME) == COUNTS) | (nw.col(OUTCOME) == VOID)
# Where a winner is, beside the rows that it replaces.
_PLACE: Final = {SOURCE: "winner", ROW_NUMBER: "_winners_row", LANDED_AT: "_winners_landing"}
_WINNERS_VALUES: Final = {AMOUNT: "_winners_amount", ORDER_DATE: "_winners_date"}
_IDS: Final = ("_repeated_id", "_other_customer_id", "_other_id")
_ENDS: Final = ("first", "last")


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

    Takes the same rows as `clean`. Each row is compared with the version that wins. Of those rows,

    - *repeated* are those with another amount than a winner in the same file (or both in the source table, of whatever
      day), where neither has an `updated_at`: nothing says that one of them corrects the other
    - *other_customer* are those that are not repeated and name another customer. A void winner names none
    - *repeated_other_customer* are those that are repeated and name another customer
    - *unchanged* are those with the customer, amount and order_date of the winner: which of them counts is no matter
    - *smaller* are those that are worth more than the winner, which is in another file

    Returns:
        `day` of the superseded rows; `winner` and `loser`: the keys of the files of the version that wins and of the
        one that does not, maybe the same one; `orders`: how many rows; their `amount` decimal(38,2). Likewise
        the five kinds and their amounts, as `repeated` and `repeated_amount`; `smaller_amount` is by how much the
        winners are smaller.
        The smallest and the largest order id, bytewise: `repeated_first` and `repeated_last`; `other_first` and
        `other_last` of rows that are neither repeated nor unchanged, namely of those with another customer, if there
        are any. Null where there is no such row.
    """
    versions = validated(rows, zone).filter(_IS_VERSION)
    repeated = _counted(versions).filter(nw.col("_versions") > 1)
    winners = _winners(repeated).select(
        "order_id",
        _winners_customer=nw.when(nw.col(OUTCOME) == COUNTS).then(nw.col("customer_id")),
        _winners_amount=nw.col(AMOUNT),
        _winners_date=nw.col(ORDER_DATE),
        _winners_update=nw.col(UPDATED_AT),
        **{name: nw.col(column) for column, name in _PLACE.items()},
    )
    pairs = repeated.join(winners, on="order_id", how="inner")  # type: ignore[arg-type]  # both are of one kind
    is_other = nw.any_horizontal(*(nw.col(a) != nw.col(b) for a, b in _PLACE.items()), ignore_nulls=True)
    return _by_file(pairs.filter(is_other & (nw.col(OUTCOME) == COUNTS))).to_native()


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


def _is_repeated() -> nw.Expr:
    """Whether a row is repeated, as `superseded` says, of rows beside their winners."""
    in_one_file = (nw.col(SOURCE) == nw.col("winner")) & (nw.col(LANDED_AT) == nw.col("_winners_landing"))
    in_the_table = nw.all_horizontal(
        *(nw.col(key).str.starts_with(TABLE_PREFIX) for key in (SOURCE, "winner")), ignore_nulls=True
    )
    has_no_update = nw.col(UPDATED_AT).is_null() & nw.col("_winners_update").is_null()
    has_other_amount = (nw.col(AMOUNT) != nw.col("_winners_amount")).fill_null(False)
    return (in_one_file | in_the_table) & has_no_update & has_other_amount


def _by_file(losers: Frame) -> Frame:
    """The counts of `superseded`, of rows beside their winners."""
    rows = losers.select(
        "winner",
        "order_id",
        day=nw.col(DAY),
        loser=nw.col(SOURCE),
        amount=nw.col(AMOUNT).cast(nw.Decimal(38, 2)),
        _repeated=_is_repeated(),
        _less=nw.when(nw.col(SOURCE) != nw.col("winner")).then(nw.col(AMOUNT) - nw.col("_winners_amount")),
        _differs=~nw.col("_winners_customer").is_null()  # in pandas, anything differs from null
        & (nw.col("customer_id") != nw.col("_winners_customer")).fill_null(False),
        _unchanged=nw.all_horizontal(
            *(
                (nw.col(column) == nw.col(winners)).fill_null(False)
                for column, winners in (("customer_id", "_winners_customer"), *_WINNERS_VALUES.items())
            ),
            ignore_nulls=True,
        ),
    )
    repeated, other = nw.col("_repeated"), nw.col("_differs") & ~nw.col("_repeated")
    both = nw.col("_differs") & nw.col("_repeated")
    unchanged, amount, order_id = nw.col("_unchanged"), nw.col("amount"), nw.col("order_id")
    smaller = (nw.col("_less") > 0).fill_null(False)
    marked = rows.select(
        "day",
        "winner",
        "loser",
        "amount",
        repeated=repeated.cast(nw.Int64),
        repeated_amount=nw.when(repeated).then(amount),
        other_customer=other.cast(nw.Int64),
        other_customer_amount=nw.when(other).then(amount),
        repeated_other_customer=both.cast(nw.Int64),
        repeated_other_customer_amount=nw.when(both).then(amount),
        unchanged=unchanged.cast(nw.Int64),
        unchanged_amount=nw.when(unchanged).then(amount),
        smaller=smaller.cast(nw.Int64),
        smaller_amount=nw.when(smaller).then(nw.col("_less").cast(nw.Decimal(38, 2))),
        _repeated_id=nw.when(repeated).then(order_id),
        _other_customer_id=nw.when(other).then(order_id),
        _other_id=nw.when(~repeated & ~unchanged).then(order_id),
    )
    kinds = ("repeated", "repeated_other_customer", "other_customer", "unchanged", "smaller")
    sums = ("amount", *kinds, *(f"{kind}_amount" for kind in kinds))
    counted = marked.group_by("day", "winner", "loser").agg(
        orders=nw.len(),
        **{name: nw.col(name).sum() for name in sums},
        **{f"{name}_first": nw.col(name).min() for name in _IDS},
        **{f"{name}_last": nw.col(name).max() for name in _IDS},
    )
    return counted.select(
        "day",
        "winner",
        "loser",
        *sums,
        orders=nw.col("orders").cast(nw.Int64),
        **{f"repeated_{end}": nw.col(f"_repeated_id_{end}") for end in _ENDS},
        **{f"other_{end}": nw.coalesce(*(nw.col(f"{name}_{end}") for name in _IDS[1:])) for end in _ENDS},
    )


def _by_day(orders: Any) -> Frame:
    frame: Frame = nw.from_native(orders)
    # A sum can have more digits than one amount. The marts hold 38.
    return frame.with_columns(order_date=day_of("order_date"), amount=nw.col("amount").cast(nw.Decimal(38, 2)))
