"""Side files of Spark, Hadoop, macOS and the like are left out and counted; what counts already keeps counting."""

from pathlib import Path

import pytest

from orders_pipeline import resources
from orders_pipeline.definitions import s3
from orders_pipeline.ledger.versions import is_side_file
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline, check_results
from orders_pipeline_tests.support.ticks import run_all, tick

ORDER = "1,ann,5.00,2026-03-04"
SIDE_FILES = [
    "_temporary/0/part-0.csv",
    ".part-0.csv.crc",
    "_SUCCESS",
    "out/_delta_log/00000000000000000000.json",
    "out/_committed_123",
    "shop/.DS_Store",
    "year=2026/.spark-staging-1/day=4/part-0.csv",
]


def before_side_files_were_left_out(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring everything up to date as a version did that knew no side files."""
    with monkeypatch.context() as older:
        older.setattr(resources, "is_side_file", lambda *_: False)
        older.setattr("orders_pipeline.assets.ingestion.is_side_file", lambda *_: False)
        older.setattr("orders_pipeline.landing.side_files.is_side_file", lambda *_: False)
        pipeline.sync()


@pytest.mark.parametrize("name", SIDE_FILES)
def test_a_side_file_is_known_by_a_segment_below_the_prefix(name: str) -> None:
    assert is_side_file(f"landing/{name}", "landing/")
    assert is_side_file(name, "")
    assert is_side_file(f"_in/.x/{name}", "_in/.x/")


@pytest.mark.parametrize(
    "name", ["a.csv", "a_b.csv", "x._/a.csv", "2026/a.b/c_", "-_x", "", "../../a.csv", "./a.csv", "x/.."]
)
def test_other_names_are_no_side_files(name: str) -> None:
    assert not is_side_file(f"landing/{name}", "landing/")
    assert not is_side_file(f"_in/.x/{name}", "_in/.x/")  # segments of the prefix itself were chosen


def test_side_files_are_left_out_and_counted(pipeline: Pipeline) -> None:
    for name in SIDE_FILES:
        pipeline.land_rows(name, ORDER)
    assert "No file has landed" in tick(pipeline, s3_arrival_sensor).skip_message
    pipeline.land_rows("a.csv", ORDER)

    (request,) = tick(pipeline, s3_arrival_sensor).run_requests
    assert request.run_config["ops"]["raw_orders"]["config"]["s3_keys"] == ["landing/a.csv"]
    assert pipeline.status().pending == ["landing/a.csv"]
    assert pipeline.sync().is_complete

    found = pipeline.status()
    assert found.files == {"pending": 0, "loaded": 1, "quarantined": 0, "ignored": 0, "failing": 0}
    assert found.side_files == len(SIDE_FILES)
    assert found.is_current
    assert f"left out: {len(SIDE_FILES)} side files" in call("status").output
    assert pipeline.revenue() == {"2026-03-04": ("5.00", 1)}


def test_a_run_that_is_given_a_side_file_says_why_it_leaves_it_out(pipeline: Pipeline) -> None:
    keys = [pipeline.land_rows(name, ORDER) for name in ("_temporary/0/part-0.csv", "a.csv", "x/.a.csv")]

    result = pipeline.run("s3_arrival", config={"ops": {"raw_orders": {"config": {"s3_keys": keys}}}})

    assert pipeline.query("SELECT key FROM ledger.landed_files") == [("landing/a.csv",)]
    (made,) = result.asset_materializations_for_node("raw_orders")
    remarks = str(made.metadata["Remarks"].value).splitlines()
    assert remarks == [
        f"{key} is left out: a part of its name below the landing prefix begins with _ or ., as the side files of other"
        " tools do."
        for key in (keys[0], keys[2])
    ]


@pytest.mark.parametrize(
    ("file", "prefix"), [("_orders.csv", ""), (".orders.csv", "shop"), ("orders.csv", "_in"), ("orders.csv", "a/.b/c")]
)
def test_a_file_that_would_be_left_out_is_not_landed(
    pipeline: Pipeline, tmp_path: Path, file: str, prefix: str
) -> None:
    (tmp_path / file).write_text(f"{HEADER}\n{ORDER}\n")

    landed = call("land", str(tmp_path / file), "--prefix", prefix)

    assert landed.exit_code == 2
    assert "would not be loaded" in landed.output
    assert list(s3.list_pages()) == [[]]


def test_side_files_that_count_keep_counting_and_are_named_until_they_are_retracted(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [pipeline.land_rows(name, f"{name},ann,5.00,2026-03-04") for name in SIDE_FILES[:4]]
    before_side_files_were_left_out(pipeline, monkeypatch)
    assert pipeline.revenue() == {"2026-03-04": ("20.00", 4)}

    pipeline.land_rows("a.csv", "a,ann,1.00,2026-03-04")
    pipeline.land_rows(SIDE_FILES[0], "x,ann,7.00,2026-03-04")  # it counts: a correction of it does too
    assert call("sync").exit_code == 0
    assert pipeline.revenue() == {"2026-03-04": ("23.00", 5)}

    found = pipeline.status()
    assert found.side_files == 0
    (notice,) = found.notices
    assert "and 1 more" in notice
    assert "orders-pipeline retract" in notice
    assert notice in call("sync").output
    assert notice in call("status").output

    for key in keys:
        assert call("retract", key).exit_code == 0
    pipeline.land_rows(SIDE_FILES[0], "x,ann,8.00,2026-03-04")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert (pipeline.status().side_files, pipeline.status().notices) == (4, [])


def test_side_files_that_are_set_aside_are_reported_no_longer(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [pipeline.land(name, b"no orders\n") for name in SIDE_FILES[:3]]
    pipeline.land("bad.csv", b"no orders\n")
    before_side_files_were_left_out(pipeline, monkeypatch)
    pipeline.execute("UPDATE ledger.landed_files SET status = 'failing', attempts = 2 WHERE key = :k", k=keys[0])
    assert len(pipeline.status().quarantined) == 3

    assert pipeline.sync().is_complete

    found = pipeline.status()
    assert [file.key for file in found.quarantined] == ["landing/bad.csv"]
    assert {(file.key, file.reason) for file in found.ignored} == {(key, "side_file") for key in keys}
    assert found.side_files == 3
    assert "ignored: " not in call("status").output  # one line counts them
    assert not pipeline.sync().runs
    check = check_results(pipeline.run("s3_arrival"))["landed_files_are_readable"]
    assert "1 of 4 files are not loaded" in str(check.description)


def test_a_side_file_that_counts_is_read_again_when_the_lake_lost_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows(SIDE_FILES[0], ORDER)
    before_side_files_were_left_out(pipeline, monkeypatch)
    for path in (pipeline.folder / "lake" / "raw_orders").iterdir():
        path.unlink()

    assert call("retry", f"landing/{SIDE_FILES[0]}").exit_code == 0
    assert run_all(pipeline, s3_arrival_sensor) == 1
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("5.00", 1)}
