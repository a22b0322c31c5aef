"""The way of the usual tutorial: pandas, with every table in Postgres through `to_sql` and `read_sql`."""

from decimal import Decimal

import pandas as pd
import sqlalchemy as sa

from bench.places import Place


def run(place: Place) -> None:
    engine = sa.create_engine(place.database_url.replace("postgresql://", "postgresql+psycopg2://"))
    landed = pd.concat([pd.read_csv(file, dtype=str) for file in place.fetch()])
    landed.to_sql("raw_orders", engine, index=False, if_exists="replace")

    orders = pd.read_sql("SELECT * FROM raw_orders", engine).dropna()
    orders = orders.drop_duplicates("order_id", keep="last")
    orders["amount"] = orders["amount"].map(Decimal)
    orders["order_date"] = pd.to_datetime(orders["order_date"]).dt.date
    orders.to_sql("clean_orders", engine, index=False, if_exists="replace")

    orders = pd.read_sql("SELECT * FROM clean_orders", engine, coerce_float=False)
    orders["amount"] = orders["amount"].map(Decimal)
    revenue = orders.groupby("order_date").agg(revenue=("amount", "sum"), order_count=("amount", "size"))
    revenue.reset_index().to_sql("daily_revenue", engine, index=False, if_exists="append")
    spend = orders.groupby(["order_date", "customer_id"], as_index=False).agg(daily_spend=("amount", "sum"))
    spend.to_sql("daily_revenue_partitioned", engine, index=False, if_exists="append")
