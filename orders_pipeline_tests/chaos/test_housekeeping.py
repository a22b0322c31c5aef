"""Migrations, the vacuum and a recovery, killed at every point."""

from pathlib import Path

import dagster as dg
import pytest

from orders_pipeline.definitions import s3
from orders_pipeline_tests.chaos.crew import EVERY, Fault, end, start
from orders_pipeline_tests.chaos.scenarios import Inject, Scenario, at
from orders_pipeline_tests.chaos.verdict import assert_exact, assert_whole
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.places import database_of, new_database
from orders_pipeline_tests.support.restoration import after_the_backup, before_the_backup, beginning

pytestmark = pytest.mark.chaos


def test_a_migration_is_killed_and_begun_twice_at_once(services: Path, tmp_path: Path, injected: Inject) -> None:
    none = Fault("none", 0, tmp_path / "points")
    with new_database(services, "template1") as url:
        assert end(start("migrate", {"ORDERS_DATABASE_URL": url}, none)) == 0
    assert len(none.points) > 8
    for number in range(len(none.points)):
        fault = Fault("kill", number, tmp_path / str(number))
        with new_database(services, "template1") as url:
            places = {"ORDERS_DATABASE_URL": url}
            assert end(start("migrate", places, fault)) < 0
            both = [start("migrate", places, Fault("none", 0, tmp_path / f"{number}-{each}")) for each in "ab"]
            assert [end(process) for process in both] == [0, 0]
            assert end(start("migrate", places, Fault("kill", 0, tmp_path / f"{number}-c"))) == 0  # nothing to write
        injected("kill during a migration, then two at once", "completes, once")


def test_a_vacuum_is_killed(
    scenarios: dict[str, Scenario], instance: dg.DagsterInstance, tmp_path: Path, injected: Inject
) -> None:
    """Between its two phases and in each: no object that the ledger names is ever gone."""
    scenario = scenarios["corrections"]

    def left_overs(folder: Path) -> None:
        for number in range(3):
            (folder / "raw_orders").mkdir(parents=True, exist_ok=True)
            (folder / "raw_orders" / f"{number}.parquet").write_bytes(b"left over")

    none = Fault("none", 0, tmp_path / "points")
    with scenario.again(tmp_path) as environment:
        left_overs(Path(environment["ORDERS_LAKE_URI"]))
        assert end(start("vacuum", environment, none)) == 0, none.log.read_text()
    for number in range(len(none.points)):
        with scenario.again(tmp_path) as environment, at(environment, tmp_path, instance) as pipeline:
            left_overs(Path(environment["ORDERS_LAKE_URI"]))
            assert end(start("vacuum", environment, Fault("kill", number, tmp_path / str(number)))) < 0
            assert_whole(pipeline, scenario)
            assert end(start("vacuum", environment, Fault("none", 0, tmp_path / "again"))) == 0
            assert not (Path(environment["ORDERS_LAKE_URI"]) / "raw_orders" / "0.parquet").exists()
            assert_exact(pipeline, scenario)
        injected("kill during a vacuum", "nothing that counts is gone; the next one finishes")


def test_a_recovery_is_killed(
    pipeline: Pipeline, services: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Inject
) -> None:
    """And said again: every table is as if neither had happened."""
    with beginning(pipeline, services, monkeypatch) as restoration:
        before_the_backup(restoration)
        pipeline.sync()
        with restoration.backup() as backup:
            after_the_backup(restoration)
            restoration.lose_what_counts_no_more()
            rows = {
                key: (len(file.orders) + len(file.rejects), len(file.orders))
                for key, file in restoration.oracle.active.items()
            }
            scenario = Scenario(
                "restored",
                services,
                database_of(backup),
                tmp_path / "lake",
                s3.bucket,
                [],
                restoration.oracle.tables(),
                rows,
            )
            none = Fault("none", 0, tmp_path / "points")
            elsewhere = {"ORDERS_SOURCE_URL": restoration.source}
            with scenario.again(tmp_path / "first") as places:
                assert end(start("recover", places | elsewhere, none)) == 0, none.log.read_text()
            assert len(none.points) > 8
            for number in range(0, len(none.points), EVERY):
                folder = tmp_path / str(number)
                with scenario.again(folder) as places, at(places | elsewhere, folder, pipeline.instance) as found:
                    folder.mkdir(exist_ok=True)
                    assert end(start("recover", places | elsewhere, Fault("kill", number, folder / "fault"))) < 0
                    assert end(start("recover", places | elsewhere, Fault("none", 0, folder / "again"))) == 0
                    assert_exact(found, scenario)
                injected("kill during a recovery, which is then repeated", "exact after the next sync")
