"""Dagster's event log is read in parts, and no event is missed."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

from orders_pipeline.alerts import log
from orders_pipeline_tests.support.alerts import fail, succeed, why
from orders_pipeline_tests.support.receiver import Receiver
from orders_pipeline_tests.support.ticks import tick_alerts


def test_an_event_that_becomes_visible_late_is_not_missed(instance: dg.DagsterInstance, begun: Receiver) -> None:
    """One that is written first may be committed last, in a log that many write to."""
    storage: Any = instance.event_log_storage
    late = fail(instance, "Late")
    fail(instance, "On time")
    with storage.index_connection() as connection:
        where = SqlEventLogStorageTable.c.run_id == late
        (row,) = connection.execute(SqlEventLogStorageTable.select().where(where)).mappings().all()
        connection.execute(SqlEventLogStorageTable.delete().where(where))
    tick_alerts(instance)
    with storage.index_connection() as connection:
        connection.execute(SqlEventLogStorageTable.insert().values(**row))
    for _ in range(2):
        tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["On time", "Late"]


@pytest.mark.parametrize("instance", ["in a folder"], indirect=True)
def test_runs_that_get_the_numbers_of_deleted_ones_are_not_taken_for_them(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_LATE", 2)
    failed = [fail(instance, "One")]
    tick_alerts(instance)
    for errors in (("Two", "Three", "Four", "Five"), ("Six",)):
        for deleted in failed:
            instance.delete_run(deleted)
        failed = [fail(instance, error) for error in errors]
        tick_alerts(instance)

    assert [why(text) for text in begun.told] == ["One", "Two", "Three", "Four", "Five", "Six"]


def test_a_long_log_is_read_in_parts_and_none_is_left_out(
    instance: dg.DagsterInstance, begun: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_LATE", 2)
    monkeypatch.setattr(log, "_AT_ONCE", 4)
    errors = [f"Error {letter}" for letter in "abcdefghij"]
    for error in errors:
        fail(instance, error)
    for _ in range(6):
        succeed(instance, "stale_days")
    for _ in range(8):
        tick_alerts(instance)

    assert [why(text) for text in begun.told] == errors
