"""This pipeline: `orders-pipeline sync`, with all its checks."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

import orders_pipeline.definitions  # noqa: F401 - before the clock runs
from bench.places import Place
from orders_pipeline.cli.sync import Synced, sync
from orders_pipeline.ledger.migrate import migrate
from orders_pipeline.storage.postgres import engine_for


def run(place: Place) -> None:
    prepare(place)
    synced = sync_now()
    if not synced.is_complete or synced.failed_checks:
        raise AssertionError(f"{synced.errors} {synced.failed_checks}")


def prepare(place: Place) -> None:
    """Make the schemas."""
    migrate(engine_for(place.database_url))


def sync_now() -> Synced:
    """Bring every table up to date, without a word."""
    with quiet() as instance:
        return sync(instance, lambda _: None)


@contextmanager
def quiet() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that remembers nothing, and whose runs print nothing."""
    logging.disable(logging.CRITICAL)
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
