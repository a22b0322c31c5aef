"""Where contenders work: a database, a bucket and a folder for each, on servers that all share."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import polars as pl
import psycopg2
import sqlalchemy as sa

MARTS = """
CREATE TABLE daily_revenue (order_date date NOT NULL, revenue numeric(38,2) NOT NULL, order_count bigint NOT NULL);
CREATE INDEX ON daily_revenue (order_date);
CREATE TABLE daily_revenue_partitioned (
    order_date date NOT NULL, customer_id text NOT NULL, daily_spend numeric(38,2) NOT NULL
);
CREATE INDEX ON daily_revenue_partitioned (order_date);
"""


@dataclass(frozen=True)
class Place:
    """What a contender is given. It is to fill the marts from the files that landed."""

    database_url: str
    s3_endpoint: str
    bucket: str
    folder: Path

    def fetch(self) -> list[Path]:
        """Bring the landed files here, several at a time."""
        client = self.s3()
        keys = [item["Key"] for item in client.list_objects_v2(Bucket=self.bucket)["Contents"]]
        spool = self.folder / "spool"
        spool.mkdir()

        def download(key: str) -> Path:
            path = spool / Path(key).name
            client.download_file(self.bucket, key, str(path))
            return path

        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(download, keys))

    def connect(self) -> "psycopg2.extensions.connection":
        """A connection to the database."""
        return psycopg2.connect(self.database_url)

    def copy(self, table: str, csv: "os.PathLike[str] | str") -> None:
        """A CSV file without header into a table."""
        with self.connect() as connection, connection.cursor() as cursor, Path(csv).open("rb") as file:
            cursor.copy_expert(f"COPY {table} FROM STDIN WITH (FORMAT csv)", file)

    def s3(self) -> "boto3.client":
        """A client of the S3 server."""
        names = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.s3_endpoint, **names)

    def environment(self) -> dict[str, str]:
        """What the pipeline is told."""
        return {
            "ORDERS_DATABASE_URL": self.database_url,
            "ORDERS_S3_ENDPOINT_URL": self.s3_endpoint,
            "ORDERS_S3_BUCKET": self.bucket,
            "ORDERS_LAKE_URI": str(self.folder / "lake"),
            "ORDERS_HOME": str(self.folder / "home"),
            "ORDERS_START_DATE": "2016-01-01",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextmanager
def place(server_url: str, s3_endpoint: str, name: str) -> Iterator[Place]:
    """A new place, which is removed in the end."""

    def execute(statement: str) -> None:
        connection = psycopg2.connect(server_url)
        connection.autocommit = True  # a database is created outside of transactions
        connection.cursor().execute(statement)
        connection.close()

    execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    execute(f"CREATE DATABASE {name}")
    url = sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with TemporaryDirectory(prefix=f"orders-bench-{name}-") as folder:
        made = Place(url, s3_endpoint, f"bench-{name.replace('_', '-')}", Path(folder))
        client = made.s3()
        client.create_bucket(Bucket=made.bucket)
        with made.connect() as connection, connection.cursor() as cursor:
            cursor.execute(MARTS)
        try:
            yield made
        finally:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=made.bucket):
                for item in page.get("Contents", []):
                    client.delete_object(Bucket=made.bucket, Key=item["Key"])
            client.delete_bucket(Bucket=made.bucket)
            execute(f"DROP DATABASE {name} WITH (FORCE)")


def land(made: Place, files: list[Path]) -> None:
    """Upload files to the landing zone."""
    client = made.s3()
    for file in files:
        client.upload_file(str(file), made.bucket, f"landing/{file.name}")


def land_frame(made: Place, name: str, rows: pl.DataFrame) -> None:
    """Upload rows as a file."""
    made.s3().put_object(Bucket=made.bucket, Key=f"landing/{name}.csv", Body=rows.write_csv().encode())
