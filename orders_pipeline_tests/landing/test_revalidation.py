"""Files that were validated by other rules or for another time zone are revalidated."""

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline_tests.support.driver import Pipeline

DAY = "2026-03-04"


def test_files_validated_by_older_rules_are_revalidated(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04T23:30:00Z", "2,ann,x,2026-03-04")
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("1.00", 1)}

    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")

    assert not pipeline.status().is_current
    assert pipeline.run("s3_arrival", assets=["cleaned_orders"]).success
    assert [str(day) for day in pipeline.stale("cleaned_orders")] == [DAY]  # nothing is built from a mixture

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("1.00", 1)}
    assert pipeline.spend() == {("2026-03-05", "ann"): "1.00"}
    assert len(pipeline.rejected()) == 1
    assert pipeline.sync().runs == 0


def test_an_older_release_takes_nothing_back_that_a_newer_one_has_read(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside it, or after it: what it may not change is not its to do, or it would be asked for at every tick."""
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,x,2026-03-04")
    with monkeypatch.context() as newer:
        for table in list(CODE_VERSIONS):
            newer.setitem(CODE_VERSIONS, table, CODE_VERSIONS[table] + 1)
        pipeline.sync()
    assert CliRunner().invoke(main, ["retract", key]).exit_code == 0

    assert pipeline.sync().runs == 0
    assert len(pipeline.rejected()) == 1

    with monkeypatch.context() as newer:
        for table in list(CODE_VERSIONS):
            newer.setitem(CODE_VERSIONS, table, CODE_VERSIONS[table] + 1)
        assert pipeline.sync().is_complete
    assert pipeline.rejected() == []
    assert pipeline.revenue() == {}
