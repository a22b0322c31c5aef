"""Connection poolers: whether a connection through one has a session of its own, as a lock needs it."""

from functools import lru_cache
from typing import Any

from sqlalchemy.engine import Engine


@lru_cache
def keeps_sessions(engine: Engine) -> bool:
    """Whether each connection stays with one process of the server, as in a pooler's session mode. Asked once.

    Where it does not, two connections in turn are given the same process, or one is given different ones. Each asks
    twice in a row: a pooler that takes its servers by turns is told by the one, one that takes the last by the other.
    """
    with engine.connect() as one, engine.connect() as other:
        held: list[Any] = [connection.connection.driver_connection for connection in (one, other)]
        for connection in held:
            connection.autocommit = True
        asked = [[backend_pid(connection) for _ in range(2)] for _ in range(2) for connection in held]
    first, second, *again = asked
    return [first, second] == again and first[0] == first[1] != second[0] == second[1]


def backend_pid(connection: Any) -> int:
    """The process of the server that answers a psycopg2 connection just now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_backend_pid()")
        return int(cursor.fetchone()[0])
