"""`orders_pipeline.read`: the tables as frames, for notebooks and scripts. The rest of the package is imported when it
is called: to import `orders_pipeline` costs nothing and wires nothing."""

from datetime import date
from typing import TYPE_CHECKING, Literal, overload

from orders_pipeline.errors import ReadError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


@overload
def read(
    table: str, *, first_day: date | str | None = None, last_day: date | str | None = None, lazy: Literal[False] = False
) -> "pd.DataFrame": ...


@overload
def read(
    table: str, *, first_day: date | str | None = None, last_day: date | str | None = None, lazy: Literal[True]
) -> "pl.LazyFrame": ...


def read(
    table: str, *, first_day: date | str | None = None, last_day: date | str | None = None, lazy: bool = False
) -> "pd.DataFrame | pl.LazyFrame":
    """The rows of a table, as the ledger has them now; what is committed later does not change the frame.

    Where the tables are is read from the environment, as everywhere in this package.

    Args:
        table: `raw_orders`, `cleaned_orders`, `rejected_orders`, `daily_revenue`, `daily_orders` or
            `daily_revenue_partitioned`. `schema.TABLES` has their columns.
        first_day: the first business day to read, like `date(2026, 3, 1)` or "2026-03-01". None: from the beginning.
        last_day: the last one, itself included. None: to the end. Days go by the clean rows: with a range, raw orders
            are without rejects.
        lazy: return a Polars LazyFrame, which reads from the lake only what it needs, on collect. Marts are read
            at once: Postgres keeps no older rows.

    Returns:
        Rows in the order of their days; of rejects, in that of their files; of raw orders in none. In pandas, money is
        `Decimal`, a date an Arrow date, a time a datetime64 (wall clock of ORDERS_TIMEZONE, or UTC if the
        column's description names UTC), an id text.

    Raises:
        ReadError: there is no such table, or it has no such days.
        MissingInputError: objects are missing from the lake; the message says how to rebuild them.
    """
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.ledger.models import MARTS
    from orders_pipeline.schema import TABLES
    from orders_pipeline.tables import scan

    if table not in TABLES:
        raise ReadError(f"There is no table {table!r}. The tables are {', '.join(TABLES)}.")
    first, last = _day("first_day", first_day, date.min), _day("last_day", last_day, date.max)
    if first > last:
        raise ReadError(f"first_day ({first}) is after last_day ({last}). Swap them.")
    days = None if first_day is None and last_day is None else (first, last)
    if days and table == "rejected_orders":
        raise ReadError(
            "rejected_orders has no days: it is kept by file. Leave out first_day and last_day, and filter the rows by"
            " `source`."
        )
    if table in MARTS:
        rows = scan.of_mart(postgres.ledger(), table, days).lazy()
    else:
        rows = scan.of_lake(postgres.ledger(), s3.lake(), table, days)
    return rows if lazy else scan.in_pandas(rows.collect(engine="streaming"))


def _day(name: str, given: date | str | None, otherwise: date) -> date:
    if given is None:
        return otherwise
    try:
        return date.fromisoformat(str(given))  # a time of day is not cut off: it may be meant
    except ValueError:
        raise ReadError(f"{name} is {given!r}: pass a day like date(2026, 3, 1) or '2026-03-01'.") from None
