"""One Postgres and one S3 server for all tests; a database, a bucket and a lake for each."""

import gc
import os
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest

from bench.variables import OF_THE_PIPELINE
from orders_pipeline.storage import embedded
from orders_pipeline.tables import batching
from orders_pipeline_tests.support import suites
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.in_memory import quicken
from orders_pipeline_tests.support.places import (
    migrated_database,
    new_bucket,
    new_database,
    trust_the_power,
    variables,
)
from orders_pipeline_tests.support.seed import SEED_VARIABLE


def pytest_configure() -> None:
    """One seed for all random histories, also in parallel workers, which inherit it."""
    os.environ.setdefault(SEED_VARIABLE, str(random.SystemRandom().randrange(1_000_000)))
    quicken()


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out tests by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of whole runs that `make test` leaves out."""
    if not suites.is_of_a_few(config.args):
        for item in suites.slow(items, suites.guards()):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays to the end: garbage collections need not look at it again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The seed, to play the same histories again."""
    terminalreporter.line(f"Random histories were played from {SEED_VARIABLE}={os.environ[SEED_VARIABLE]}.")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what the developer's shell has set."""
    for name in list(os.environ):
        if name.startswith(OF_THE_PIPELINE):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few orders of a test are as many to it as half a million are to a build: it goes through portions of days."""
    monkeypatch.setattr(batching, "_ROWS_AT_ONCE", 2)


@pytest.fixture(scope="session")
def services() -> Iterator[Path]:
    """Home of the Postgres and the S3 server that all tests share.

    Not under pytest's own temporary folder: each pytest closes that to other users when it starts, and Postgres runs as
    one when we are root."""
    with TemporaryDirectory(prefix="orders-tests-") as folder:
        home = Path(folder)
        embedded.postgres_url(home)
        trust_the_power(home)
        embedded.s3_endpoint(home)
        yield home
        embedded.stop(home)


@pytest.fixture(scope="session")
def template_database(services: Path) -> str:
    """A database with the schemas in place, to be copied for each test."""
    return migrated_database(services)


@pytest.fixture
def database_url(services: Path, template_database: str) -> Iterator[str]:
    """A database of the test's own."""
    with new_database(services, template_database) as url:
        yield url


@pytest.fixture
def bucket(services: Path) -> str:
    """An empty bucket of the test's own."""
    return new_bucket(services)


@pytest.fixture
def environment(
    services: Path, database_url: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The variables that make a pipeline of the test's own, set in this process."""
    found = variables(services, database_url, bucket, tmp_path)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def pipeline(environment: dict[str, str], tmp_path: Path) -> Iterator[Pipeline]:
    """A whole pipeline of the test's own."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Pipeline(tmp_path, instance)
