"""Places of a test's own: a database, a bucket and a lake, on servers that all tests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.migrate import migrate
from orders_pipeline.storage import embedded
from orders_pipeline.storage.postgres import engine_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TEST_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def new_database(services: Path, template: str) -> Iterator[str]:
    """URL of a copy of a database to which nobody is connected; it is dropped in the end."""
    name = f"test_{uuid4().hex}"
    url = sa.make_url(embedded.postgres_url(services)).set(database=name).render_as_string(False)
    with _server(services) as server:
        server.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield url
    engine_for(url).dispose()
    with _server(services) as server:
        server.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


def trust_the_power(services: Path) -> None:
    """Let Postgres leave its bytes to the operating system: a process may be killed at any point of a test, the machine
    is not, and waiting for the disk would take a good part of the time."""
    with _server(services) as server:
        server.execute(sa.text("ALTER SYSTEM SET fsync = off"))
        # Each new database is a checkpoint, and each page would be written whole after it.
        server.execute(sa.text("ALTER SYSTEM SET full_page_writes = off"))
        server.execute(sa.text("SELECT pg_reload_conf()"))


def database_of(url: str) -> str:
    """The name of a URL's database."""
    return str(sa.make_url(url).database)


def migrated_database(services: Path) -> str:
    """The name of a new database with the schemas in place, to be copied."""
    name = f"template_{uuid4().hex}"
    with _server(services) as server:
        server.execute(sa.text(f"CREATE DATABASE {name}"))
    engine = engine_for(sa.make_url(embedded.postgres_url(services)).set(database=name).render_as_string(False))
    migrate(engine)
    engine.dispose()
    return name


def new_bucket(services: Path) -> str:
    """The name of a new, empty bucket."""
    name = f"test-{uuid4().hex}"
    client_of(services).create_bucket(Bucket=name)
    return name


@lru_cache(maxsize=1)  # making one takes as long as many requests
def client_of(services: Path) -> "S3Client":
    """A client of the S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=embedded.s3_endpoint(services),
        aws_access_key_id=TEST_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=TEST_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=TEST_CREDENTIALS["AWS_DEFAULT_REGION"],
    )


def variables(services: Path, database_url: str, bucket: str, folder: Path) -> dict[str, str]:
    """The environment of a pipeline in these places; its lake and home are in the folder."""
    return {
        "ORDERS_DATABASE_URL": database_url,
        "ORDERS_S3_ENDPOINT_URL": embedded.s3_endpoint(services),
        "ORDERS_S3_BUCKET": bucket,
        "ORDERS_LAKE_URI": str(folder / "lake"),
        "ORDERS_HOME": str(folder / "home"),
        **TEST_CREDENTIALS,
    }


@contextmanager
def _server(services: Path) -> Iterator[Connection]:
    with engine_for(embedded.postgres_url(services)).connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")
