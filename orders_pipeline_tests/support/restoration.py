"""A pipeline whose Postgres is taken back to an older backup, while S3, the lake and the source table have gone on."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.engine import make_url

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.oracle import NEVER, Oracle, Tables
from orders_pipeline_tests.support.places import database_of, new_database

DAY = "2026-03-04"
TABLE = "CREATE TABLE orders (order_id text, customer_id text, amount numeric(18,2), order_date timestamp)"


@dataclass
class Restoration:
    """What lands is shown to the oracle too, so that it knows what the tables should hold in the end."""

    pipeline: Pipeline
    services: Path
    source: str  # URL of the database of the source table, which nobody restores
    oracle: Oracle = field(default_factory=lambda: Oracle(ZoneInfo("UTC"), date(2026, 1, 1), datetime.now(UTC).date()))

    def land(self, key: str, *rows: str) -> str:
        """A file of these rows, under its whole key."""
        return self.land_bytes(key, "\n".join([HEADER, *rows, ""]).encode())

    def land_bytes(self, key: str, content: bytes) -> str:
        """Any bytes, under their whole key."""
        whole = self.pipeline.land(key, content)
        landed = s3.current(whole)
        assert landed is not None
        self.oracle.see(whole, content, landed.last_modified)
        return whole

    def change_table(self, statement: str) -> None:
        """Change the source table."""
        with engine_for(self.source).begin() as transaction:
            transaction.exec_driver_sql(statement)
            rows = transaction.exec_driver_sql("SELECT order_date::date, * FROM orders").all()
        days: defaultdict[str, bytes] = defaultdict(f"{HEADER}\n".encode)
        for day, *fields in rows:
            days[f"table:orders/{day}"] += (",".join(map(str, fields)) + "\n").encode()
        self.oracle.see_table(days)
        assert set(days.values()) <= {file.content for file in self.oracle.active.values()}
        assert all(file.ranked_at == NEVER for key, file in self.oracle.active.items() if key in days)

    def expire(self, *keys: str) -> None:
        """Files leave the landing zone, as by a lifecycle rule."""
        for key in keys:
            self.pipeline.remove(key)

    @contextmanager
    def backup(self) -> Iterator[str]:
        """A copy of the database as it is now: name it in ORDERS_DATABASE_URL to have it restored."""
        postgres.engine().dispose()  # a database in use cannot be copied
        with new_database(self.services, database_of(postgres.engine().url.render_as_string())) as url:
            yield url

    def lose_what_counts_no_more(self) -> None:
        """What a vacuum deletes in the end: all that the ledger of now does not name."""
        named = {
            path
            for (path,) in self.pipeline.query(
                "SELECT path FROM ledger.landed_files WHERE active UNION SELECT path FROM ledger.built_days"
            )
        }
        for name in set(s3.lake().objects()) - named:
            s3.lake().delete(name)

    def assert_exact(self) -> None:
        """All tables, raw orders and both chains, are what the oracle says."""
        expected = self.oracle.tables()
        found = Tables(
            self.pipeline.orders("cleaned_orders"),
            self.pipeline.revenue(),
            self.pipeline.spend(),
            sorted(row[:3] for row in self.pipeline.rejected()),
            self.pipeline.superseded(),
        )
        assert found == expected
        assert self.pipeline.orders("daily_orders") == expected.orders
        counted = self.pipeline.query("SELECT key, rows, clean_rows, ranked_at FROM ledger.landed_files WHERE active")
        assert {key: tuple(rest) for key, *rest in counted} == {
            key: (len(file.orders) + len(file.rejects), len(file.orders), file.ranked_at)
            for key, file in self.oracle.active.items()
        }


@contextmanager
def beginning(pipeline: Pipeline, services: Path, environment: pytest.MonkeyPatch) -> Iterator[Restoration]:
    """An empty pipeline with a source table in a database of its own."""
    with new_database(services, "template1") as source:
        environment.setenv("ORDERS_SOURCE_URL", make_url(source).render_as_string(hide_password=False))
        with engine_for(source).begin() as transaction:
            transaction.exec_driver_sql(TABLE)
        yield Restoration(pipeline, services, source)
        engine_for(source).dispose()


def before_the_backup(restoration: Restoration) -> None:
    """What the backup knows, once it is loaded."""
    restoration.land("a.csv", f"1,ann,1.10,{DAY}", f"2,bob,2.20,{DAY}", f"3,,3.30,{DAY}")
    restoration.land("b.csv", "4,ann,4.40,2026-03-05", "5,bob,5.50,2026-03-06")
    restoration.land("c.csv", "6,ann,6.60,2026-03-07")
    restoration.land("kept.csv", "7,ann,7.70,2026-03-08")
    restoration.land_bytes("broken.csv", b"nonsense\n")
    restoration.change_table(f"INSERT INTO orders VALUES ('t1', 'eve', 20, '{DAY}'), ('t2', 'eve', 30.3, '2026-03-05')")


def after_the_backup(restoration: Restoration) -> None:
    """Corrections, new files, and a landing zone that is emptied but for a few."""
    restoration.land("a.csv", "1,ann,1.11,2026-03-05", f"2,bob,x,{DAY}")  # moves, and is rejected
    restoration.land("b.csv", "4,ann,4.41,2026-03-05", "5,bob,5.50,2026-03-06")  # S3 still has it
    restoration.land("c.csv")  # a header alone takes the orders back
    restoration.land("new.csv", "8,ann,8.80,2026-03-09", "7,bob,7.77,2026-03-10")  # and has an order of kept.csv's
    restoration.land("here.csv", "9,ann,9.90,2026-03-09")
    restoration.land("worse.csv", "10,ann,10.10,2026-03-09")
    restoration.change_table(f"UPDATE orders SET amount = 21 WHERE order_date = '{DAY}'")
    restoration.change_table("UPDATE orders SET order_date = '2026-03-11' WHERE order_id = 't2'")
    assert restoration.pipeline.sync().is_complete
    restoration.land_bytes("worse.csv", b"no orders\n")  # the readable version before it still counts
    assert restoration.pipeline.sync().is_complete
    restoration.expire("a.csv", "c.csv", "new.csv", "kept.csv")


def keys(adopted: str) -> list[str]:
    """The keys that a recovery says it adopted."""
    start = "  adopted from the lake: "
    return [line.removeprefix(start).split(" (")[0] for line in adopted.splitlines() if line.startswith(start)]
