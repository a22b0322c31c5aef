"""States of a pipeline in which there is much to do, and every state of the tables that a reader may see on the way."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain, combinations
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.support.driver import HEADER, Pipeline, gzipped
from orders_pipeline_tests.support.oracle import NEVER, Oracle, Tables
from orders_pipeline_tests.support.places import client_of, database_of, new_bucket, new_database, variables

TABLE = "CREATE TABLE orders (order_id text, customer_id text, amount numeric(18,2), order_date timestamp)"

# One row in six or so is rejected; "x" files are set aside whole.
FIRST = {
    "a.csv": [
        "1,ann,1.10,2026-03-04",
        "2,bob,2.20,2026-03-04",
        "3,ann,3.30,2026-03-05T23:59:59",
        "4,,4,2026-03-05",
        "5,eve,5.50,2026-04-01",
    ],
    "b.csv": ["2,bob,2.00,2026-03-06", "6,ann,6.60,2026-03-06", "7,bob,x,2026-03-06"],
    "c.csv": ["8,ann,8.80,2026-03-07"],
}
CORRECTIONS = {
    "a.csv": ["1,ann,1.11,2026-03-05", "3,ann,3.30,2026-03-05T23:59:59", "9,eve,0.09,2026-03-08", "4,,4,2026-03-05"],
    "b.csv": ["2,bob,2.00,2026-03-06", "6,ann,6.60,2026-03-06", "7,bob,x,2026-03-06"],  # the same bytes again
    "d.csv": ["8,eve,-8.08,2026-03-09", "10,ann,10,2026-03-04", "10,ann,10.10,2026-03-04"],
    "e.csv": ["11,bob,11"],
}
BROKEN = {"x.csv": b"order_id,amount\n1,2\n", "x.csv.gz": gzipped(b"order_id,customer_id\n" * 9)[:-9], "empty.csv": b""}

# Polars asks S3 again once, at once.
IN_A_HURRY = {
    "POLARS_CLOUD_MAX_RETRIES": "1",
    "POLARS_CLOUD_RETRY_INIT_BACKOFF_MS": "1",
    "POLARS_CLOUD_RETRY_MAX_BACKOFF_MS": "1",
}


Inject = Callable[[str, str], None]  # the fixture `injected`: a fault, and what held after it
Version = tuple[str, bytes, datetime]  # key, content, when it landed


@dataclass(frozen=True)
class Scenario:
    """A pipeline with work to do, kept as a database to copy, a lake to copy and a bucket that is only read."""

    name: str
    services: Path
    database: str
    lake: Path
    bucket: str
    seen: list[Tables]  # what readers may see of a day or a file on the way
    end: Tables
    rows: dict[str, tuple[int, int]]  # key of each file that counts in the end: rows, clean rows

    @contextmanager
    def again(self, folder: Path) -> Iterator[dict[str, str]]:
        """The environment of a copy of it, to be broken."""
        with new_database(self.services, self.database) as url:
            found = variables(self.services, url, self.bucket, folder)
            shutil.copytree(self.lake, found["ORDERS_LAKE_URI"], dirs_exist_ok=True)
            try:
                yield found
            finally:
                shutil.rmtree(found["ORDERS_LAKE_URI"])

    @contextmanager
    def again_on_s3(self, folder: Path, endpoint: str) -> Iterator[dict[str, str]]:
        """The same, its lake in the bucket, and all of S3 behind another endpoint."""
        root = f"lake-{uuid4().hex}"
        client = client_of(self.services)
        for path in self.lake.rglob("*.parquet"):
            client.upload_file(str(path), self.bucket, f"{root}/{path.relative_to(self.lake)}")
        with self.again(folder) as environment:
            lake = f"s3://{self.bucket}/{root}"
            yield {**environment, **IN_A_HURRY, "ORDERS_LAKE_URI": lake, "ORDERS_S3_ENDPOINT_URL": endpoint}


@contextmanager
def first_load(services: Path, template: str, folder: Path) -> Iterator[Scenario]:
    """Everything is there, nothing is taken yet."""

    def prepare(pipeline: Pipeline, states: "_States") -> None:
        for key, rows in FIRST.items():
            pipeline.land_rows(key, *rows)
        _make_table(pipeline)
        states.see_all()

    with _scenario("first load", services, template, folder, prepare) as scenario:
        yield scenario


@contextmanager
def corrections(services: Path, template: str, folder: Path) -> Iterator[Scenario]:
    """Files were overwritten, sent again, added and broken; table rows changed, moved and went."""

    def prepare(pipeline: Pipeline, states: "_States") -> None:
        for key, rows in FIRST.items():
            pipeline.land_rows(key, *rows)
        _make_table(pipeline)
        states.see_all()
        assert pipeline.sync().is_complete
        for key, rows in CORRECTIONS.items():
            pipeline.land_rows(key, *rows)
        for key, content in BROKEN.items():
            pipeline.land(key, content)
        pipeline.execute("UPDATE orders SET amount = 20.02 WHERE order_id = 't1'")
        pipeline.execute("UPDATE orders SET order_date = '2026-03-10' WHERE order_id = 't2'")
        pipeline.execute("DELETE FROM orders WHERE order_id = 't3'")
        states.see_all()

    with _scenario("corrections", services, template, folder, prepare) as scenario:
        yield scenario


SCENARIOS: dict[str, Callable[[Path, str, Path], Any]] = {"first load": first_load, "corrections": corrections}


class _States:
    """The oracle, asked for the tables after every commit that may come: any version may have to wait for another sync,
    and keeps none of the others waiting."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.oracle = Oracle(ZoneInfo("UTC"), date(2026, 1, 1), datetime.now(UTC).date())
        self.seen: list[Tables] = []

    def see_all(self) -> None:
        """All that is news now: each part of it, and at the end the whole."""
        before, days = self.oracle, self._days()
        news = [version for version in [*self._files(), *days] if before.is_news(*version)]
        gone = [key for key in before.active if key.startswith("table:") and key not in {key for key, *_ in days}]
        self.seen = []
        for taken in chain.from_iterable(combinations(news, size) for size in range(len(news) + 1)):
            self.oracle = deepcopy(before)
            for version in taken:
                self.oracle.see(*version)
            self._note()
            for key in gone:  # after what came, one by one
                self.oracle.retract(key)
                self._note()

    def _note(self) -> None:
        if (tables := self.oracle.tables()) not in self.seen:
            self.seen.append(tables)

    def _files(self) -> list[Version]:
        client = s3.client()
        listed = client.list_objects_v2(Bucket=s3.bucket, Prefix=s3.prefix)["Contents"]
        bodies = [client.get_object(Bucket=s3.bucket, Key=item["Key"]) for item in listed]
        return [
            (item["Key"], body["Body"].read(), body["LastModified"].astimezone(UTC))
            for item, body in zip(listed, bodies, strict=True)
        ]

    def _days(self) -> list[Version]:
        days: dict[str, bytes] = {}
        rows = self._pipeline.query("SELECT order_date::date::text, o::text, * FROM orders o ORDER BY 1, 2")
        for day, _, *fields in rows:
            days.setdefault(f"table:orders/{day}", f"{HEADER}\n".encode())
            days[f"table:orders/{day}"] += (",".join(str(field) for field in fields) + "\n").encode()
        return [(key, content, NEVER) for key, content in days.items()]


def _make_table(pipeline: Pipeline) -> None:
    pipeline.execute(TABLE)
    pipeline.execute(
        "INSERT INTO orders VALUES ('t1', 'ann', 20, '2026-03-04'), ('t2', 'bob', 30.30, '2026-03-05'),"
        " ('t3', 'eve', 40.40, '2026-03-11'), ('6', 'ann', 1, '2026-03-01')"  # a file holds order 6 too, and wins
    )


@contextmanager
def _scenario(
    name: str, services: Path, template: str, folder: Path, prepare: Callable[[Pipeline, _States], None]
) -> Iterator[Scenario]:
    with (
        new_database(services, template) as url,
        pytest.MonkeyPatch.context() as environment,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        found = variables(services, url, new_bucket(services), folder)
        for variable, value in found.items():
            environment.setenv(variable, value)
        pipeline = Pipeline(folder, instance)
        states = _States(pipeline)
        prepare(pipeline, states)
        engine_for(url).dispose()  # a database in use cannot be copied
        lake = Path(found["ORDERS_LAKE_URI"])
        lake.mkdir(exist_ok=True)
        rows = {
            key: (len(file.orders) + len(file.rejects), len(file.orders)) for key, file in states.oracle.active.items()
        }
        bucket, end = found["ORDERS_S3_BUCKET"], states.oracle.tables()
        yield Scenario(name, services, database_of(url), lake, bucket, states.seen, end, rows)


@contextmanager
def at(environment: dict[str, str], folder: Path, instance: dg.DagsterInstance) -> Iterator[Pipeline]:
    """This process, in the places that another process worked in."""
    with pytest.MonkeyPatch.context() as patched:
        for variable, value in environment.items():
            patched.setenv(variable, value)
        yield Pipeline(folder, instance)
