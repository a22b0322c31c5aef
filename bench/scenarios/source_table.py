"""A source table of so many orders: is anything new? And one day of it, changed."""

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from bench.orders import Orders
from bench.places import Place
from orders_pipeline.landing.source_table import snapshot
from orders_pipeline.settings import Settings
from orders_pipeline.storage.postgres import engine_for

TABLE = """
CREATE TABLE orders AS
SELECT 't' || n AS order_id, 'c' || n % 20000 AS customer_id, ((n % 49900 + 100) / 100.0)::numeric(18,2) AS amount,
    timestamp '2016-01-01' + n * interval '1 second' * (:days * 86400.0 / :count) AS order_date
FROM generate_series(0, :count - 1) AS n
"""


def run(place: Place, orders: dict[str, Any]) -> dict[str, Any]:
    history = Orders(**orders)
    engine = engine_for(place.database_url)
    with engine.begin() as connection:
        connection.execute(sa.text(TABLE), {"count": history.count, "days": history.days})
    with engine.connect() as connection:
        started = perf_counter()
        connection.execute(sa.text("SELECT sum(hash_record_extended(t, 0)::numeric) FROM orders AS t")).scalar_one()
        scan = perf_counter() - started
    settings = Settings(source_url=SecretStr(place.database_url))
    with snapshot(settings) as seen, tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        versions = seen.versions()
        fingerprints = perf_counter() - started
        started = perf_counter()
        copied = seen.copy_days([versions[history.days // 2].key], Path(folder))
        one_day = perf_counter() - started
    assert len(copied) == 1
    return {"table_scan": scan, "table_fingerprints": fingerprints, "table_one_day": one_day}
