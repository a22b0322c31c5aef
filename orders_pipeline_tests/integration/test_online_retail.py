"""The 305 files of a real shop, by the commands of the README: every known total, to the cent."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import pandas as pd
import pytest
import sqlalchemy as sa

from orders_pipeline.storage import embedded
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.support.online_retail import (
    FILES,
    ONLINE_RETAIL,
    assert_all_rejects,
    assert_all_totals,
    totals_of,
)
from orders_pipeline_tests.support.servers import s3_server, tcp_postgres

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not ONLINE_RETAIL.is_dir(), reason="the real orders (../shared/data/online_retail) are not beside this checkout"
    ),
]

COMMAND = str(Path(sys.executable).parent / "orders-pipeline")
START = {"ORDERS_START_DATE": "2010-12-01"}


class Shop:
    """A working directory and an environment, in which commands are called."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **START, **environment}

    def call(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.call("status", "--json"))
        return found

    def query(self, query: str) -> pd.DataFrame:
        url = self.environment.get("ORDERS_DATABASE_URL") or embedded.postgres_url(self.folder / ".orders")
        with engine_for(url).connect() as connection:
            return pd.read_sql_query(sa.text(query), connection, coerce_float=False)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the marts, in an order of their own."""
        return {
            table: sorted(self.query(f"SELECT * FROM analytics.{table}").itertuples(index=False, name=None), key=str)
            for table in ("daily_revenue", "daily_revenue_partitioned", "rejected_orders")
        }


@pytest.fixture
def embedded_shop() -> Iterator[Shop]:
    """Nothing set but the start date."""
    with TemporaryDirectory(prefix="orders-shop-") as folder:
        shop = Shop(Path(folder), {})
        yield shop
        assert "Stopped: " in shop.call("stop")


@pytest.fixture
def external_shop() -> Iterator[Shop]:
    """Postgres over TCP and S3 behind an endpoint, set by the environment alone."""
    with TemporaryDirectory(prefix="orders-shop-") as folder, tcp_postgres() as database, s3_server() as endpoint:
        credentials = {"AWS_ACCESS_KEY_ID": "shop", "AWS_SECRET_ACCESS_KEY": "shop", "AWS_DEFAULT_REGION": "eu-west-1"}
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="x",
            aws_secret_access_key="x",
            region_name="eu-west-1",
        )
        client.create_bucket(Bucket="shop-data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        environment = {
            "ORDERS_DATABASE_URL": database,
            "ORDERS_S3_ENDPOINT_URL": endpoint,
            "ORDERS_S3_BUCKET": "shop-data",
            "ORDERS_LANDING_PREFIX": "incoming/orders",
            "ORDERS_LAKE_URI": str(Path(folder) / "lake"),
            **credentials,
        }
        yield Shop(Path(folder), environment)


def test_the_totals_that_are_looked_for_are_the_known_ones() -> None:
    known = json.loads((ONLINE_RETAIL / "EXPECTED.json").read_text())
    assert totals_of(FILES).items() <= known.items()


def test_all_totals_on_the_embedded_services(embedded_shop: Shop) -> None:
    shop = embedded_shop
    assert len(shop.call("land", *FILES).splitlines()) >= len(FILES) == 305
    said = shop.call("sync")
    assert "Up to date" in said
    assert_all_totals(shop)
    assert_all_rejects(shop, "landing/")
    # The two days of big orders; test_plausibility has the holidays too, on which nothing is built.
    assert "check revenue_is_plausible WARN: Revenue is far from usual on 2 of 275 days: 2011-09-20 (Tuesday)" in said
    assert "; 2011-08-17 (Wednesday) 46,481" in said
    assert not {check for check in ("no_order_replaces_another", "repeated_orders_agree") if check in said}
    status = shop.status()
    assert status["files"] == {"pending": 0, "loaded": 305, "quarantined": 0, "ignored": 0, "failing": 0}
    assert not any(status["stale_days"].values())

    assert "Nothing to do" in shop.call("sync")

    twice = FILES[:30]
    shop.call("land", *twice, "--prefix", "again")
    shop.call("sync")
    assert_all_totals(shop)
    assert shop.status()["files"]["loaded"] == 305 + len(twice)


def test_totals_on_external_services(external_shop: Shop) -> None:
    """Of the last weeks alone: what is asked is whether the environment suffices."""
    shop, files = external_shop, FILES[-40:]
    shop.call("land", *files)
    assert "Up to date" in shop.call("sync")
    assert_all_totals(shop, files)
    assert_all_rejects(shop, "incoming/orders/", files)
    before = shop.tables()

    assert "Nothing to do" in shop.call("sync")
    assert shop.tables() == before
    assert sorted(path.name for path in (shop.folder / ".orders").iterdir()) == ["dagster"], "no embedded service"
