"""Processes that change the same files at once do not wait for each other in a circle."""

import logging
from threading import Event, Thread

import sqlalchemy as sa

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.landing.ingest import ingesting
from orders_pipeline.ledger import active, entries, files
from orders_pipeline_tests.support.driver import Pipeline

WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_files_in_the_hands_of_another_are_not_waited_for_by_who_would_try_them_at_once(pipeline: Pipeline) -> None:
    """Two that wait for each other's rows would be a deadlock."""
    versions = [s3.current(pipeline.land_rows(name, "1,ann,1.00,2026-03-04")) for name in ("a.csv", "b.csv")]
    held, free = (version for version in versions if version is not None)
    with postgres.ledger().begin() as transaction:
        files.claim(transaction, [held, free], "a run that died")

    with postgres.ledger().begin() as holder, postgres.ledger().begin() as asking:
        files.claim(holder, [held], "a run at work")
        asking.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        files.end_backoff(asking)
        assert [entry.version for entry in entries.failing(asking, held.bucket) if entry.due] == [free]


def test_several_files_are_locked_in_order_by_who_keeps_a_table_of_them(pipeline: Pipeline) -> None:
    """Two that take them in different orders would each wait for the other."""
    for name in ("b.csv", "a.csv"):  # as they lie in the table
        pipeline.land_rows(name, f"{name},ann,1.00,2026-03-04")
        pipeline.sync()
    with postgres.ledger().begin() as transaction:
        first, second = sorted(active.all_files(transaction), key=lambda file: file.version)
    failed: list[Exception] = []

    def mark_both() -> None:
        try:
            with postgres.ledger().begin() as transaction:
                active.commit_files(transaction, "rejected_orders", [second, first], [], "a run")
        except Exception as error:  # a deadlock may end either side
            failed.append(error)

    other = Thread(target=mark_both)
    with postgres.ledger().begin() as transaction:
        files.activate(transaction, [first], "UTC", "another run")
        other.start()
        while not pipeline.query(WAITS):
            assert other.is_alive()
        files.activate(transaction, [second], "UTC", "another run")
    other.join(30)
    assert failed == []


def test_one_process_at_a_time_changes_which_files_count(pipeline: Pipeline) -> None:
    waits = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    entered = Event()

    def ingest() -> None:
        with ingesting(postgres.ledger(), s3.lake(), "UTC", "another run", logging.getLogger(__name__)):
            entered.set()

    with ingesting(postgres.ledger(), s3.lake(), "UTC", "one run", logging.getLogger(__name__)):
        other = Thread(target=ingest)
        other.start()
        while pipeline.query(waits) != [(1,)]:
            assert not entered.wait(0.05)
    other.join(30)
    assert entered.is_set()
