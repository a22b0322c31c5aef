"""dlt: a merge into Postgres by order id, then SQL for the marts."""

import os
from collections.abc import Iterator
from urllib.parse import quote

import dlt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import sqlalchemy as sa

from bench.places import Place

COLUMNS = ("order_id", "customer_id", "amount", "order_date")
MARTS = """
INSERT INTO daily_revenue SELECT order_date::date, sum(amount::numeric(18,2)), count(*)
FROM bench.orders GROUP BY 1;
INSERT INTO daily_revenue_partitioned SELECT order_date::date, customer_id, sum(amount::numeric(18,2))
FROM bench.orders GROUP BY 1, 2;
"""


def run(place: Place) -> None:
    files = place.fetch()

    @dlt.resource(name="orders", write_disposition="merge", primary_key="order_id")
    def orders() -> Iterator[pa.Table]:
        for number, file in enumerate(files):
            texts = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
            rows = pyarrow.csv.read_csv(file, convert_options=texts)
            rows = rows.filter(pc.not_equal(rows["amount"], ""))
            yield rows.append_column("file", pa.array([number] * rows.num_rows))

    orders.apply_hints(columns={"file": {"dedup_sort": "desc"}})
    url = sa.make_url(place.database_url)
    host = str(url.query.get("host", url.host))  # perhaps a socket's folder
    os.environ.update(DLT_DATA_DIR=str(place.folder / "dlt"), RUNTIME__DLTHUB_TELEMETRY="false")
    credentials = {
        "host": quote(host, safe=""),
        "database": url.database,
        "username": url.username,
        "password": url.password or "-",
    }
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.postgres(credentials),
        dataset_name="bench",
        pipelines_dir=str(place.folder / "dlt"),
    )
    pipeline.run(orders())
    with place.connect() as connection, connection.cursor() as cursor:
        cursor.execute(MARTS)
