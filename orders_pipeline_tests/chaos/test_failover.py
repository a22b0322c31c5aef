"""Postgres fails over while a run is between reading and recording, to a replica that lacks the last commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import Lock
from unittest import mock

import pytest
from sqlalchemy.engine import Connection, Engine

from orders_pipeline import run_tags
from orders_pipeline.io_managers.handoff import Handoff
from orders_pipeline.ledger import identity
from orders_pipeline.ledger.identity import Identity
from orders_pipeline.partitions import ARRIVALS, STALE_DAYS
from orders_pipeline.schema import PARTITIONED, UPSTREAM
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.chaos.scenarios import Inject
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.replica import Pair, primary_and_replica
from orders_pipeline_tests.support.restoration import Restoration

pytestmark = pytest.mark.chaos

OTHER, AGAIN, RETRACTED = "2026-03-04", "2026-03-05", "2026-03-06"
DAYS = run_tags.of_range(date(2026, 3, 4), date(2026, 3, 6))
HELD = "nothing of the lost commits counts, exact after the next sync"


@pytest.fixture
def pair() -> Iterator[Pair]:
    with primary_and_replica() as pair:
        yield pair


@pytest.fixture
def database_url(pair: Pair) -> Iterator[str]:
    """The address of both servers, in the place of the database of other tests."""
    yield pair.url
    engine_for(pair.url).dispose()


@pytest.mark.parametrize(
    ("asset", "is_hosted"),
    [
        *((asset, False) for asset in (*UPSTREAM, "rejected_orders")),
        # What a hosted server may not say, the versions of the days say.
        ("cleaned_orders", True),
        ("daily_orders", True),
    ],
)
def test_what_a_run_built_from_lost_commits_never_counts(
    asset: str,
    is_hosted: bool,
    pair: Pair,
    pipeline: Pipeline,
    services: Path,
    monkeypatch: pytest.MonkeyPatch,
    injected: Inject,
) -> None:
    if is_hosted:
        monkeypatch.setattr(identity, "of", says_nothing)
    history = Restoration(pipeline, services, source="")  # no source table
    history.land("a.csv", f"1,ann,10.00,{OTHER}", f"2,ann,20.00,{AGAIN}", f"3,ann,30.00,{RETRACTED}", f"4,,1,{OTHER}")
    history.land("r.csv", f"5,bob,5.00,{RETRACTED}")
    assert pipeline.sync().is_complete
    before = {table: pipeline.built(table) for table in UPSTREAM}

    pair.lose_from_now_on()
    pipeline.land_rows("big.csv", f"6,eve,995.00,{OTHER}")
    history.land("again.csv", f"7,eve,7.00,{AGAIN}", f"8,,1,{AGAIN}")
    assert call("retract", "landing/r.csv").exit_code == 0
    assert pipeline.run(ARRIVALS, assets=["raw_orders"]).success
    if asset == "daily_revenue_partitioned":
        assert pipeline.run(STALE_DAYS, tags=DAYS, assets=["daily_orders"]).success
    with failing_over(pair, asset):
        run = pipeline.run(STALE_DAYS, tags=DAYS) if asset in PARTITIONED else pipeline.run(ARRIVALS)
    assert set(pair.servers) == {"replica"}

    failures = [str(event.event_specific_data) for event in run.all_events if event.is_step_failure]
    assert run.success if is_hosted else f"failed over or was restored while {asset} was built" in str(failures)
    assert {table: pipeline.built(table) for table in UPSTREAM} == before

    pipeline.remove("big.csv")  # S3 does not list it again, and another change bumps its day instead
    history.land("b.csv", f"9,ann,2.00,{OTHER}")
    assert pipeline.sync().is_complete
    history.assert_exact()
    assert pipeline.revenue() == {OTHER: ("12.00", 2), AGAIN: ("27.00", 2), RETRACTED: ("35.00", 2)}

    assert call("retract", "landing/r.csv").exit_code == 0  # as the runbook says
    history.oracle.retract("landing/r.csv")
    assert pipeline.sync().is_complete
    history.assert_exact()
    injected("Postgres fails over to a replica that lacks the last commits, under a run", HELD)


@contextmanager
def failing_over(pair: Pair, asset: str) -> Iterator[None]:
    """Meanwhile Postgres fails over when a step has built a table, before it records that."""
    committing, lock = Handoff.committing, Lock()  # a mart commits several days at once

    def late(self: Handoff, engine: Engine) -> object:
        with lock:
            if self.asset == asset and "primary" in pair.servers:
                pair.fail_over()
        return committing(self, engine)

    with mock.patch.object(Handoff, "committing", late):
        yield


def says_nothing(_connection: Connection) -> Identity:
    """A hosted server that refuses what `identity` asks."""
    return Identity(None, None)
