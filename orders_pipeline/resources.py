"""PostgresResource and S3Resource: where tables and files are. Settings come from the environment at first use, so
that no secret is part of a resource's displayed configuration."""

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
from orders_pipeline.settings import EMBEDDED_BUCKET, read_settings
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
        """A pooled SQLAlchemy engine, shared in this process."""
        return engine_for(database_url(read_settings()))

    def ledger(self) -> Engine:
        """The same engine, once the schemas `ledger` and `analytics` are up to date."""
        engine = self.engine()
        migrate(engine)
        return engine

    def read_table(self, table: str, schema: str | None = "analytics") -> "pd.DataFrame":
        """A whole table as a pandas frame; numerics are `Decimal`, never float."""
        import pandas as pd

        with self.engine().connect() as connection:
            everything = sa.select(sa.text("*")).select_from(sa.table(table, schema=schema))
            return pd.read_sql_query(everything, connection, coerce_float=False)

    def read_query(self, query: str, parameters: Mapping[str, Any] | None = None) -> "pd.DataFrame":
        """The rows of a query as a pandas frame. Values are bound: write `:name` and pass `{"name": value}`."""
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
        """Write a pandas frame to a table, made if it is missing, with COPY and in one transaction.

        Returns:
            The number of rows written.
        """
        import polars as pl

        rows = pl.from_pandas(frame)
        with self.engine().begin() as connection:
            types: Any = postgres_types(rows)  # pandas-stubs know no mapping of SQLAlchemy types
            frame.head(0).to_sql(table, connection, schema=schema, if_exists=mode, index=False, dtype=types)
            return copy_frame(connection, schema, table, rows)


class S3Resource(dg.ConfigurableResource):  # type: ignore[type-arg]  # dagster's own example has no argument
    """The landing zone: ORDERS_S3_BUCKET under ORDERS_LANDING_PREFIX, or a bucket of the embedded S3 server."""

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return read_settings().s3_bucket or EMBEDDED_BUCKET

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
        """All objects of the landing zone after a key, in key order, a page (up to 1,000) at a time. Left out are those
        whose key has a U+0000, which Postgres cannot hold.

        `hurried`: rather give up than let a page take more than half a minute.

        Raises:
            ServiceUnavailableError: S3 did not answer; never to be read as an empty listing.
        """
        client, bucket, prefix = landing_client(read_settings(), hurried=hurried), self.bucket, self.prefix
        with outages(f"list s3://{bucket}/{prefix}"):
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
        """The version that S3 holds of a key now; None where it holds none."""
        bucket = self.bucket
        try:
            with outages(f"check s3://{bucket}/{key}"):
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
        """Fetch exactly this version into a file.

        Raises:
            ObjectChangedError: the object is gone or is another version by now.
            ArchivedError: the object has to be restored first.
            ServiceUnavailableError: S3 did not answer, or ended early.
        """
        client, address = self.client(), f"s3://{version.bucket}/{version.key}"
        with outages(f"get {address}"):
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
        """Make sure that S3 still holds this version.

        Raises:
            ObjectChangedError: the object is gone or is another version by now.
            ServiceUnavailableError: S3 did not answer.
        """
        with outages(f"check s3://{version.bucket}/{version.key}"):
            self.client().head_object(Bucket=version.bucket, Key=version.key, IfMatch=f'"{version.etag}"')

    def upload(self, source: Path, key: str) -> None:
        """Put a file under a key of the landing zone's bucket."""
        with outages(f"put s3://{self.bucket}/{key}"):
            self.client().upload_file(str(source), self.bucket, key)


def _is_storable(key: str) -> bool:
    if "\0" in key:
        _log.warning("Skipped an object: Postgres cannot store its key: %s", printable(key))
        return False
    return True
