"""A file that fails is tried again, after a wait and at most five times."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.ledger import files
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.landed import statuses

DAY = "2026-03-04"


def test_an_unknown_error_is_tried_again_a_bounded_number_of_times(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(_lake: object, _file: Path, origin: Origin) -> None:
        tried.append(origin.version.key)
        raise RuntimeError("boom")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    monkeypatch.setattr(raw_objects, "write_object", fail)
    for _ in range(files.MAX_ATTEMPTS + 2):
        synced = pipeline.sync()
        pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now() WHERE next_attempt IS NOT NULL")

    assert len(tried) == files.MAX_ATTEMPTS
    assert statuses(pipeline) == {key: ("quarantined", "gave_up")}
    assert synced.is_complete


def test_a_failing_file_waits_its_turn_and_is_no_success(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    monkeypatch.setattr(raw_objects, "write_object", fail)

    synced = pipeline.sync()

    assert not synced.is_complete
    assert [file.version.key for file in synced.failing] == [key]
    (shown,) = pipeline.status().failing
    assert "boom" in shown.message
    assert shown.attempts == 1
    assert pipeline.status().pending == []


def test_a_file_whose_readers_all_died_is_given_up_without_another_try(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    version = s3.current(key)
    assert version is not None
    for _ in range(files.MAX_ATTEMPTS):
        with postgres.ledger().begin() as transaction:
            files.claim(transaction, [version], "a run that died")
    pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now()")

    assert pipeline.sync().is_complete
    assert statuses(pipeline) == {key: ("quarantined", "gave_up")}


def test_a_failing_file_that_is_deleted_is_forgotten(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    version = s3.current(key)
    assert version is not None
    with postgres.ledger().begin() as transaction:
        files.claim(transaction, [version], "a run that died")
    pipeline.remove("a.csv")

    assert pipeline.sync().is_complete
    assert statuses(pipeline) == {}


def test_a_commit_that_fails_for_one_file_is_reported_for_that_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that takes too long each time is no outage: tried alone, it is found, and the others load."""

    def slow(connection: Connection, loaded: Sequence[ActiveFile], *others: str) -> None:
        if any(file.version.key == guilty for file in loaded):
            connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'too slow' USING ERRCODE = '57014'; END $$")
        activate(connection, loaded, *others)

    activate = files.activate
    guilty = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04")
    monkeypatch.setattr(files, "activate", slow)
    for _ in range(files.MAX_ATTEMPTS + 1):
        pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now() WHERE status = 'failing'")
        pipeline.sync()

    assert pipeline.revenue() == {DAY: ("2.00", 1)}
    (set_aside,) = pipeline.status().quarantined
    assert (set_aside.key, set_aside.reason) == (guilty, "gave_up")
    assert "too slow" in set_aside.message


def test_a_process_that_dies_with_a_file_in_hand_leaves_it_to_be_tried_again(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    version = s3.current(key)
    assert version is not None
    with postgres.ledger().begin() as transaction:
        files.claim(transaction, [version], "a run that died")

    assert pipeline.status().pending == []  # for a while
    assert [file.reason for file in pipeline.status().failing] == ["interrupted"]
    pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now()")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
