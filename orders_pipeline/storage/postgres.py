"""Connections to Postgres, and COPY, which writes all rows into tables and reads whole tables."""

from functools import lru_cache
from io import BytesIO
from typing import Any, Final

import polars as pl
import psycopg2
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from orders_pipeline.errors import SettingsError
from orders_pipeline.settings import Settings
from orders_pipeline.storage import embedded
from orders_pipeline.storage.poolers import backend_pid, keeps_sessions
from orders_pipeline.storage.postgres_errors import PostgresConnectionError, connection_problem

# SQLSTATE: connection, read-only server after a failover, idle session ended, rollback (deadlock),
# resources, shutdown, system. https://www.postgresql.org/docs/current/errcodes-appendix.html
# Not 57014 (statement timeout): that is the fault of the statement, and would recur.
_OUTAGES: Final = ("08", "25006", "25P03", "40", "53", "57P", "58")
# Settings of each session. Set after connecting: poolers refuse `options`, and users may set those in the URL.
# A lost host must not hold its advisory locks for long: both sides notice within about two minutes.
_SESSION: Final = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO';"
    " SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 15; SET tcp_keepalives_count = 4"
)


def database_url(settings: Settings) -> str:
    """URL of the pipeline's Postgres. Starts the embedded one if none is configured."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return embedded.postgres_url(settings.home)


def source_engine(settings: Settings) -> Engine:
    """The engine of the Postgres that has the source table. It needs no sessions, unless the ledger is there too.

    Raises:
        SettingsError: as `engine_for`.
    """
    if settings.source_url is None:
        return engine_for(database_url(settings))
    return engine_for(settings.source_url.get_secret_value(), "ORDERS_SOURCE_URL", needs_sessions=False)


@lru_cache(maxsize=8)
def engine_for(url: str, variable: str = "ORDERS_DATABASE_URL", *, needs_sessions: bool = True) -> Engine:
    """The engine of this process for a URL. At each connection, it raises PostgresConnectionError if there is none.

    `variable`: what is set to this URL, for messages.
    `needs_sessions`: whether callers rely on the session, as locks do. If not, sessions keep their default settings and
    are not pooled.

    Raises:
        SettingsError: not a URL of a Postgres. The message does not quote the URL, which may contain a password. At the
            first connection: a pooler does not keep sessions, and they are needed.
    """
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise SettingsError(f"{variable} is not a URL like postgresql://user:password@host:5432/database.") from None
    # Otherwise the end of a password would be parsed as host or database, and shown in messages.
    if "@" in f"{parsed.host}{parsed.database}":
        raise SettingsError(f"{variable} has more than one @. In a user name or a password, write %40.")
    engine = sa.create_engine(
        _with_driver(parsed, variable),
        pool_pre_ping=needs_sessions,
        poolclass=sa.QueuePool if needs_sessions else sa.NullPool,
        connect_args={
            "keepalives_idle": 60,
            "keepalives_interval": 15,
            "keepalives_count": 4,
            "client_encoding": "utf8",
            "application_name": "orders_pipeline",
            "connect_timeout": 20,
        },
    )
    sa.event.listen(engine, "handle_error", lambda context: _explain(context, variable, parsed.username), retval=True)
    if needs_sessions:
        sa.event.listen(engine, "connect", lambda connection, _: _begin_session(connection, url))
    return engine


def _begin_session(connection: Any, url: str) -> None:
    """Refuse a connection that does not keep its session, before changing its settings. Then set those that we need."""
    connection.autocommit = True
    # A pooler reports an invented process id when you connect. Only then is its mode worth checking.
    if connection.info.backend_pid != backend_pid(connection) and not keeps_sessions(
        engine_for(url, needs_sessions=False)
    ):
        connection.close()
        raise SettingsError(
            "ORDERS_DATABASE_URL leads to a connection pooler in transaction mode, but the locks of this pipeline need"
            " sessions. Use the pooler's session mode, or the port of the Postgres server itself."
        )
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)
    connection.autocommit = False


def _explain(context: sa.engine.ExceptionContext, variable: str, user: str | None) -> Exception | None:
    """Another exception for a failure to connect; None: any other error stays as it is."""
    error = context.original_exception
    if context.connection is not None or context.is_pre_ping or getattr(error, "pgcode", None) is not None:
        return None
    if isinstance(error, psycopg2.ProgrammingError):  # of libpq, for an option that it does not know
        said = str(error).strip().removeprefix("invalid dsn: ")
        return SettingsError(f"{variable} cannot be used: {said}. Correct or remove it.")
    if isinstance(error, psycopg2.OperationalError):
        return PostgresConnectionError(connection_problem(str(error), variable, user))
    return None


def _with_driver(url: URL, variable: str) -> URL:
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(
            f"{variable} begins with {url.drivername!r}: this pipeline needs Postgres (postgresql://...)."
        )
    return url.set(drivername="postgresql+psycopg2")


def is_outage(error: sa.exc.DBAPIError) -> bool:
    """Whether Postgres failed, and not the statement: a lost connection, a deadlock, a full disk, a restart."""
    code = getattr(error.orig, "pgcode", None)
    if code is None:  # psycopg2 lost the server, or could not connect
        return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return str(code).startswith(_OUTAGES)


def quote(identifier: str) -> str:
    """A quoted SQL identifier. (SQLAlchemy's quoting doubles percent signs, and not every path reverses that.)"""
    return '"' + identifier.replace('"', '""') + '"'


def copy_frame(connection: Connection, schema: str | None, table: str, frame: pl.DataFrame) -> int:
    """COPY a frame into a table with the same column names, in the caller's transaction. Returns the row count."""
    target = ".".join(quote(part) for part in (schema, table) if part)
    columns = ", ".join(quote(name) for name in frame.columns)
    rows = BytesIO()
    frame.write_csv(rows, include_header=False)  # writes an empty text as "" and a null as nothing, as COPY expects
    rows.seek(0)
    _copy(connection, f"COPY {target} ({columns}) FROM STDIN WITH (FORMAT csv)", rows)
    return frame.height


def copy_out(connection: Connection, query: sa.Select[Any], schema: pl.Schema) -> pl.DataFrame:
    """The rows of a query whose columns have these names and types."""
    bound = query.compile(dialect=connection.dialect)
    rows = BytesIO()
    cursor: Any = connection.connection.cursor()  # psycopg2's, behind SQLAlchemy's generic one
    with cursor:
        statement = cursor.mogrify(str(bound), bound.params).decode()  # COPY itself takes no parameters
    _copy(connection, f"COPY ({statement}) TO STDOUT WITH (FORMAT csv)", rows)
    rows.seek(0)
    # Polars reads what COPY writes: "" is an empty text, nothing is a null.
    return pl.read_csv(rows, has_header=False, schema=schema, raise_if_empty=False)


def _copy(connection: Connection, statement: str, rows: BytesIO) -> None:
    """Run COPY. Errors are SQLAlchemy's, without Postgres's context, which quotes rows."""
    cursor: Any = connection.connection.cursor()
    try:
        with cursor:
            cursor.copy_expert(statement, rows)
    except psycopg2.Error as error:
        reported: Any = type(error)(error.diag.message_primary or str(error).partition("\n")[0])
        reported.__setstate__({"pgcode": error.pgcode})  # the only way to set it: psycopg2 uses it for unpickling
        raise sa.exc.DBAPIError.instance(statement.partition(" (")[0], None, reported, psycopg2.Error) from None
