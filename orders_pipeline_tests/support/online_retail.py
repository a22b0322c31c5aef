"""The 305 files of a real shop, and what every table must hold when they are loaded."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

import pandas as pd

ONLINE_RETAIL: Final = Path(__file__).parents[3] / "shared" / "data" / "online_retail"
FILES: Final = tuple(sorted(str(path) for path in ONLINE_RETAIL.glob("*.csv")))


class Database(Protocol):
    """What holds the tables."""

    def query(self, query: str) -> pd.DataFrame:
        """The rows of a query."""


def totals_of(files: Sequence[str]) -> dict[str, Any]:
    """What the files say, read with nothing but `split`; no order is in them twice."""
    rows = [line.split(",") for file in files for line in Path(file).read_text().splitlines()[1:]]
    clean = [(customer, Decimal(amount), time[:10]) for _, customer, amount, time in rows if customer]
    days = sorted({day for _, _, day in clean})
    return {
        "rows_without_customer": len(rows) - len(clean),
        "clean_orders": len(clean),
        "days_with_clean_orders": len(days),
        "revenue": str(sum(amount for _, amount, _ in clean)),
        "first_day": days[0],
        "last_day": days[-1],
        "revenue_2011_11_14": str(sum(amount for _, amount, day in clean if day == "2011-11-14")),
        "customer_days": len({(customer, day) for customer, _, day in clean}),
    }


def assert_all_totals(shop: Database, files: Sequence[str] = FILES) -> None:
    """Both chains hold exactly what the files add up to."""
    expected = totals_of(files)
    unpartitioned = shop.query(
        "SELECT count(*) AS days, sum(order_count) AS orders, sum(revenue) AS revenue, min(order_date) AS first,"
        " max(order_date) AS last, sum(revenue) FILTER (WHERE order_date = '2011-11-14') AS one_day"
        " FROM analytics.daily_revenue"
    ).iloc[0]
    partitioned = shop.query(
        "SELECT count(*) AS rows, count(DISTINCT order_date) AS days, sum(daily_spend) AS spend,"
        " sum(daily_spend) FILTER (WHERE order_date = '2011-11-14') AS one_day FROM analytics.daily_revenue_partitioned"
    ).iloc[0]
    assert (unpartitioned["days"], unpartitioned["orders"]) == (
        expected["days_with_clean_orders"],
        expected["clean_orders"],
    )
    assert (str(unpartitioned["first"]), str(unpartitioned["last"])) == (expected["first_day"], expected["last_day"])
    assert (partitioned["rows"], partitioned["days"]) == (expected["customer_days"], expected["days_with_clean_orders"])
    for chain, total in ((unpartitioned, "revenue"), (partitioned, "spend")):
        assert chain[total] == Decimal(expected["revenue"])
        assert chain["one_day"] == Decimal(expected["revenue_2011_11_14"])


def assert_all_rejects(shop: Database, prefix: str, files: Sequence[str] = FILES) -> None:
    """Each row without customer, known by reading the files with nothing but `split`."""
    due = {
        (f"{prefix}{Path(file).name}", number, line)
        for file in files
        for number, line in enumerate(Path(file).read_text().splitlines(), start=1)
        if number > 1 and line.split(",")[1] == ""
    }
    listed = shop.query("SELECT source, row_number, reason, raw FROM analytics.rejected_orders")
    assert set(listed["reason"]) == {"customer_id_missing"}
    assert set(zip(listed["source"], listed["row_number"], listed["raw"], strict=True)) == due
    assert len(listed) == totals_of(files)["rows_without_customer"]
