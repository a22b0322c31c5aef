"""A file that cannot be loaded is quarantined whole, with a reason, and blocks no other."""

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing import raw_objects
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.landed import statuses

DAY = "2026-03-04"


def test_a_bad_file_blocks_no_other(pipeline: Pipeline) -> None:
    bad = pipeline.land("a-bad.csv", b"order_id,amount\n1,2\n")
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-04")

    synced = pipeline.sync()

    assert synced.is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    (aside,) = pipeline.status().quarantined
    assert (aside.key, aside.reason) == (bad, "column_missing")
    assert "customer_id, order_date" in aside.message
    assert bad in synced.failed_checks["landed_files_are_readable"]


def test_a_file_that_is_mostly_unreadable_is_quarantined_whole(pipeline: Pipeline) -> None:
    good = [f"{n},ann,1.00,2026-03-04" for n in range(10)]
    pipeline.land_rows("a.csv", *good, *(f"x{n},ann,one,2026-03-04" for n in range(11)))
    pipeline.land_rows("b.csv", *(f"y{n},,1.00,2026-03-04" for n in range(40)), "99,ann,1.00,2026-03-04")
    pipeline.sync()

    assert statuses(pipeline)["landing/a.csv"] == ("quarantined", "mostly_unreadable")
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    assert len(pipeline.rejected()) == 40


def test_retry_takes_a_quarantined_file_once_its_cause_is_mended(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise QuarantineError("bug", "the code was wrong")

    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    with monkeypatch.context() as patched:
        patched.setattr(raw_objects, "write_object", refuse)
        pipeline.sync()
    assert pipeline.sync().runs == 0

    assert CliRunner().invoke(main, ["retry", key]).exit_code == 0
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    again = CliRunner().invoke(main, ["retry", key])
    assert again.exit_code == 2
    assert key in again.output


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04\x00\x00 a spreadsheet", HEADER.encode("utf-16-le") + b"\n\x00", HEADER.encode() + b",Gr\xf6\xdfe\n"],
    ids=["zip", "utf-16", "cp1252"],
)
def test_a_header_of_any_bytes_is_quarantined_and_its_neighbours_load(pipeline: Pipeline, content: bytes) -> None:
    bad = pipeline.land("bad.csv", content)
    pipeline.land_rows("good.csv", "1,ann,1.00,2026-03-04")

    assert pipeline.sync().is_complete
    assert statuses(pipeline)[bad][0] == "quarantined"
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_a_quarantined_file_can_be_dismissed(pipeline: Pipeline) -> None:
    key = pipeline.land("bad.csv", b"nonsense\n")
    pipeline.sync()

    assert CliRunner().invoke(main, ["retract", key]).exit_code == 0
    assert pipeline.status().quarantined == []
    assert pipeline.sync().runs == 0
