"""What others write and this pipeline only reads: the landing zone and the source table, as external assets."""

from typing import Final

import dagster as dg

_GROUP: Final = "sources"
_TAGS: Final = {"domain": "orders", "layer": "source"}

landing_zone: Final = dg.AssetSpec(
    "landing_zone",
    group_name=_GROUP,
    kinds={"s3"},
    tags=_TAGS,
    description="Order files on S3, as their senders put them there: `ORDERS_S3_BUCKET`, under"
    " `ORDERS_LANDING_PREFIX`.\n\nThe pipeline only reads it. `s3_arrival_sensor` lists it every half minute, and"
    " requests a run of `raw_orders` for what is new or changed. Each run that takes files records here how many, and"
    " when the newest of them landed.",
)
source_table: Final = dg.AssetSpec(
    "source_table",
    group_name=_GROUP,
    kinds={"postgres"},
    tags=_TAGS,
    description="Orders in a Postgres table: `ORDERS_SOURCE_TABLE` of the database at `ORDERS_SOURCE_URL`.\n\nThe"
    " pipeline only reads it, each morning and whenever you materialize `raw_orders`. Each of its days is handled like"
    " a file: only days that changed are copied. Each run that finds changed days records here which.",
)
UPSTREAM_OF_RAW_ORDERS: Final = (landing_zone, source_table)
