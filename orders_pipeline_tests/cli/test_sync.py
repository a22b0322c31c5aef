"""Whole pipelines, brought up to date: what lands is in the tables, once, whatever the order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

from orders_pipeline.resources import S3Resource
from orders_pipeline.run_tags import DAYS, FILES, SOURCE
from orders_pipeline_tests.support.driver import Pipeline


def test_files_and_the_source_table_end_up_in_all_tables(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id int, customer_id text, amount numeric, order_date timestamptz)")
    pipeline.execute("INSERT INTO orders VALUES (1, 'tom', 5.25, '2026-03-04 12:00+00')")
    pipeline.land_rows("a.csv", "10,ann,1.10,2026-03-04 09:00:00", "11,,2.00,2026-03-04", "12,bob,3.00,2026-03-05")

    synced = pipeline.sync()

    assert synced.is_complete
    assert pipeline.revenue() == {"2026-03-04": ("6.35", 2), "2026-03-05": ("3.00", 1)}
    assert pipeline.spend() == {
        ("2026-03-04", "ann"): "1.10",
        ("2026-03-04", "tom"): "5.25",
        ("2026-03-05", "bob"): "3.00",
    }
    assert pipeline.rejected() == [("landing/a.csv", 3, "customer_id_missing", "11,,2.00,2026-03-04")]
    assert pipeline.orders() == pipeline.orders("daily_orders")
    assert pipeline.orders()["1"] == ("tom", "5.25", "2026-03-04 12:00:00")


def test_its_runs_are_listed_under_their_job_and_say_what_they_are_for(pipeline: Pipeline) -> None:
    pipeline.land_rows("shop/a.csv", "10,ann,1.10,2026-03-04", "11,bob,3.00,2026-03-06")
    pipeline.sync()

    runs = {run.job_name: run for run in pipeline.instance.get_runs()}
    origins = {run.remote_job_origin.get_id() for run in runs.values() if run.remote_job_origin}
    labels = {run.tags_for_storage()[REPOSITORY_LABEL_TAG] for run in runs.values()}
    assert (len(origins), labels) == (2, {"__repository__@orders_pipeline"})  # Timeline and Jobs ask for these
    said = {job: {tag: run.tags.get(tag) for tag in (SOURCE, FILES, DAYS)} for job, run in runs.items()}
    assert said == {
        "s3_arrival": {SOURCE: "landing/shop/", FILES: "a.csv", DAYS: None},
        "stale_days": {SOURCE: None, FILES: None, DAYS: "2026-03-04, 2026-03-06"},
    }


def test_a_second_sync_runs_nothing(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "10,ann,1.10,2026-03-04")
    pipeline.sync()

    assert pipeline.sync().runs == 0


def test_a_new_file_costs_one_listing_like_none(pipeline: Pipeline, listings: list[None]) -> None:
    pipeline.sync()
    assert len(listings) == 1
    listings.clear()
    pipeline.land_rows("a.csv", "10,ann,1.10,2026-03-04")

    assert pipeline.sync().is_complete
    assert len(listings) == 1
    assert pipeline.revenue() == {"2026-03-04": ("1.10", 1)}


def test_a_file_that_is_gone_after_it_was_listed_is_looked_for_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, listings: list[None]
) -> None:
    pipeline.sync()
    listings.clear()
    pipeline.land_rows("a.csv", "10,ann,1.10,2026-03-04")
    pipeline.land_rows("b.csv", "11,ann,2.20,2026-03-04")
    download = S3Resource.download

    def gone(self: S3Resource, version: Any, target: Path) -> None:
        pipeline.remove("a.csv")
        download(self, version, target)

    monkeypatch.setattr(S3Resource, "download", gone)

    assert pipeline.sync().is_complete
    assert len(listings) == 2
    assert pipeline.revenue() == {"2026-03-04": ("2.20", 1)}


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An entry for each listing of the landing zone."""
    counted, list_pages = list[None](), S3Resource.list_pages

    def count(self: S3Resource, *args: Any, **options: Any) -> Iterator[Any]:
        counted.append(None)
        return list_pages(self, *args, **options)

    monkeypatch.setattr(S3Resource, "list_pages", count)
    return counted
