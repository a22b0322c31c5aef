"""A Dagster instance, and a receiver of alerts."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orders_pipeline_tests.support.alerts import NO_POSTGRES
from orders_pipeline_tests.support.receiver import Receiver, closed, receiving
from orders_pipeline_tests.support.ticks import tick_alerts


@pytest.fixture
def instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance in memory, or in a folder as users have it: a log for each run, and an index. The ledger's
    Postgres is down: nothing here needs it."""
    monkeypatch.setenv("ORDERS_DATABASE_URL", NO_POSTGRES)
    in_folder = getattr(request, "param", "") == "in a folder"
    with dg.DagsterInstance.local_temp(str(tmp_path)) if in_folder else dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """One that listens."""
    found = closed()
    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", found.url)
    with receiving(found):
        yield found


@pytest.fixture
def begun(instance: dg.DagsterInstance, receiver: Receiver) -> Receiver:
    """A receiver which is told of what happens from now on."""
    assert tick_alerts(instance) == "Alerts start now: earlier failures are not posted."
    return receiver
