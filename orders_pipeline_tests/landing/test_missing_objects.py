"""Objects of the lake that are missing or damaged block only what depends on them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import s3
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.landed import statuses

DAY = "2026-03-04"


def test_a_lost_file_that_s3_has_no_more_can_be_retracted(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,2.00,2026-03-04")
    pipeline.sync()
    s3.lake().delete(str(pipeline.query("SELECT path FROM ledger.landed_files WHERE key = :k", k=key)[0][0]))
    pipeline.remove("a.csv")
    pipeline.execute("UPDATE ledger.order_days SET version = version + 1")
    assert not pipeline.sync().is_complete

    assert CliRunner().invoke(main, ["retract", key]).exit_code == 0
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("2.00", 1)}


@pytest.mark.parametrize("damage", [None, b"PAR1 no more"])
def test_an_object_that_the_lake_has_lost_blocks_no_arrival(pipeline: Pipeline, damage: bytes | None) -> None:
    """Not even of a file that shares an order with it."""
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-05")
    pipeline.sync()
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files")
    lost = Path(s3.lake().uri) / str(path)
    lost.unlink()
    if damage:
        lost.write_bytes(damage)
    pipeline.land_rows("b.csv", "1,ann,3.00,2026-03-06")
    pipeline.land_rows("c.csv", "9,ann,9.00,2026-03-07")
    pipeline.run("s3_arrival", assets=["raw_orders"])

    assert {"landing/b.csv", "landing/c.csv"} <= statuses(pipeline).keys()
    assert pipeline.sync().is_complete
    assert statuses(pipeline) == dict.fromkeys((key, "landing/b.csv", "landing/c.csv"), ("loaded", None))
    assert pipeline.revenue() == {"2026-03-05": ("2.00", 1), "2026-03-06": ("3.00", 1), "2026-03-07": ("9.00", 1)}


def test_a_lost_object_blocks_no_revalidation(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04T23:30:00Z")
    pipeline.land_rows("b.csv", "2,ann,2.00,2026-03-04T23:30:00Z")
    pipeline.sync()
    s3.lake().delete(str(pipeline.query("SELECT path FROM ledger.landed_files WHERE key = 'landing/a.csv'")[0][0]))
    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("3.00", 2)}


def test_a_built_day_whose_object_is_lost_is_rebuilt(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    for path in pipeline.query("SELECT path FROM ledger.built_days WHERE path IS NOT NULL"):
        s3.lake().delete(str(path[0]))
    pipeline.execute("DELETE FROM ledger.built_days WHERE path IS NULL")

    assert pipeline.sync().is_complete
    assert pipeline.orders() == pipeline.orders("daily_orders") == {"1": ("ann", "1.00", "2026-03-04 00:00:00")}
