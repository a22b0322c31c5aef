"""One view of the ledger, for all that is read of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection, Engine


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection to which the ledger does not change."""
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        yield connection
