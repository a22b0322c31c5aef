"""Bytes that land again under their key keep their rank and rebuild nothing, whatever their ETag is by now.

In each test, `a.csv` and `z.csv` hold order 1. `z.csv` landed later, so it wins, until `a.csv` gets a new rank.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import s3
from orders_pipeline.landing import raw_objects
from orders_pipeline.resources import S3Resource
from orders_pipeline_tests.support.driver import HEADER, Pipeline, put_in_parts

A = f"{HEADER}\n1,ann,9.00,2026-03-05\n3,ann,1.00,2026-03-06\n".encode()
B = f"{HEADER}\n3,ann,2.00,2026-03-06\n".encode()
KEY = "landing/a.csv"
WINS = {"2026-03-05": ("9.00", 1), "2026-03-06": ("1.00", 1), "2026-03-08": ("1.00", 1)}
LOSES = {"2026-03-04": ("1.00", 1), "2026-03-06": ("1.00", 1), "2026-03-08": ("1.00", 1)}
LEDGER = "SELECT day, version FROM ledger.order_days ORDER BY day"
OBJECTS = "SELECT key, path, ranked_at, content_hash FROM ledger.landed_files WHERE active ORDER BY key"


@pytest.fixture
def loaded(pipeline: Pipeline) -> Pipeline:
    """Both files, loaded; their rows rank as if they had landed two days and one day ago."""
    pipeline.land("a.csv", A)
    pipeline.land_rows("z.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-08")
    assert pipeline.sync().is_complete
    pipeline.execute(
        "UPDATE ledger.landed_files SET"
        " ranked_at = last_modified - CASE key WHEN 'landing/a.csv' THEN interval '2 days' ELSE interval '1 day' END"
    )
    assert pipeline.revenue() == LOSES
    return pipeline


def land_again(pipeline: Pipeline, *, in_parts: bool) -> None:
    """Land A, as another version than before: with another ETag, or as if the ones before were a minute older."""
    if in_parts:
        put_in_parts(KEY, A)
    else:
        pipeline.execute(
            "UPDATE ledger.landed_files SET last_modified = last_modified - interval '1 minute' WHERE key = :key",
            key=KEY,
        )
        pipeline.land("a.csv", A)
    assert pipeline.status().pending == [KEY]


def call(*arguments: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output


def fail(*_: object) -> None:
    raise AssertionError("not needed")


def rebuild_all(pipeline: Pipeline) -> None:
    """So that the tables show the ranks of now, even if no day was said to be stale."""
    pipeline.execute("UPDATE ledger.order_days SET version = version + 1")
    assert pipeline.sync().is_complete


@pytest.mark.parametrize("in_parts", [True, False], ids=["another ETag", "the same ETag"])
@pytest.mark.parametrize(
    "between", [None, b"nonsense\n", b""], ids=["at once", "after a quarantined", "after an empty"]
)
def test_equal_bytes_keep_their_rank_and_their_object_and_change_no_day(
    loaded: Pipeline, monkeypatch: pytest.MonkeyPatch, between: bytes | None, in_parts: bool
) -> None:
    if between is not None:
        loaded.land("a.csv", between)
        assert loaded.sync().is_complete
    days, objects = loaded.query(LEDGER), loaded.query(OBJECTS)
    land_again(loaded, in_parts=in_parts)
    monkeypatch.setattr(raw_objects, "write_object", fail)
    if not in_parts:
        monkeypatch.setattr(S3Resource, "download", fail)

    synced = loaded.sync()

    assert synced.is_complete
    assert not any(synced.rebuilt.values())
    assert (loaded.query(LEDGER), loaded.query(OBJECTS)) == (days, objects)
    rebuild_all(loaded)
    assert loaded.revenue() == LOSES


@pytest.mark.parametrize("in_parts", [True, False], ids=["another ETag", "the same ETag"])
def test_bytes_that_come_back_after_others_get_a_new_rank(loaded: Pipeline, in_parts: bool) -> None:
    loaded.land("a.csv", B)
    assert loaded.sync().is_complete
    land_again(loaded, in_parts=in_parts)

    assert loaded.sync().is_complete

    assert loaded.revenue() == WINS


def test_after_a_retraction_the_bytes_are_new_again(loaded: Pipeline) -> None:
    call("retract", KEY)
    assert loaded.sync().is_complete
    land_again(loaded, in_parts=True)

    assert loaded.sync().is_complete

    assert loaded.revenue() == WINS


def test_a_retraction_that_is_undone_restores_the_rank(loaded: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    before = loaded.query(OBJECTS)
    call("retract", KEY)
    call("retract", "--undo", KEY)
    assert loaded.sync().is_complete
    assert loaded.query(OBJECTS) == before
    assert loaded.revenue() == LOSES

    call("retract", KEY)
    monkeypatch.setenv("ORDERS_TIMEZONE", "Asia/Kolkata")  # the object is another then
    call("retract", "--undo", KEY)
    assert loaded.sync().is_complete
    assert loaded.revenue() == LOSES


def object_of(pipeline: Pipeline) -> str:
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files WHERE active AND key = :key", key=KEY)
    return str(path)


@pytest.mark.parametrize("in_parts", [True, False], ids=["another ETag", "the same version"])
def test_a_file_that_is_read_again_keeps_its_rank(loaded: Pipeline, in_parts: bool) -> None:
    before = object_of(loaded)
    call("retry", "--loaded", KEY)
    if in_parts:
        put_in_parts(KEY, A)

    assert loaded.sync().is_complete

    assert object_of(loaded) != before
    assert loaded.revenue() == LOSES


@pytest.mark.parametrize("in_parts", [True, False], ids=["another ETag", "the same ETag"])
def test_equal_bytes_replace_an_object_that_is_gone_and_keep_its_rank(loaded: Pipeline, in_parts: bool) -> None:
    (Path(s3.lake().uri) / object_of(loaded)).unlink()
    land_again(loaded, in_parts=in_parts)

    assert loaded.sync().is_complete

    assert loaded.revenue() == LOSES


@pytest.mark.parametrize("lands_again", [True, False], ids=["as it lands again", "as it is"])
def test_a_file_that_is_revalidated_keeps_its_rank(
    loaded: Pipeline, monkeypatch: pytest.MonkeyPatch, lands_again: bool
) -> None:
    monkeypatch.setenv("ORDERS_TIMEZONE", "Asia/Kolkata")
    if lands_again:
        land_again(loaded, in_parts=True)
    before = {key: (ranked_at, hashed) for key, _, ranked_at, hashed in loaded.query(OBJECTS)}

    assert loaded.sync().is_complete

    assert {key: (ranked_at, hashed) for key, _, ranked_at, hashed in loaded.query(OBJECTS)} == before
    assert loaded.revenue() == LOSES


@pytest.mark.parametrize("in_parts", [True, False], ids=["another ETag", "the same ETag"])
def test_a_version_that_an_older_release_read_is_known_by_its_etag(loaded: Pipeline, in_parts: bool) -> None:
    """Release 0.2 records neither hash nor rank: its versions rank by LastModified."""
    loaded.execute(
        "UPDATE ledger.landed_files SET content_hash = NULL, last_modified = ranked_at, ranked_at = NULL"
        " WHERE key = :key",
        key=KEY,
    )
    loaded.land("a.csv", A)
    if in_parts:
        put_in_parts(KEY, A)

    assert loaded.sync().is_complete
    assert loaded.revenue() == (WINS if in_parts else LOSES)
    assert all(content_hash for *_, content_hash in loaded.query(OBJECTS)) is in_parts
