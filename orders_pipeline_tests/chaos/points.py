"""The points at which a process can be stopped: each statement that writes, both sides of each commit, each step of a
write to the lake, each request to S3. They are found from outside: the package has no code for them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from weakref import WeakKeyDictionary

import botocore.client
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.engine import Engine

from orders_pipeline.io_managers import marts

Reached = Callable[[str, Any], None]

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "TRUNCATE")


@contextmanager
def watched(reached: Reached) -> Iterator[None]:
    """Call `reached(name, connection)` at each point, with psycopg2's connection where there is one."""
    written: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()  # connections with something to commit

    def before_statement(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        verb, *rest = statement.split(maxsplit=3)
        if connection.dialect.name == "postgresql" and verb.upper() in _WRITES:
            driver = connection.connection.dbapi_connection
            written[driver] = True
            table = next((word for word in rest if word.upper() not in ("INTO", "FROM")), "")
            reached(f"{verb} {table.strip('(')}", driver)

    def commit(self: Any, fairy: Any, *, original: Any = PGDialect_psycopg2.do_commit) -> None:
        driver = getattr(fairy, "dbapi_connection", fairy)
        if not written.pop(driver, False):
            original(self, fairy)
            return
        reached("before COMMIT", driver)
        original(self, fairy)
        reached("after COMMIT", driver)

    def copy(connection: Any, schema: Any, table: str, frame: Any, *, original: Any = marts.copy_frame) -> int:
        reached(f"COPY {table}", connection.connection.dbapi_connection)
        return int(original(connection, schema, table, frame))

    def fsync(number: int, *, original: Any = os.fsync) -> None:
        original(number)
        reached("lake: written", None)

    def replace(self: Path, target: Any, *, original: Any = Path.replace) -> Any:
        reached("lake: before rename", None)
        result = original(self, target)
        reached("lake: after rename", None)
        return result

    def call(self: Any, name: str, values: Any, *, original: Any = botocore.client.BaseClient._make_api_call) -> Any:
        reached(f"S3 {name}", None)
        return original(self, name, values)

    sa.event.listen(Engine, "before_cursor_execute", before_statement)
    try:
        with (
            mock.patch.object(PGDialect_psycopg2, "do_commit", commit),
            mock.patch.object(marts, "copy_frame", copy),
            mock.patch.object(os, "fsync", fsync),
            mock.patch.object(Path, "replace", replace),
            mock.patch.object(botocore.client.BaseClient, "_make_api_call", call),
        ):
            yield
    finally:
        sa.event.remove(Engine, "before_cursor_execute", before_statement)
