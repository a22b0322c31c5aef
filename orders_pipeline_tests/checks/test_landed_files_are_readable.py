"""The check landed_files_are_readable: files that are not loaded are listed."""

from orders_pipeline_tests.support.driver import Pipeline, check_results


def test_quarantined_files_are_listed_with_their_reasons(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    assert check_results(pipeline.run("s3_arrival"))["landed_files_are_readable"].passed
    pipeline.land("bad.csv", b"order_id\n1\n")

    found = check_results(pipeline.run("s3_arrival"))["landed_files_are_readable"]

    assert not found.passed
    assert "1 of 2 files are not loaded: landing/bad.csv (quarantined: column_missing)." in (found.description or "")
    (record,) = found.metadata["Files not loaded"].records  # type: ignore[union-attr]
    assert record.data["file"] == "landing/bad.csv"
    assert "column_missing" in str(record.data["reason"])
