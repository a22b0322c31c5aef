"""S3, Postgres or the disk fails, or the object changes during the download: no file is blamed for it."""

import errno
import os
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from orders_pipeline.definitions import s3
from orders_pipeline.errors import ObjectChangedError, ServiceUnavailableError
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger import files
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.resources import S3Resource
from orders_pipeline_tests.support.driver import Pipeline

DAY = "2026-03-04"


def test_an_outage_of_s3_is_held_against_no_file(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise ServiceUnavailableError("S3 answered SlowDown")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "download", down)
        for _ in range(files.MAX_ATTEMPTS + 1):
            assert not pipeline.sync().is_complete

    (waiting,) = pipeline.status().failing
    assert (waiting.key, waiting.reason) == (key, "outage")
    assert pipeline.query("SELECT attempts FROM ledger.landed_files") == [(0,)]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def terminated(connection: Connection, *_: object) -> None:
    with connection.engine.connect() as other:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    connection.exec_driver_sql("SELECT 1")


def deadlocked(connection: Connection, *_: object) -> None:
    connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")


def unreadable(*_: object) -> None:
    raise OSError("object-store error: 503")


@pytest.mark.parametrize(
    ("where", "name", "fails"),
    [(files, "activate", terminated), (files, "activate", deadlocked), (raw_objects, "days_elsewhere", unreadable)],
)
def test_an_outage_at_the_commit_is_held_against_no_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, where: object, name: str, fails: object
) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(where, name, fails)
        for _ in range(files.MAX_ATTEMPTS + 1):
            assert not pipeline.sync().is_complete

    (waiting,) = pipeline.status().failing
    assert (waiting.key, waiting.reason) == (key, "outage")
    assert pipeline.query("SELECT attempts FROM ledger.landed_files") == [(0,)]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_an_object_that_s3_will_not_hand_out_blocks_no_other(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another file nor the source table."""
    frozen = pipeline.land_rows("frozen.csv", "1,ann,1.00,2026-03-04")
    download = S3Resource.download

    def refuse(resource: S3Resource, version: FileVersion, target: Path) -> None:
        if version.key == frozen:
            raise ServiceUnavailableError("S3 answered InvalidObjectState")
        download(resource, version, target)

    monkeypatch.setattr(S3Resource, "download", refuse)

    pipeline.execute(
        "CREATE TABLE orders AS SELECT '3' order_id, 'ann' customer_id, 3.00 amount, date '2026-03-04' order_date"
    )
    assert pipeline.run("s3_arrival").success
    assert pipeline.revenue() == {DAY: ("3.00", 1)}

    pipeline.land_rows("a.csv", "2,ann,2.00,2026-03-04")
    assert pipeline.run("s3_arrival").success
    assert pipeline.revenue() == {DAY: ("5.00", 2)}
    assert pipeline.status().failing[0].key == frozen


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.ENOENT])
def test_a_disk_that_fails_is_held_against_no_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(raw_objects, "write_object", fail)
        for _ in range(files.MAX_ATTEMPTS + 1):
            assert not pipeline.sync().is_complete

    assert [(file.reason, file.attempts) for file in pipeline.status().failing] == [("outage", 0)]
    assert pipeline.sync().is_complete


def test_an_object_that_changes_between_list_and_get_is_loaded_as_it_is_then(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    download = S3Resource.download
    changed = []

    def change_first(resource: S3Resource, version: FileVersion, target: Path) -> None:
        if not changed:
            pipeline.land_rows("a.csv", "1,ann,8.00,2026-03-05")
            changed.append(version)
        download(resource, version, target)

    monkeypatch.setattr(S3Resource, "download", change_first)

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("8.00", 1)}
    assert pipeline.query("SELECT count(*) FROM ledger.landed_files") == [(1,)]


def test_a_short_body_is_an_outage(pipeline: Pipeline, tmp_path: Path) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    listed = s3.current(key)
    assert listed is not None
    longer = FileVersion(listed.bucket, listed.key, listed.etag, listed.size + 1, listed.last_modified)

    with pytest.raises(ServiceUnavailableError, match="bytes"):
        s3.download(longer, tmp_path / "spool")


def test_the_download_is_of_the_listed_version_or_none(pipeline: Pipeline, tmp_path: Path) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    listed = s3.current(key)
    assert listed is not None
    pipeline.land_rows("a.csv", "1,ann,2.00,2026-03-04")

    with pytest.raises(ObjectChangedError):
        s3.download(listed, tmp_path / "spool")
