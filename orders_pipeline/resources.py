"""The Dagster resources: `PostgresResource` for tables, `S3Resource` for files.

Both read their settings from the environment at first use, so the configuration that Dagster shows has no secrets. Each
method raises SettingsError if the environment is invalid, and ServiceStartError if an embedded server does not start.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import dagster as dg
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from orders_pipeline.column_types import postgres_types
from orders_pipeline.errors import ArchivedError, ObjectChangedError, ServiceUnavailableError
from orders_pipeline.ledger.migrate import migrate
from orders_pipeline.ledger.versions import FileVersion, is_side_file
from orders_pipeline.settings import read_settings
from orders_pipeline.storage.lake import Lake, open_lake
from orders_pipeline.storage.postgres import copy_frame, database_url, engine_for
from orders_pipeline.storage.s3 import MAY_BE_ARCHIVED, is_archived, landing_client, outages
from orders_pipeline.text import printable

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_s3 import S3Client

_log: Final = logging.getLogger(__name__)


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # dagster's own example has no argument
    """The Postgres of ORDERS_DATABASE_URL, or the embedded one: ledger, marts, and by default the source table."""

    def engine(self) -> Engine:
        """The SQLAlchemy engine of this process, with a pool of connections.

        Raises:
            SettingsError: ORDERS_DATABASE_URL is not a URL of a Postgres. At the first connection: a pooler in
                transaction mode answers.
        """
        return engine_for(database_url(read_settings()))

    def ledger(self) -> Engine:
        """The engine, after the missing migrations of the schemas `ledger` and `analytics`.

        Raises:
            OrdersPipelineError: Postgres is older than 14, the database is not UTF-8, or the role lacks rights.
        """
        engine = self.engine()
        migrate(engine)
        return engine

    def read_table(self, table: str, schema: str | None = "analytics") -> "pd.DataFrame":
        """All rows of a table, as a pandas frame with the table's columns. Numerics are `Decimal`, never float.
        `schema`: None searches Postgres's `search_path`.

        Raises:
            sqlalchemy.exc.DBAPIError: there is no such table, or Postgres did not answer.
        """
        import pandas as pd

        with self.engine().connect() as connection:
            everything = sa.select(sa.text("*")).select_from(sa.table(table, schema=schema))
            return pd.read_sql_query(everything, connection, coerce_float=False)

    def read_query(self, query: str, parameters: Mapping[str, Any] | None = None) -> "pd.DataFrame":
        """The rows of a query, as a pandas frame. Numerics are `Decimal`, never float.

        Args:
            query: SQL; write a value as `:name`.
            parameters: the values, as `{"name": value}`. They are quoted, so any text is safe.

        Raises:
            sqlalchemy.exc.DBAPIError: the query failed, or Postgres did not answer.
        """
        import pandas as pd

        with self.engine().connect() as connection:
            return pd.read_sql_query(sa.text(query), connection, params=dict(parameters or {}), coerce_float=False)

    def write_table(
        self,
        frame: "pd.DataFrame",
        table: str,
        schema: str | None = "public",
        mode: Literal["append", "replace", "fail"] = "append",
    ) -> int:
        """Write a pandas frame to a table, with COPY, in one transaction. Creates the table if it is missing.

        Args:
            frame: its columns must be columns of the table. The index is not written.
            table: name of the table.
            schema: schema of the table; None: the first of Postgres's `search_path`.
            mode: what to do if the table exists: add rows, drop and create it, or fail.

        Returns:
            The number of rows written.

        Raises:
            ValueError: `mode` is "fail", and the table exists.
            sqlalchemy.exc.DBAPIError: a row does not fit the table, or Postgres did not answer. Nothing is written.
        """
        import polars as pl

        rows = pl.from_pandas(frame)
        with self.engine().begin() as connection:
            types: Any = postgres_types(rows)  # pandas-stubs know no mapping of SQLAlchemy types
            frame.head(0).to_sql(table, connection, schema=schema, if_exists=mode, index=False, dtype=types)
            return copy_frame(connection, schema, table, rows)


class S3Resource(dg.ConfigurableResource):  # type: ignore[type-arg]  # dagster's own example has no argument
    """The landing zone: the keys under ORDERS_LANDING_PREFIX in ORDERS_S3_BUCKET, or in a bucket of the embedded S3."""

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return read_settings().landing_bucket

    @property
    def prefix(self) -> str:
        """Key prefix of the landing zone, with its final slash."""
        return read_settings().landing_prefix

    def client(self) -> "S3Client":
        """A boto3 client with the timeouts and retries of this pipeline."""
        return landing_client(read_settings())

    def lake(self) -> Lake:
        """The lake of ORDERS_LAKE_URI: a folder, or an S3 prefix outside the landing zone."""
        return open_lake(read_settings().lake, self.client)

    def list_pages(self, start_after: str = "", *, hurried: bool = False) -> Iterator[list[FileVersion]]:
        """The versions in the landing zone in key order, in pages of up to 1,000. Skips keys with U+0000, which
        Postgres cannot store.

        Args:
            start_after: list only keys after this one.
            hurried: give up if a page takes longer than half a minute.

        Raises:
            ServiceUnavailableError: S3 did not answer. The listing is incomplete, not empty.
        """
        client, bucket, prefix = landing_client(read_settings(), hurried=hurried), self.bucket, self.prefix
        with outages(f"list s3://{bucket}/{prefix}", bucket):
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, StartAfter=start_after
            )
            for page in pages:
                yield [
                    FileVersion(
                        bucket=bucket,
                        key=item["Key"],
                        etag=item["ETag"].strip('"'),
                        size=item["Size"],
                        last_modified=item["LastModified"].astimezone(UTC).replace(microsecond=0),
                        is_side_file=is_side_file(item["Key"], prefix),
                        may_be_archived=item.get("StorageClass") in MAY_BE_ARCHIVED,
                    )
                    for item in page.get("Contents", [])
                    if _is_storable(item["Key"])
                ]

    def current(self, key: str) -> FileVersion | None:
        """The version that S3 has of a key now. None: it has none.

        Raises:
            ServiceUnavailableError: S3 did not answer.
        """
        bucket = self.bucket
        try:
            with outages(f"check s3://{bucket}/{key}", bucket):
                head = self.client().head_object(Bucket=bucket, Key=key)
        except ObjectChangedError:
            return None
        return FileVersion(
            bucket=bucket,
            key=key,
            etag=head["ETag"].strip('"'),
            size=head["ContentLength"],
            last_modified=head["LastModified"].astimezone(UTC).replace(microsecond=0),
            is_side_file=is_side_file(key, self.prefix),
            may_be_archived=head.get("StorageClass") in MAY_BE_ARCHIVED,
        )

    def download(self, version: FileVersion, target: Path) -> None:
        """Write the bytes of exactly this version to a file, 1 MiB at a time.

        Raises:
            ObjectChangedError: the object is gone, or is another version now.
            ArchivedError: the object must be restored first.
            ServiceUnavailableError: S3 did not answer, or sent too few bytes.
        """
        client, address = self.client(), f"s3://{version.bucket}/{version.key}"
        with outages(f"get {address}", version.bucket):
            etag = f'"{version.etag}"'
            if version.may_be_archived and is_archived(
                client.head_object(Bucket=version.bucket, Key=version.key, IfMatch=etag)
            ):
                raise ArchivedError(f"{address} is archived.")
            answer = client.get_object(Bucket=version.bucket, Key=version.key, IfMatch=etag)
            with target.open("wb") as spool:
                for chunk in answer["Body"].iter_chunks(1 << 20):
                    spool.write(chunk)
        if (length := target.stat().st_size) != version.size:
            raise ServiceUnavailableError(f"S3 sent {length} of the {version.size} bytes of {address}; try again.")

    def confirm(self, version: FileVersion) -> None:
        """Check that S3 still has this version.

        Raises:
            ObjectChangedError: the object is gone, or is another version now.
            ServiceUnavailableError: S3 did not answer.
        """
        with outages(f"check s3://{version.bucket}/{version.key}", version.bucket):
            self.client().head_object(Bucket=version.bucket, Key=version.key, IfMatch=f'"{version.etag}"')

    def upload(self, source: Path, key: str) -> None:
        """Upload a file to the landing zone's bucket. `key`: the whole key, with the prefix.

        Raises:
            ServiceUnavailableError: S3 did not accept it.
        """
        with outages(f"put s3://{self.bucket}/{key}", self.bucket):
            self.client().upload_file(str(source), self.bucket, key)


def _is_storable(key: str) -> bool:
    if "\0" in key:
        _log.warning("Skipped an object: Postgres cannot store its key: %s", printable(key))
        return False
    return True
