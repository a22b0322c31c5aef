"""Connections to Postgres, and COPY: the one way in which rows go into tables, and in which whole tables come out."""

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

# SQLSTATE: connection, a server that is read-only since a failover, an idle session ended, rollback (deadlock),
# resources, shutdown, system. https://www.postgresql.org/docs/current/errcodes-appendix.html
# Not 57014: a statement that takes too long each time is the statement's fault.
_OUTAGES: Final = ("08", "25006", "25P03", "40", "53", "57P", "58")
# Of each session. Set after connecting: poolers refuse `options`, which belong to the user of the URL besides.
# A lost host must not hold its advisory locks for long: both sides look after two minutes of silence.
_SESSION: Final = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO';"
    " SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 15; SET tcp_keepalives_count = 4"
)


def database_url(settings: Settings) -> str:
    """URL of the pipeline's own Postgres; the embedded one is started if nothing else is configured."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return embedded.postgres_url(settings.home)


def source_engine(settings: Settings) -> Engine:
    """The engine of the Postgres that holds the source table. Nothing there relies on the session, unless the ledger is
    there too.

    Raises:
        SettingsError: as `engine_for`.
    """
    if settings.source_url is None:
        return engine_for(database_url(settings))
    return engine_for(settings.source_url.get_secret_value(), needs_sessions=False)


@lru_cache(maxsize=8)
def engine_for(url: str, *, needs_sessions: bool = True) -> Engine:
    """The one engine of this process for a URL.

    `needs_sessions`: whether what is done there relies on the session, as locks do. If not, sessions are left as they
    are and kept for no one.

    Raises:
        SettingsError: not a URL of a Postgres. The message does not repeat it, since it may hold a password. At the
            first connection: a pooler gives no session where one is needed.
    """
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise SettingsError(
            "ORDERS_DATABASE_URL or ORDERS_SOURCE_URL is not a URL like postgresql://user:password@host:5432/database."
        ) from None
    # The end of a password: taken for the name of a host or a database, it would be told as one.
    if "@" in f"{parsed.host}{parsed.database}":
        raise SettingsError(
            "ORDERS_DATABASE_URL or ORDERS_SOURCE_URL has more than one @: in a user's name or a password, write %40."
        )
    engine = sa.create_engine(
        _with_driver(parsed),
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
    if needs_sessions:
        sa.event.listen(engine, "connect", lambda connection, _: _begin_session(connection, url))
    return engine


def _begin_session(connection: Any, url: str) -> None:
    """Refuse a connection whose session is not its own, before anything is set in it; then set what ours need."""
    connection.autocommit = True
    # A pooler invents the process that it names when it is connected to. Only then is it worth asking how it pools.
    if connection.info.backend_pid != backend_pid(connection) and not keeps_sessions(
        engine_for(url, needs_sessions=False)
    ):
        connection.close()
        raise SettingsError(
            "ORDERS_DATABASE_URL leads to a connection pooler in transaction mode, which keeps no session for the locks"
            " of this pipeline. Use the pooler's session mode, or the port of the Postgres server itself."
        )
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)
    connection.autocommit = False


def _with_driver(url: URL) -> URL:
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(
            f"ORDERS_DATABASE_URL or ORDERS_SOURCE_URL begins with {url.drivername!r}: this pipeline needs Postgres"
            " (postgresql://...)."
        )
    return url.set(drivername="postgresql+psycopg2")


def is_outage(error: sa.exc.DBAPIError) -> bool:
    """Whether Postgres failed, not what it was asked to do: a lost connection, a deadlock, a full disk, a restart."""
    code = getattr(error.orig, "pgcode", None)
    if code is None:  # psycopg2 itself lost the server, or never found it
        return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return str(code).startswith(_OUTAGES)


def quote(identifier: str) -> str:
    """An identifier as SQL takes it. (SQLAlchemy's own way doubles percent signs, which only some paths undo.)"""
    return '"' + identifier.replace('"', '""') + '"'


def copy_frame(connection: Connection, schema: str | None, table: str, frame: pl.DataFrame) -> int:
    """COPY a frame into a table with the same column names, in the caller's transaction. Returns the row count."""
    target = ".".join(quote(part) for part in (schema, table) if part)
    columns = ", ".join(quote(name) for name in frame.columns)
    rows = BytesIO()
    frame.write_csv(rows, include_header=False)  # an empty text is written as "", a null as nothing: COPY's own rule
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
    # Polars reads it as COPY writes it: "" is an empty text, nothing a null.
    return pl.read_csv(rows, has_header=False, schema=schema, raise_if_empty=False)


def _copy(connection: Connection, statement: str, rows: BytesIO) -> None:
    """COPY. An error is SQLAlchemy's, as that of any other statement, without Postgres's context, which quotes rows."""
    cursor: Any = connection.connection.cursor()
    try:
        with cursor:
            cursor.copy_expert(statement, rows)
    except psycopg2.Error as error:
        told: Any = type(error)(error.diag.message_primary or str(error).partition("\n")[0])
        told.__setstate__({"pgcode": error.pgcode})  # as when it is unpickled: nothing else may set it
        raise sa.exc.DBAPIError.instance(statement.partition(" (")[0], None, told, psycopg2.Error) from None


def column_types(frame: pl.DataFrame) -> dict[str, sa.types.TypeEngine[Any]]:
    """Postgres types that hold a frame's columns exactly."""
    return {name: _column_type(dtype) for name, dtype in frame.schema.items()}


def _column_type(dtype: pl.DataType) -> sa.types.TypeEngine[Any]:
    if isinstance(dtype, pl.Datetime):
        return sa.DateTime(timezone=dtype.time_zone is not None)
    exact: list[tuple[bool, sa.types.TypeEngine[Any]]] = [
        (dtype.is_integer(), sa.BigInteger()),
        (dtype.is_decimal(), sa.Numeric()),
        (dtype.is_float(), sa.Double()),
        (dtype == pl.Boolean, sa.Boolean()),
        (dtype == pl.Date, sa.Date()),
    ]
    return next((kind for fits, kind in exact if fits), sa.Text())
