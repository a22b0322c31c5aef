"""Outages of Postgres and of the lake while files are in hand: the files are not at fault."""

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

_PATIENCE: Final = 60  # seconds in which a Postgres that restarts should answer again


def is_outage(error: Exception) -> bool:
    """Whether Postgres, the lake or the disk is at fault. OSError is Polars's word for a lake out of reach."""
    if isinstance(error, sa.exc.DBAPIError):
        return postgres.is_outage(error)
    return isinstance(error, OSError | ServiceUnavailableError)


def error_message(error: Exception) -> str:
    """What an error says, of Postgres without the statement and its values."""
    return str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).strip()


@contextmanager
def releasing_on_outage(connection: Connection, run_id: str, log: logging.Logger) -> Iterator[None]:
    """Take back the attempt at the files that a run has in hand if there is an outage meanwhile.

    Raises:
        ServiceUnavailableError: there was one.
    """
    try:
        yield
    except Exception as error:
        if not is_outage(error):
            raise
        outage = ServiceUnavailableError(f"Postgres or the lake failed while files were taken: {error_message(error)}")
        _put_back(connection.engine, run_id, str(outage), log)
        raise outage from error


def _put_back(engine: Engine, run_id: str, message: str, log: logging.Logger) -> None:
    """Take back attempts as soon as Postgres answers; after a while, let them count."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with engine.begin() as transaction:
                files.release(transaction, run_id, message)
        except sa.exc.DBAPIError as error:
            if not postgres.is_outage(error):
                raise
            if time.monotonic() > deadline:
                log.warning("The files in hand keep an attempt each, for Postgres stays away: %s", error_message(error))
                return
            time.sleep(1)
        else:
            return
