"""Outages of Postgres and of the lake while files are loaded. They do not count as attempts at these files."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.ledger import files
from orders_pipeline.storage import postgres
from orders_pipeline.text import LONGEST_MESSAGE, cut

_PATIENCE: Final = 60  # seconds, enough for a restart of Postgres


def is_outage(error: Exception) -> bool:
    """Whether Postgres, the lake or the disk is at fault. Polars raises OSError for a lake that does not answer."""
    if isinstance(error, sa.exc.DBAPIError):
        return postgres.is_outage(error)
    return isinstance(error, OSError | ServiceUnavailableError)


def error_message(error: Exception) -> str:
    """The message of an error, cut if it is long. Of a Postgres error, without the statement and its values."""
    return cut(str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).strip(), LONGEST_MESSAGE)


@contextmanager
def releasing_on_outage(connection: Connection, run_id: str, log: logging.Logger) -> Iterator[None]:
    """If there is an outage, release the files that the run has claimed, and refund their attempts.

    Raises:
        ServiceUnavailableError: there was one.
    """
    try:
        yield
    except Exception as error:
        if not is_outage(error):
            raise
        outage = ServiceUnavailableError(f"Postgres or the lake failed while files were loaded: {error_message(error)}")
        _release(connection.engine, run_id, str(outage), log)
        raise outage from error


def _release(engine: Engine, run_id: str, message: str, log: logging.Logger) -> None:
    """Release the files as soon as Postgres answers. After a while, give up: their attempts count."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with engine.begin() as transaction:
                files.release(transaction, run_id, message)
        except sa.exc.DBAPIError as error:
            if not postgres.is_outage(error):
                raise
            if time.monotonic() > deadline:
                log.warning(
                    "Postgres still does not answer, so this attempt counts for each claimed file: %s",
                    error_message(error),
                )
                return
            time.sleep(1)
        else:
            return
