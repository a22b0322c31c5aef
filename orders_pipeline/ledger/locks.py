"""Advisory locks in Postgres: they show which processes are running. A lock ends with its session, in any case."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from threading import Event, Thread
from typing import Final
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import OrdersPipelineError

_SPACE: Final = 0x0DE5  # first half of the key of each lock below
_RUN_SPACE: Final = 0x0DE6  # first half of the key of a run's lock
_SECONDS: Final = (
    5.0  # between checks of a run lock's session; must be far less than between two observations of the lock
)


class Lock(IntEnum):
    """What is locked: second half of the lock's key."""

    MIGRATION = 1
    INGEST = 2  # exclusive: the set of active files changes in one place at a time
    UNPARTITIONED_RUN = 3  # shared by runs of the unpartitioned chain
    PARTITIONED_RUN = 4  # shared by runs of the partitioned chain
    FINDINGS = 5  # exclusive, for a moment: findings are recorded and accepted in one place at a time


@contextmanager
def hold_exclusive(engine: Engine, lock: Lock) -> Iterator[Connection]:
    """Wait for a lock, and hold it on the session of the yielded connection. Commit through that connection: if its
    session is lost, and the lock with it, the commit fails too."""
    with engine.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(_SPACE, int(lock))))
        connection.commit()
        try:
            yield connection
        finally:
            _release(connection, sa.func.pg_advisory_unlock(_SPACE, int(lock)))


@contextmanager
def hold_shared(engine: Engine, locks: list[Lock]) -> Iterator[None]:
    """Hold shared locks, which show that this process is running."""
    keys = [(_SPACE, int(lock)) for lock in locks]
    with engine.connect() as connection:
        for key in keys:
            connection.execute(sa.select(sa.func.pg_advisory_lock_shared(*key)))
        connection.commit()
        try:
            yield
        finally:
            for key in keys:
                _release(connection, sa.func.pg_advisory_unlock_shared(*key))


@contextmanager
def hold_run_lock(engine: Engine, run_id: str) -> Iterator[None]:
    """Hold a run's lock until the end of the block: `is_run_alive` is true for as long as this process lives.

    If Postgres restarts or drops the connection, another session takes the lock within seconds. If Postgres cannot be
    reached, the block runs anyway, and the lock is taken later."""
    tried, ended = Event(), Event()
    # A daemon thread: it must not keep this process alive.
    keeper = Thread(target=_keep, args=(engine, _key_of_run(run_id), tried, ended), daemon=True)
    keeper.start()
    tried.wait()
    try:
        yield
    finally:
        ended.set()
        keeper.join(_SECONDS)


def hold_until_commit(transaction: Connection, lock: Lock) -> None:
    """Wait for a lock, and hold it until the transaction ends."""
    transaction.execute(sa.select(sa.func.pg_advisory_xact_lock(_SPACE, int(lock))))


def is_held(connection: Connection, lock: Lock) -> bool:
    """Whether any session holds the lock, or waits for it."""
    return _is_held(connection, (_SPACE, int(lock)))


def is_run_alive(connection: Connection, run_id: str) -> bool:
    """Whether the process of this run is alive: whether it holds the lock of `hold_run_lock`.

    A live process can lose the lock for a moment, with its session. Act only if a later observation agrees."""
    return _is_held(connection, _key_of_run(run_id))


def _keep(engine: Engine, key: tuple[int, int], tried: Event, ended: Event) -> None:
    try:
        while not ended.is_set():
            with suppress(sa.exc.SQLAlchemyError, OrdersPipelineError), engine.connect() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_lock_shared(*key)))
                connection.commit()
                tried.set()
                try:
                    while not ended.wait(_SECONDS):
                        connection.execute(sa.select(1))  # fails if the session is lost
                        connection.commit()
                finally:
                    _release(connection, sa.func.pg_advisory_unlock_shared(*key))
            tried.set()
            ended.wait(_SECONDS)
    finally:
        tried.set()


def _key_of_run(run_id: str) -> tuple[int, int]:
    return _RUN_SPACE, crc32(run_id.encode()) & 0x7FFF_FFFF


def _is_held(connection: Connection, key: tuple[int, int]) -> bool:
    held = sa.text(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = :space AND objid = :number"
        " AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    return bool(connection.execute(held, {"space": key[0], "number": key[1]}).scalar_one())


def _release(connection: Connection, unlock: sa.ColumnElement[bool]) -> None:
    if connection.closed or connection.invalidated:
        return
    try:
        connection.rollback()
        connection.execute(sa.select(unlock))
        connection.commit()
    except sa.exc.DBAPIError:
        # The session is lost, and the lock with it. Keep the connection out of the pool.
        connection.invalidate()
