"""Random histories of files, table rows and runs, each compared with the oracle. `make chaos` plays many more."""

from pathlib import Path

from orders_pipeline_tests.support.histories import SEED, play


def test_the_tables_are_what_the_bytes_say_after_any_history(services: Path, template_database: str) -> None:
    play(4, SEED, services, template_database)
