"""The source table: each of its days is handled like a file, with a hash of its rows as the ETag.

Postgres computes the hashes, and only days that changed are copied. Updates and deletes are found without an
`updated_at` column: every change of an order changes the hash of its day.
"""

import csv
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import StringIO
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Final

import psycopg2
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.formats.columns import order_columns
from orders_pipeline.formats.encodings import csv_reader
from orders_pipeline.landing import source_columns
from orders_pipeline.landing.source_columns import SourceColumn
from orders_pipeline.landing.source_name import Table, find_table, parts_of
from orders_pipeline.ledger.versions import TABLE, FileVersion
from orders_pipeline.schema import REQUIRED_COLUMNS, TABLE_PREFIX
from orders_pipeline.settings import Settings
from orders_pipeline.sources import conditions
from orders_pipeline.sources.declaration import PLAIN, Source
from orders_pipeline.storage.postgres import quote, source_engine

BUCKET: Final = TABLE
_NO_DAY: Final = "none"
# Rows without `updated_at` rank below the rows of all files. No order between them is right, but this one is the same
# on every replay.
LANDED_AT: Final = datetime(1, 1, 1, tzinfo=UTC)
# In the ledger while the table does not answer, so that it is requested again.
WHOLE: Final = FileVersion(BUCKET, f"{TABLE_PREFIX}all", "", 0, LANDED_AT)

# Texts and errors depend on these. Set for one transaction only: a pooler may give the next one another session, and
# this session to another client. With row security off, Postgres raises an error instead of hiding rows.
_SETTINGS: Final = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "row_security": "off",
}
_LOCK_SECONDS: Final = 5.0
_LOCKED: Final = "55P03"  # SQLSTATE lock_not_available
_FORBIDDEN: Final = "42501"  # SQLSTATE insufficient_privilege
_ROW_SECURITY: Final = "check_enable_rls"

_COLUMNS: Final = """
WITH RECURSIVE typed AS (
    SELECT attnum, attname, atttypid AS type, atttypmod AS modifier, attcollation,
        format_type(atttypid, atttypmod) AS declared
    FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT attnum, attname, typbasetype, typtypmod, attcollation, declared
    FROM typed JOIN pg_type ON pg_type.oid = type WHERE typtype = 'd'
)
SELECT attname, CASE WHEN typnamespace = 'pg_catalog'::regnamespace THEN typname ELSE '' END, declared, modifier <> -1,
    coalesce(collisdeterministic, true)
FROM typed JOIN pg_type ON pg_type.oid = type LEFT JOIN pg_collation ON pg_collation.oid = attcollation
WHERE typtype <> 'd' ORDER BY attnum
"""


@dataclass(frozen=True)
class Snapshot:
    """The table as one REPEATABLE READ transaction sees it, while it is open."""

    connection: Connection
    table: Table
    columns: list[SourceColumn]
    zone: str

    def versions(self) -> list[FileVersion]:
        """A version for each day of the table; its size is the number of its rows."""
        shape, fingerprint = source_columns.shape(self.columns), source_columns.fingerprint(self.columns)
        with _answering(self.table.quoted, self.connection), _cursor(self.connection) as cursor:
            cursor.execute(  # only the table, and positions: an alias could be the name of a column
                f"SELECT {self._day}, count(*), sum({fingerprint}::numeric)::text"  # noqa: S608
                f" FROM {self.table.quoted} GROUP BY 1 ORDER BY 1"
            )
            days = cursor.fetchall()
        return [
            FileVersion(BUCKET, f"{TABLE_PREFIX}{day}", f"{rows}:{hashed}:{shape}", rows, LANDED_AT)
            for day, rows, hashed in days
        ]

    def copy_days(self, keys: list[str], folder: Path) -> dict[str, Path]:
        """The rows of these days as CSV files, in an order that depends on the rows alone."""
        days = [key.removeprefix(TABLE_PREFIX) for key in keys]
        with (
            _answering(self.table.quoted, self.connection),
            _cursor(self.connection) as cursor,
            (folder / "table.csv").open("w+b") as spool,
        ):
            of_days = cursor.mogrify("%s::text[]", (days,)).decode()
            cursor.copy_expert(
                f"COPY (SELECT {self._day}, {source_columns.copied(self.columns)}"  # noqa: S608
                f" FROM {self.table.quoted} WHERE {self._day} = ANY({of_days})"
                f" ORDER BY 1, {source_columns.ordered(self.columns)}) TO STDOUT WITH (FORMAT csv)",
                spool,
            )
        return dict(_split(folder / "table.csv", self._header, folder))

    @property
    def has_days(self) -> bool:
        """Whether the table can be split by day. If not, a day that is not found is not gone."""
        return source_columns.day(self.columns, self.zone) is not None

    @property
    def _header(self) -> str:
        """A line of CSV. The first bytes decide the format: with a first column named {a}, the file would be JSON. So
        names are quoted, unless columns are missing: then the reader should report that."""
        is_complete = {column.order_column for column in self.columns}.issuperset(REQUIRED_COLUMNS)
        line = StringIO()
        writer = csv.writer(line, quoting=csv.QUOTE_ALL if is_complete else csv.QUOTE_MINIMAL)
        writer.writerow([column.name for column in self.columns])
        return line.getvalue()

    @property
    def _day(self) -> str:
        return f"coalesce({source_columns.day(self.columns, self.zone) or 'NULL'}, '{_NO_DAY}')"


@contextmanager
def snapshot(settings: Settings, source: Source = PLAIN) -> Iterator[Snapshot | None]:
    """A snapshot of the source table. None: there is no such table, and no setting names it. `source`: what is declared
    for it.

    Opening it takes no lock. If another session has locked the table, the first query waits for a few seconds.

    Raises:
        SettingsError: the settings name something that does not exist or is no table.
        ServiceUnavailableError: Postgres did not answer, refused, or hides rows. This never means that the table is
            missing.
    """
    name = settings.source_table
    try:
        connection = source_engine(settings).connect().execution_options(isolation_level="REPEATABLE READ")
    except sa.exc.DBAPIError as error:
        raise ServiceUnavailableError(f"The source table {name!r} could not be read. {_first_line(error)}") from error
    with connection:
        with _answering(_quoted(name), connection), _cursor(connection) as cursor:
            opened = _open(cursor, settings, source, connection)
        yield opened
        with _answering(_quoted(name), connection):
            connection.rollback()


def called(key: str, table: str) -> str:
    """A key as people read it. A day of the source table is no file: it is called by the table's name, with the key
    that commands take.

    `table`: ORDERS_SOURCE_TABLE."""
    if key == WHOLE.key:
        return f"the source table {table}"
    if not key.startswith(TABLE_PREFIX):
        return key
    day = key.removeprefix(TABLE_PREFIX)
    return f"{'rows without a day' if day == _NO_DAY else day} of the source table {table} ({key})"


def fetch_from(files: Mapping[str, Path], version: FileVersion, target: Path) -> None:
    """Fetch a day of the table that was copied already, as `Fetch` does with a file on S3."""
    shutil.copyfile(files[version.key], target)


def is_frozen(key: str, source: Source, today: date) -> bool:
    """Whether a day of the table is to be neither compared nor retracted, because it is older than `frozen_after`."""
    day = key.removeprefix(TABLE_PREFIX)
    is_day = key.startswith(TABLE_PREFIX) and key != WHOLE.key and day != _NO_DAY
    return is_day and source.frozen_after is not None and day < (today - source.frozen_after).isoformat()


def gone(known: set[str], listed: list[FileVersion]) -> list[str]:
    """The keys of days that the ledger knows and the table no longer has."""
    return sorted(known - {version.key for version in listed})


def _open(cursor: Any, settings: Settings, source: Source, connection: Connection) -> Snapshot | None:
    is_set = not settings.model_fields_set.isdisjoint({"source_table", "source_url"})
    table = find_table(cursor, settings.source_table, required=is_set)
    if table is None:
        return None
    # Postgres's own functions and operators first, then the user's, which a view may call.
    search_path = ", ".join(filter(None, ["pg_catalog", table.search_path]))
    values = {**_SETTINGS, "lock_timeout": f"{_LOCK_SECONDS:g}s", "search_path": search_path}
    each = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(values))
    cursor.execute(f"SELECT {each}", list(chain.from_iterable(values.items())))
    cursor.execute(_COLUMNS, (table.oid,))
    described = cursor.fetchall()
    names = order_columns([name for name, *_ in described], settings.reading.of_source(source))
    deciding = {name.strip().casefold() for name in source.condition_columns}
    unused = [name for known, (name, *_) in zip(names, described, strict=True) if known is None]
    if currency := conditions.usual_currency_column(source, unused):
        deciding.add(currency.casefold())
    columns = [
        SourceColumn(name, known, kind, declared, has_scale, is_deterministic, decides=name.casefold() in deciding)
        for known, (name, kind, declared, has_scale, is_deterministic) in zip(names, described, strict=True)
    ]
    return Snapshot(connection, table, columns, settings.timezone)


def _cursor(connection: Connection) -> Any:
    """A cursor of psycopg2: SQLAlchemy would take a colon or a percent sign in a name for a parameter."""
    return connection.connection.cursor()


@contextmanager
def _answering(table: str, connection: Connection) -> Iterator[None]:
    """`table`: its name as SQL takes it."""
    try:
        yield
    except (sa.exc.DBAPIError, psycopg2.Error) as error:
        reason = getattr(error, "orig", error)
        what = _what_happened(reason, table, connection.engine.url.username)
        raise ServiceUnavailableError(f"The source table {table} {what}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _quoted(name: str) -> str:
    return ".".join(map(quote, parts_of(name)))


def _what_happened(error: Any, table: str, user: str | None) -> str:
    """The error message, as the rest of a sentence about the table."""
    if error.pgcode == _LOCKED:
        return (
            f"did not answer: another session has locked it for more than {_LOCK_SECONDS:g} seconds (VACUUM FULL, ALTER"
            " TABLE and LOCK TABLE do that). Rows loaded earlier stay active, and the table is tried again."
        )
    # The name of the function in Postgres's source: the message itself is in the server's language.
    if error.diag.source_function == _ROW_SECURITY:
        return (
            f"was not read, because row level security hides rows of it: {_first_line(error)}. Rows loaded earlier stay"
            " active. Grant BYPASSRLS to the user that reads it, or let the table's owner provide a view"
            " that shows every row and set ORDERS_SOURCE_TABLE to it."
        )
    if error.pgcode == _FORBIDDEN:
        to = quote(user) if user else "its user"
        schema = "".join(f"GRANT USAGE ON SCHEMA {quote(part)} TO {to}; " for part in parts_of(table)[-2:-1])
        return (
            f"may not be read by the Postgres user {user!r}: {_first_line(error)}. Rows loaded earlier stay active."
            f" Have its owner run: {schema}GRANT SELECT ON {table} TO {to};"
        )
    return f"(ORDERS_SOURCE_TABLE) could not be read: {_first_line(error).rstrip('.')}."


def _split(spool: Path, header: str, folder: Path) -> Iterator[tuple[str, Path]]:
    with spool.open(encoding="utf-8", newline="") as copied:
        for number, (day, rows) in enumerate(groupby(csv_reader(copied), key=lambda row: row[0])):
            path = folder / f"day-{number}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                file.write(header)
                csv.writer(file).writerows(row[1:] for row in rows)
            yield f"{TABLE_PREFIX}{day}", path
