"""Bare DuckDB."""

import duckdb

from bench.places import Place

CLEAN = """
CREATE TABLE orders AS
SELECT order_id, customer_id, CAST(amount AS DECIMAL(18, 2)) AS amount, CAST(order_date AS TIMESTAMP) AS order_date,
    CAST(order_date AS DATE) AS day
FROM (
    SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY filename DESC) AS version
    FROM read_csv(?, header = true, all_varchar = true, filename = true) WHERE amount <> ''
) WHERE version = 1
"""


def run(place: Place) -> None:
    orders = duckdb.connect(place.folder / "orders.duckdb")
    orders.execute(CLEAN, [[str(file) for file in place.fetch()]])
    orders.execute(f"COPY orders TO '{place.folder / 'clean'}' (FORMAT parquet, PARTITION_BY (day))")
    marts = {
        "daily_revenue": "SELECT day, sum(amount), count(*) FROM orders GROUP BY 1 ORDER BY 1",
        "daily_revenue_partitioned": "SELECT day, customer_id, sum(amount) FROM orders GROUP BY 1, 2 ORDER BY 1",
    }
    for table, query in marts.items():
        orders.execute(f"COPY ({query}) TO '{place.folder / table}' (FORMAT csv, HEADER false)")
        place.copy(table, place.folder / table)
