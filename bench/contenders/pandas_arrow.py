"""pandas as well as it can: PyArrow reads, amounts are cents, COPY writes."""

import pandas as pd

from bench.places import Place


def run(place: Place) -> None:
    orders = pd.concat([pd.read_csv(file, engine="pyarrow", dtype=str) for file in place.fetch()])
    orders = orders[orders["amount"].notna() & (orders["amount"] != "")].drop_duplicates("order_id", keep="last")
    orders["cents"] = orders["amount"].str.replace(".", "", regex=False).astype("int64")
    orders["day"] = pd.to_datetime(orders["order_date"]).dt.strftime("%Y-%m-%d")
    for day, part in orders.groupby("day"):
        part.drop(columns="day").to_parquet(place.folder / f"{day}.parquet", index=False)

    revenue = orders.groupby("day", as_index=False).agg(cents=("cents", "sum"), orders=("cents", "size"))
    spend = orders.groupby(["day", "customer_id"], as_index=False).agg(cents=("cents", "sum"))
    for table, frame in (("daily_revenue", revenue), ("daily_revenue_partitioned", spend)):
        frame["cents"] = (frame["cents"] // 100).astype(str) + "." + (frame["cents"] % 100).astype(str).str.zfill(2)
        frame.to_csv(place.folder / table, header=False, index=False)
        place.copy(table, place.folder / table)
