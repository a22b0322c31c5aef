"""Objects in an archive of S3: told of in one sentence, not read, and taken by themselves once they are restored."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orders_pipeline import resources, sensors
from orders_pipeline.definitions import s3
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.landing.recovery import Copy, to_adopt
from orders_pipeline.ledger.versions import Entry, FileVersion, Status
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline.sources.declaration import PLAIN
from orders_pipeline.storage.s3 import is_archived
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline, check_results
from orders_pipeline_tests.support.ticks import run_all, tick

pytestmark = pytest.mark.e2e

DAY = "2026-03-04"
LANDED = datetime(2026, 3, 4, tzinfo=UTC)


def archive(name: str, *rows: str, storage_class: str = "GLACIER") -> str:
    """Put a file of orders into an archive."""
    key, body = f"{s3.prefix}{name}", "\n".join([HEADER, *rows]) + "\n"
    s3.client().put_object(Bucket=s3.bucket, Key=key, Body=body.encode(), StorageClass=storage_class)  # type: ignore[arg-type]
    return key


def restore(key: str) -> None:
    s3.client().restore_object(Bucket=s3.bucket, Key=key, RestoreRequest={"Days": 1})


def let_an_hour_pass(pipeline: Pipeline) -> None:
    pipeline.execute("UPDATE ledger.landed_files SET next_attempt = next_attempt - interval '61 minutes'")


@pytest.fixture
def asked(pipeline: Pipeline) -> Iterator[list[str]]:
    """What is asked of S3: `HEAD key` and `GET key`."""
    seen: list[str] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append(f"{params['method']} {params['url_path'].rpartition('landing/')[2]}")

    events = s3.client().meta.events
    for operation in ("HeadObject", "GetObject"):
        events.register(f"before-call.s3.{operation}", note, unique_id=f"test-{operation}")
    yield seen
    for operation in ("HeadObject", "GetObject"):
        events.unregister(f"before-call.s3.{operation}", unique_id=f"test-{operation}")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"StorageClass": "GLACIER"}, True),
        ({"StorageClass": "DEEP_ARCHIVE", "Restore": 'ongoing-request="true"'}, True),
        ({"StorageClass": "DEEP_ARCHIVE", "Restore": 'ongoing-request="false", expiry-date="Fri, 04 Dec"'}, False),
        ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "ARCHIVE_ACCESS"}, True),
        (
            {
                "StorageClass": "INTELLIGENT_TIERING",
                "ArchiveStatus": "DEEP_ARCHIVE_ACCESS",
                "Restore": 'ongoing-request="true"',
            },
            True,
        ),
        ({"StorageClass": "INTELLIGENT_TIERING"}, False),
        ({"StorageClass": "GLACIER_IR"}, False),
        ({"StorageClass": "STANDARD_IA"}, False),
        ({}, False),
    ],
)
def test_what_has_to_be_restored_is_known_by_its_head(head: dict[str, str], expected: bool) -> None:
    assert is_archived(head) is expected


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_file_is_told_of_not_read_and_loaded_once_it_is_restored(
    pipeline: Pipeline, asked: list[str], storage_class: str
) -> None:
    key = archive("old.csv", f"1,ann,1.00,{DAY}", storage_class=storage_class)
    pipeline.land_rows("new.csv", f"2,ann,2.00,{DAY}")

    for _time in ("the first", "again"):
        synced = call("sync")
        assert synced.exit_code == 0, synced.output
        assert synced.output.count(key) == 2  # one sentence: its name, and in the command
        assert f"aws s3api restore-object --bucket {s3.bucket} --key {key}" in synced.output
    assert "GET old.csv" not in asked
    assert pipeline.revenue() == {DAY: ("2.00", 1)}
    found = pipeline.status()
    assert (found.is_current, found.files["ignored"], found.files["failing"]) == (True, 1, 0)
    assert [(file.key, file.reason) for file in found.ignored] == [(key, "archived")]
    assert call("status").output.count(key) == 2

    restore(key)
    assert pipeline.sync().notices == []
    assert pipeline.revenue() == {DAY: ("3.00", 2)}
    assert asked.count("GET old.csv") == 1


def test_many_archived_files_are_one_sentence_everywhere(pipeline: Pipeline) -> None:
    keys = [archive(f"{number}.csv", f"{number},ann,1.00,{DAY}") for number in range(5)]

    result = pipeline.run("s3_arrival")

    sentence = f"{', '.join(keys[:3])} and 2 more (5 in all)"
    (made,) = result.asset_materializations_for_node("raw_orders")
    assert str(made.metadata["Remarks"].value).count("Archived on S3") == 1
    check = check_results(result)["landed_files_are_readable"]
    assert (check.passed, check.severity.value) == (False, "WARN")
    for said in (made.metadata["Remarks"].value, check.description, call("status").output, call("sync").output):
        assert str(said).count(sentence) == 1

    for key in keys:
        restore(key)
    pipeline.sync()
    check = check_results(pipeline.run("s3_arrival"))["landed_files_are_readable"]
    assert (check.passed, check.description) == (True, "All 5 files that landed are loaded or ignored.")


def test_the_sensor_looks_at_archived_files_once_an_hour(
    pipeline: Pipeline, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [archive(f"{number}.csv", f"{number},ann,1.00,{DAY}") for number in range(3)]
    assert run_all(pipeline, s3_arrival_sensor) == 1
    for _tick in range(3):
        assert "settled" in tick(pipeline, s3_arrival_sensor).skip_message

    let_an_hour_pass(pipeline)
    monkeypatch.setattr(
        sensors, "backoff_of", lambda *_: None
    )  # of the run that ended, by this machine's clock, just now
    restore(keys[1])
    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    assert request.run_config["ops"]["raw_orders"]["config"]["s3_keys"] == keys
    assert pipeline.run("s3_arrival", config=request.run_config, tags=request.tags).success

    assert tick(pipeline, s3_arrival_sensor).run_requests == []
    assert [name for name in asked if name.startswith("GET")] == ["GET 1.csv"]
    assert pipeline.query("SELECT key, status, attempts FROM ledger.landed_files ORDER BY key") == [
        (keys[0], "ignored", 0),
        (keys[1], "loaded", 0),
        (keys[2], "ignored", 0),
    ]


def test_an_archived_version_replaces_nothing_and_a_newer_one_loads(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()

    archive("a.csv", f"1,ann,2.00,{DAY}")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    assert len(pipeline.status().notices) == 1

    pipeline.land_rows("a.csv", f"1,ann,3.00,{DAY}")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("3.00", 1)}
    assert pipeline.status().notices == []


def test_the_sentence_says_what_a_retraction_takes_out_besides(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    archive("a.csv", f"1,ann,2.00,{DAY}")
    pipeline.sync()

    (sentence,) = pipeline.status().notices

    assert "removes the orders of its earlier versions too" in sentence


def test_an_archive_that_its_storage_class_does_not_tell_of_comes_to_the_same(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "MAY_BE_ARCHIVED", frozenset())
    key = archive("a.csv", f"1,ann,1.00,{DAY}")

    synced = pipeline.sync()

    assert synced.is_complete
    assert key in synced.notices[0]
    restore(key)
    assert pipeline.sync().notices == []
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_classes_that_are_read_at_once_are_loaded(pipeline: Pipeline) -> None:
    for number, storage_class in enumerate(("GLACIER_IR", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA")):
        archive(f"{number}.csv", f"{number},ann,1.00,{DAY}", storage_class=storage_class)

    assert pipeline.sync().notices == []
    assert pipeline.revenue() == {DAY: ("4.00", 4)}


def test_an_archived_file_that_is_not_needed_is_dismissed_until_that_is_undone(
    pipeline: Pipeline, asked: list[str]
) -> None:
    key = archive("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()

    assert call("retry", key).exit_code == 0
    assert pipeline.sync().is_complete
    assert len(pipeline.status().notices) == 1
    assert call("retract", "landing/*").exit_code == 0
    restore(key)
    assert pipeline.sync().notices == []
    assert "GET a.csv" not in asked

    assert call("retract", "--undo", key).exit_code == 0
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_an_archived_file_that_is_removed_is_forgotten(pipeline: Pipeline) -> None:
    archive("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.land_rows("b.csv", f"2,ann,1.00,{DAY}")
    assert len(pipeline.sync().notices) == 1
    pipeline.remove("a.csv")

    assert pipeline.sync().notices == []
    assert pipeline.status().files["ignored"] == 0


def test_an_archived_file_whose_object_the_lake_lost_is_set_aside_with_its_reason(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = archive("a.csv", f"1,ann,1.00,{DAY}")
    restore(key)
    assert pipeline.sync().is_complete
    monkeypatch.setattr(resources, "is_archived", lambda _: True)  # the restored copy expired
    for path in (pipeline.folder / "lake" / "raw_orders").iterdir():
        path.unlink()

    assert call("retry", key).exit_code == 0
    pipeline.sync()

    (lost,) = pipeline.status().quarantined
    assert (lost.key, lost.reason) == (key, "lost")
    assert "archived" in lost.message


@pytest.mark.parametrize("may_be_archived", [True, False])
def test_a_recovery_adopts_what_s3_has_archived_and_the_lake_still_has(may_be_archived: bool) -> None:
    version = FileVersion("b", "landing/a", "e", 1, LANDED)
    listed = FileVersion("b", "landing/a", "e", 1, LANDED, may_be_archived=may_be_archived)
    copy = Copy("raw_orders/1.parquet", Origin(version, 1, "UTC", PLAIN, None, LANDED))
    seen = Entry(version, Status.IGNORED, 0, due=True, is_archived=True)

    assert to_adopt([copy], [seen], listed, "UTC") == ([copy] if may_be_archived else [])
    assert to_adopt([copy], [], listed, "UTC") == ([copy] if may_be_archived else [])
