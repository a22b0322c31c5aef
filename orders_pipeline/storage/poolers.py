"""Connection poolers: whether a connection through one keeps its session, as locks need."""

from functools import lru_cache
from typing import Any

from sqlalchemy.engine import Engine


@lru_cache
def keeps_sessions(engine: Engine) -> bool:
    """Whether each connection stays with one process of the server, as in a pooler's session mode. Cached.

    If not, two connections get the same process, or one connection gets different ones. Each connection asks twice in a
    row: that exposes poolers that rotate their servers as well as poolers that reuse the last one.
    """
    with engine.connect() as one, engine.connect() as other:
        held: list[Any] = [connection.connection.driver_connection for connection in (one, other)]
        for connection in held:
            connection.autocommit = True
        pids = [[backend_pid(connection) for _ in range(2)] for _ in range(2) for connection in held]
    first, second, *again = pids
    return [first, second] == again and first[0] == first[1] != second[0] == second[1]


def backend_pid(connection: Any) -> int:
    """The process of the server that answers a psycopg2 connection at this moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_backend_pid()")
        return int(cursor.fetchone()[0])
