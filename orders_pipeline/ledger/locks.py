"""Advisory locks in Postgres: who is at work. They end with the session that took them, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from threading import Event, Thread
from typing import Final
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

_SPACE: Final = 0x0DE5  # first half of the keys of these locks
_RUN_SPACE: Final = 0x0DE6  # and of the lock that each run has to itself
_SECONDS: Final = 5.0  # between two looks at the session of a run's lock; far less than between two observations of it


class Lock(IntEnum):
    """What is locked: second half of the lock's key."""

    MIGRATION = 1
    INGEST = 2  # exclusive: the set of active files changes in one place at a time
    UNPARTITIONED_RUN = 3  # shared by runs of the unpartitioned chain
    PARTITIONED_RUN = 4  # shared by runs of the partitioned chain


@contextmanager
def hold_exclusive(engine: Engine, lock: Lock) -> Iterator[Connection]:
    """Wait for a lock and hold it on the session of the connection that is handed out. Commit through that session: if
    it is lost, and the lock with it, the commit is lost too."""
    with engine.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(_SPACE, int(lock))))
        connection.commit()
        try:
            yield connection
        finally:
            _release(connection, sa.func.pg_advisory_unlock(_SPACE, int(lock)))


@contextmanager
def hold_shared(engine: Engine, locks: list[Lock]) -> Iterator[None]:
    """Hold locks together with others of the same kind, to be seen at work."""
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
    """Hold a run's own lock until the end of the block: `is_run_alive` answers yes for as long as this process lives.

    It does not end with its session: when Postgres restarts or drops the connection, another session takes the lock
    within seconds. Where Postgres cannot be reached, the block runs all the same, and the lock is taken later."""
    tried, ended = Event(), Event()
    # A daemon thread: it must not keep alive the process that it vouches for.
    keeper = Thread(target=_keep, args=(engine, _key_of_run(run_id), tried, ended), daemon=True)
    keeper.start()
    tried.wait()
    try:
        yield
    finally:
        ended.set()
        keeper.join(_SECONDS)


def is_held(connection: Connection, lock: Lock) -> bool:
    """Whether any session holds the lock, or waits for it."""
    return _is_held(connection, (_SPACE, int(lock)))


def is_run_alive(connection: Connection, run_id: str) -> bool:
    """Whether the process of this run is alive: whether it holds the lock of `hold_run_lock`.

    A process that lives may lose the lock for a moment, with its session. Act on a second "no" some time later."""
    return _is_held(connection, _key_of_run(run_id))


def _keep(engine: Engine, key: tuple[int, int], tried: Event, ended: Event) -> None:
    try:
        while not ended.is_set():
            with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
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
        # The session is lost, and the lock with it. Do not give the connection back to the pool.
        connection.invalidate()
