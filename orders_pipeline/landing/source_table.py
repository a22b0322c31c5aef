"""The source table: each of its days is a file too, and its fingerprint is that file's ETag.

The fingerprints are computed inside Postgres; only days that changed leave it. Updates and deletes need no
`updated_at` column: whatever changes a row changes its day's fingerprint.
"""

import csv
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import psycopg2
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.landing.formats.delimited import csv_reader
from orders_pipeline.landing.formats.rows import column_names
from orders_pipeline.landing.versions import TABLE, FileVersion
from orders_pipeline.postgres import quote
from orders_pipeline.settings import read_settings

BUCKET: Final = TABLE
_PREFIX: Final = "table:orders"
# Types whose equal values have the same text; numeric where it has a scale.
_TOLD_BY_VALUE: Final = (
    *("smallint", "integer", "bigint", "numeric", "text", "character varying", "boolean", "uuid"),
    *("date", "timestamp", "timestamp with time zone"),
)
_NO_DAY: Final = "none"
# Rows without `updated_at` rank below every file row: there is no truth about order between them, so the rule must at
# least be the same on every replay.
LANDED_AT: Final = datetime(1, 1, 1, tzinfo=UTC)
# Stands in the ledger while the table does not answer, so that somebody asks again.
WHOLE: Final = FileVersion(BUCKET, f"{_PREFIX}/all", "", 0, LANDED_AT)


@dataclass(frozen=True)
class Snapshot:
    """The table as one REPEATABLE READ transaction sees it, while it is open."""

    connection: Connection
    table: str
    columns: list[str]
    day: str
    hash: str
    shape: str  # a hash of the columns' names and types: a row's own hash knows only values

    def versions(self) -> list[FileVersion]:
        """A version for each day of the table; its size is the number of its rows."""
        query = _literally(
            f"SELECT {self.day} AS day, count(*) AS rows, sum(({self.hash})::numeric)::text AS hash"  # noqa: S608
            f" FROM {self.table} AS t GROUP BY 1 ORDER BY 1"
        )
        with _answering(self.table):
            rows = self.connection.execute(query).all()
        return [
            FileVersion(BUCKET, f"{_PREFIX}/{row.day}", f"{row.rows}:{row.hash}:{self.shape}", row.rows, LANDED_AT)
            for row in rows
        ]

    def copy_days(self, keys: list[str], folder: Path) -> dict[str, Path]:
        """The rows of these days as CSV files, their texts exactly as Postgres prints them, in an order that depends on
        the rows alone."""
        days = [key.removeprefix(f"{_PREFIX}/") for key in keys]
        cursor: Any = self.connection.connection.cursor()
        with cursor, (folder / "table.csv").open("w+b") as spool, _answering(self.table):
            wanted = cursor.mogrify("%s::text[]", (days,)).decode()
            cursor.copy_expert(
                f"COPY (SELECT {self.day}, t.* FROM {self.table} AS t WHERE {self.day} = ANY({wanted})"  # noqa: S608
                ' ORDER BY 1, t::text COLLATE "C") TO STDOUT WITH (FORMAT csv)',
                spool,
            )
        return dict(_split(folder / "table.csv", self.columns, folder))

    @property
    def has_days(self) -> bool:
        """Whether the table can be told by day; if not, that a day is not found says nothing."""
        return self.day != f"'{_NO_DAY}'"


@contextmanager
def snapshot(engine: Engine, table: str, zone: str) -> Iterator[Snapshot | None]:
    """A snapshot of the source table; None where there is no such table.

    Raises:
        ServiceUnavailableError: Postgres did not answer; never to be read as a missing table.
    """
    with _answering(table):
        connection = engine.connect().execution_options(isolation_level="REPEATABLE READ")
    with connection:
        with _answering(table):
            opened = _snapshot(connection, table, zone)
        yield opened
        with _answering(table):
            connection.rollback()


@contextmanager
def _answering(table: str) -> Iterator[None]:
    try:
        yield
    except (sa.exc.DBAPIError, psycopg2.Error) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise ServiceUnavailableError(
            f"The source table {table!r} (ORDERS_SOURCE_URL, ORDERS_SOURCE_TABLE) could not be read: {reason}"
        ) from error


def is_table_key(key: str) -> bool:
    """Whether a key names a day of the source table."""
    return key.startswith(f"{_PREFIX}/")


def fetch_from(files: Mapping[str, Path], version: FileVersion, target: Path) -> None:
    """What fetches a file from S3, for days of the table that were copied already."""
    shutil.copyfile(files[version.key], target)


def gone(known: set[str], listed: list[FileVersion]) -> list[str]:
    """The keys of days that the ledger knows, and that the table has no more."""
    return sorted(known - {version.key for version in listed})


def _snapshot(connection: Connection, table: str, zone: str) -> Snapshot | None:
    quoted = ".".join(quote(part) for part in table.split("."))
    if connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": quoted}).scalar_one() is None:
        return None
    columns = list(connection.execute(_literally(f"SELECT * FROM {quoted} LIMIT 0")).keys())  # noqa: S608
    names = column_names(columns, read_settings().column_aliases)
    order_date = columns[names.index("order_date")] if "order_date" in names else None
    day = _day(connection, quoted, order_date, zone) if order_date else f"'{_NO_DAY}'"
    return Snapshot(connection, quoted, columns, day, _hash(connection, quoted), _shape(connection, quoted))


def _shape(connection: Connection, quoted: str) -> str:
    described = sa.text(
        "SELECT md5(string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ',' ORDER BY attnum))"
        " FROM pg_attribute WHERE attrelid = CAST(:t AS regclass) AND attnum > 0 AND NOT attisdropped"
    )
    return str(connection.execute(described, {"t": quoted}).scalar_one())


def _day(connection: Connection, quoted: str, column: str, zone: str) -> str:
    """SQL for the text of a row's day. It only splits the table into files: which day an order belongs to is decided
    by the same rules as for any other file."""
    value = f"t.{quote(column)}"
    kind = connection.execute(
        sa.text(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = CAST(:t AS regclass) AND attname = :c"
        ),
        {"t": quoted, "c": column},
    ).scalar_one()
    if kind == "timestamp with time zone":
        literal = "'" + zone.replace("'", "''") + "'"
        value = f"({value} AT TIME ZONE {literal})"
    if kind == "date" or kind.startswith("timestamp"):
        return f"CASE WHEN isfinite({value}) THEN to_char({value}, 'YYYY-MM-DD') ELSE '{_NO_DAY}' END"
    return f"coalesce(substring({value}::text FROM '^\\s*(\\d{{4}}-\\d{{2}}-\\d{{2}})'), '{_NO_DAY}')"


def _hash(connection: Connection, quoted: str) -> str:
    """SQL for the hash of a row: of its values, which is the faster, where equal values have the same text. Not so 1.0
    and 1.00, or texts that a collation or citext takes for equal: then of its text."""
    told_apart = sa.text(
        "SELECT bool_and(atttypid = ANY(CAST(CAST(:types AS regtype[]) AS oid[]))"
        " AND coalesce(collisdeterministic, true) AND (atttypid <> 'numeric'::regtype OR atttypmod <> -1))"
        " FROM pg_attribute LEFT JOIN pg_collation AS c ON c.oid = attcollation"
        " WHERE attrelid = CAST(:t AS regclass) AND attnum > 0 AND NOT attisdropped"
    )
    by_value = connection.execute(told_apart, {"t": quoted, "types": list(_TOLD_BY_VALUE)}).scalar_one()
    return "hash_record_extended(t, 0)" if by_value else "hashtextextended(t::text, 0)"


def _literally(sql: str) -> sa.TextClause:
    """SQL without parameters: a colon in a name begins none."""
    return sa.text(re.sub(r"(?<!:):(?=\w)", r"\\:", sql))


def _split(spool: Path, columns: list[str], folder: Path) -> Iterator[tuple[str, Path]]:
    with spool.open(encoding="utf-8", newline="") as copied:
        for number, (day, rows) in enumerate(groupby(csv_reader(copied), key=lambda row: row[0])):
            path = folder / f"day-{number}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows(row[1:] for row in rows)
            yield f"{_PREFIX}/{day}", path
