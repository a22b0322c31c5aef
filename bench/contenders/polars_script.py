"""Bare Polars: the yardstick. It keeps no ledger, proves nothing, and does all its work again each time."""

import polars as pl

from bench.places import Place

COLUMNS = ("order_id", "customer_id", "amount", "order_date")


def run(place: Place) -> None:
    orders = (
        pl.scan_csv(place.fetch(), schema=dict.fromkeys(COLUMNS, pl.String))
        .filter(pl.col("amount").is_not_null() & (pl.col("amount") != ""))
        .with_columns(
            pl.col("amount").cast(pl.Decimal(18, 2)), pl.col("order_date").str.to_datetime("%Y-%m-%dT%H:%M:%S")
        )
        .unique("order_id", keep="last", maintain_order=False)
        .with_columns(day=pl.col("order_date").dt.date())
        .collect(engine="streaming")
    )
    for (day,), part in orders.partition_by("day", as_dict=True).items():
        part.write_parquet(place.folder / f"{day}.parquet")

    revenue = orders.group_by("day").agg(pl.col("amount").sum(), pl.len()).sort("day")
    spend = orders.group_by("day", "customer_id").agg(pl.col("amount").sum()).sort("day")
    for table, frame in (("daily_revenue", revenue), ("daily_revenue_partitioned", spend)):
        frame.write_csv(place.folder / table, include_header=False)
        place.copy(table, place.folder / table)
