"""`orders-pipeline relocate`: files of another bucket or prefix are the same files, whatever was loaded before.

In each test the oracle sees every version of a file under the name that it has in the end."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from orders_pipeline.cli.sync import Synced
from orders_pipeline.definitions import s3
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline, put_in_parts
from orders_pipeline_tests.support.oracle import Oracle
from orders_pipeline_tests.support.places import new_bucket, new_database

CHECK = "files_are_in_the_landing_zone"
DAY = "2026-03-04"


def csv(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


@dataclass
class Move:
    """A landing zone that moves, and what its files should come to, by their names below the prefix."""

    pipeline: Pipeline
    services: Path
    environment: pytest.MonkeyPatch
    oracle: Oracle = field(default_factory=lambda: Oracle(ZoneInfo("UTC"), date(2026, 1, 1), datetime.now(UTC).date()))

    def __post_init__(self) -> None:
        self.old = self.place

    @property
    def place(self) -> str:
        """The landing zone."""
        return f"s3://{s3.bucket}/{s3.prefix}"

    def land(self, name: str, *rows: str) -> None:
        self.put(name, csv(*rows))

    def put(self, name: str, content: bytes, *, in_parts: bool = False) -> None:
        """Put an object into the landing zone of now. The oracle knows files by their names below the prefix."""
        if in_parts:
            put_in_parts(f"{s3.prefix}{name}", content)
        else:
            self.pipeline.land(name, content)
        head = s3.current(f"{s3.prefix}{name}")
        assert head is not None
        self.oracle.see(name, content, head.last_modified, head.etag)

    def to(self, prefix: str | None = None, *, is_other_bucket: bool = True) -> str:
        """Configure another landing zone, and return its place. Nothing is copied."""
        if is_other_bucket:
            self.environment.setenv("ORDERS_S3_BUCKET", new_bucket(self.services))
        if prefix is not None:
            self.environment.setenv("ORDERS_LANDING_PREFIX", prefix)
        return self.place

    def relocate(self, *options: str) -> str:
        done = call("relocate", self.old, self.place, *options)
        assert done.exit_code == 0, done.output
        return done.output

    def sync(self) -> Synced:
        synced = self.pipeline.sync()
        assert synced.is_complete, synced
        return synced

    def assert_exact(self) -> None:
        """All tables are what the oracle says, nothing is left to do, and no file counts elsewhere."""
        assert self.pipeline.sync().runs == 0
        expected, pipeline, prefix = self.oracle.tables(), self.pipeline, s3.prefix
        assert pipeline.orders("cleaned_orders") == expected.orders
        assert pipeline.orders("daily_orders") == expected.orders
        assert pipeline.revenue() == expected.revenue
        assert pipeline.spend() == expected.spend
        rejected = [(f"{prefix}{name}", *rest) for name, *rest in expected.rejected]
        assert [row[:3] for row in pipeline.rejected()] == sorted(rejected)
        superseded = {
            (day, f"{prefix}{winner}", f"{prefix}{loser}"): found
            for (day, winner, loser), found in expected.superseded.items()
        }
        assert pipeline.superseded() == superseded
        counted = pipeline.query("SELECT bucket, key, ranked_at FROM ledger.landed_files WHERE active")
        assert {key: (bucket, rank) for bucket, key, rank in counted} == {
            f"{prefix}{name}": (s3.bucket, file.ranked_at) for name, file in self.oracle.active.items()
        }
        for asset in ("cleaned_orders", "daily_orders"):
            sources = {row["_source"] for row in pipeline.lake_frame(asset).to_dicts()}
            assert all(source.startswith(prefix) for source in sources)
        assert not [one for one in pipeline.status().findings if one.kind == CHECK]


@pytest.fixture
def move(pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch) -> Move:
    return Move(pipeline, services, monkeypatch)


def before(move: Move) -> None:
    """Files that share orders, on days of their own and together; equal ranks are decided by key."""
    move.land("a.csv", f"1,ann,1.00,{DAY}", "2,ann,2.00,2026-03-05", "3,bob,much,2026-03-05")
    move.land("b/2026-03-05/z.csv", f"1,ann,9.00,{DAY}", "4,bob,4.00,2026-03-06")
    move.land("same.csv", "4,bob,5.00,2026-03-06", "5,bob,5.00,2026-03-07", "6,,6.00,2026-03-07")
    move.land("left.csv", "7,eve,7.00,2026-03-08", "2,eve,2.50,2026-03-08")
    move.land("worse.csv", "8,eve,8.00,2026-03-09")
    move.put("broken.csv", b"nonsense\n")


def copied(move: Move) -> None:
    """The copies in the new place: one is as it was, one leaves out an order, two are unreadable, one is missing."""
    move.put("same.csv", csv("4,bob,5.00,2026-03-06", "5,bob,5.00,2026-03-07", "6,,6.00,2026-03-07"), in_parts=True)
    move.land("a.csv", "2,ann,2.00,2026-03-05")
    move.put("b/2026-03-05/z.csv", csv(f"1,ann,9.00,{DAY}", "4,bob,4.00,2026-03-06"))
    move.put("worse.csv", b"no orders\n")
    move.put("broken.csv", b"nonsense too\n")


PLACES = [(None, True), ("landing/eu", False), ("in/", True), ("/", True), ("landing2/", False), ("x/y/landing/", True)]


@pytest.mark.parametrize("first", ["relocate", "sync"])
@pytest.mark.parametrize(("prefix", "is_other_bucket"), [place for place in PLACES if place[0] != "landing/eu"])
def test_the_tables_are_the_same_whether_the_new_place_was_loaded_before_or_not(
    move: Move, first: str, prefix: str | None, is_other_bucket: bool
) -> None:
    before(move)
    move.sync()
    move.to(prefix, is_other_bucket=is_other_bucket)
    copied(move)
    if first == "sync":
        assert CHECK in move.sync().failed_checks

    move.relocate()

    assert CHECK not in move.sync().failed_checks
    move.assert_exact()
