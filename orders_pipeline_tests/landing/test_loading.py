"""What a file that lands brings to the tables, and what a new version of it replaces; each once."""

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.ledger import staleness
from orders_pipeline_tests.support.driver import HEADER, Pipeline, gzipped
from orders_pipeline_tests.support.landed import statuses

DAY = "2026-03-04"


def test_an_overwrite_replaces_all_that_the_old_version_brought(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-05", "3,,1,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv", "1,ann,5.00,2026-03-06")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-06": ("5.00", 1)}
    assert pipeline.spend() == {("2026-03-06", "ann"): "5.00"}
    assert pipeline.rejected() == []


def test_a_header_alone_takes_a_file_back(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {}
    assert pipeline.orders() == {}


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", "ignored"), (gzipped(HEADER.encode())[:-5], "quarantined"), (b"nonsense\n", "quarantined")],
)
def test_a_version_that_cannot_be_read_leaves_the_last_readable_one_in_place(
    pipeline: Pipeline, content: bytes, status: str
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04")
    pipeline.sync()
    key = pipeline.land("a.csv", content)

    assert pipeline.sync().is_complete
    assert statuses(pipeline)[key][0] == status
    assert pipeline.revenue() == {DAY: ("3.00", 2)}
    assert pipeline.sync().runs == 0


def test_the_same_bytes_again_under_the_same_key_rebuild_nothing(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    before = {asset: pipeline.built(asset) for asset in ("cleaned_orders", "daily_orders", "daily_revenue")}
    # As if S3 had taken the new upload a day later.
    pipeline.execute("UPDATE ledger.landed_files SET last_modified = last_modified - interval '1 day'")
    assert pipeline.status().pending == [key]

    assert pipeline.sync().is_complete
    assert {asset: pipeline.built(asset) for asset in before} == before


def test_an_object_that_disappears_retracts_nothing(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.remove("a.csv")

    assert pipeline.sync().runs == 0
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_orders_of_tomorrow_wait_and_are_counted(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2199-01-01", "3,ann,1.00,2025-12-31")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    assert [str(day) for day in pipeline.status().out_of_range_days] == ["2025-12-31", "2199-01-01"]


def test_retract_takes_a_file_out_until_a_new_version_lands(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,bob,2.00,2026-03-04")
    pipeline.sync()

    retracted = CliRunner().invoke(main, ["retract", key])
    assert retracted.exit_code == 0
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("2.00", 1)}

    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("3.50", 2)}


def test_ten_thousand_files_are_not_too_many_for_one_statement(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute(
        "INSERT INTO ledger.landed_files"
        " (bucket, key, etag, size, last_modified, status, active, rows, clean_rows, days, path, rules, zone)"
        " SELECT bucket, key || n, etag, size, last_modified, status, active, 0, 0, '{}', path, rules, zone"
        " FROM ledger.landed_files, generate_series(1, 10000) n"
    )

    assert pipeline.run("s3_arrival", assets=["rejected_orders"]).success
    assert pipeline.query("SELECT count(*) FROM ledger.built_files") == [(10_001,)]


def test_a_file_and_the_days_that_it_touches_are_committed_together(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(staleness, "bump_versions", fail)
        assert not pipeline.sync().is_complete

    assert pipeline.query("SELECT count(*) FROM ledger.landed_files WHERE active") == [(0,)]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
