"""Resolve ORDERS_SOURCE_TABLE: the parts of the name, and the table of that name in the source's database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from orders_pipeline.errors import SettingsError
from orders_pipeline.storage.postgres import quote

_PART: Final = r'(?:"(?:[^"]|"")+"|[^."][^.]*)'
_MOST_SIMILAR: Final = 5
_TABLES: Final = ("r", "p", "v", "m", "f")  # pg_class.relkind: what has rows to select
_OTHER_KINDS: Final = {"S": "a sequence", "i": "an index", "I": "an index", "c": "a type"}


@dataclass(frozen=True)
class Table:
    """A table or a view, and the search_path by which it was found."""

    oid: int
    schema: str
    name: str
    search_path: str

    @property
    def quoted(self) -> str:
        """Its name as SQL takes it, whatever the search_path."""
        return f"{quote(self.schema)}.{quote(self.name)}"


def parts_of(written: str) -> list[str]:
    """The parts of a name: separated by dots, each literal or in double quotes as in SQL."""
    if not re.fullmatch(rf"{_PART}(?:\.{_PART})*", written):
        return written.split(".")
    parts = re.findall(_PART, written)
    return [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts]


def written(parts: Iterable[str]) -> str:
    """A name as ORDERS_SOURCE_TABLE expects it, and `parts_of` reads it."""
    return ".".join(quote(part) if re.search(r'[."]', part) else part for part in parts)


def find_table(cursor: Any, name: str, *, required: bool) -> Table | None:
    """The table that a name refers to for the user of this connection, by the user's search_path.

    `required`: the table has to exist, because a setting names it.

    Raises:
        SettingsError: a required table does not exist, or the name refers to something else.
    """
    parts = parts_of(name)
    cursor.execute("SELECT pg_catalog.current_database(), pg_catalog.current_setting('search_path')")
    database, search_path = cursor.fetchone()
    relation = _relation(cursor, parts, database)
    if relation is None:
        if not required:
            return None
        raise SettingsError(_missing(name, database, similar(parts, _all_tables(cursor))))
    oid, schema, found, kind = relation
    if kind not in _TABLES:
        raise SettingsError(
            f"ORDERS_SOURCE_TABLE names {name!r}, which is {_OTHER_KINDS.get(kind, 'something else')} in the database"
            f" {database!r}. Name a table or a view."
        )
    return Table(oid, schema, found, search_path)


def similar(parts: list[str], tables: Iterable[tuple[str, str]]) -> list[str]:
    """The tables (schema, name) with the names most similar to the last part of a name, as ORDERS_SOURCE_TABLE expects
    them. Those that differ only in case and schema come first."""
    sought = parts[-1].strip().casefold()
    by_name: dict[str, list[str]] = {}
    for schema, table in tables:
        by_name.setdefault(table.casefold(), []).append(written([schema, table]))
    close = get_close_matches(sought, by_name, n=_MOST_SIMILAR)
    return [table for name in close for table in by_name[name]][:_MOST_SIMILAR]


def _relation(cursor: Any, parts: list[str], database: str) -> tuple[int, str, str, str] | None:
    if len(parts) == 3 and parts[0] == database:
        parts = parts[1:]
    if len(parts) > 2 or "" in parts:
        return None
    cursor.execute(
        "SELECT c.oid, n.nspname, c.relname, c.relkind::pg_catalog.text FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
        " WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%s)",
        (".".join(map(quote, parts)),),
    )
    found: tuple[int, str, str, str] | None = cursor.fetchone()
    return found


def _all_tables(cursor: Any) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
        " WHERE c.relkind::pg_catalog.text OPERATOR(pg_catalog.=) ANY(%s)"
        " AND n.nspname::pg_catalog.text OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)' ORDER BY 1, 2",
        (list(_TABLES),),
    )
    found: list[tuple[str, str]] = cursor.fetchall()
    return found


def _missing(name: str, database: str, tables: list[str]) -> str:
    there = f" Similar tables there: {', '.join(tables)}." if tables else ""
    return (
        f"There is no source table {name!r} (ORDERS_SOURCE_TABLE) in the database {database!r}"
        f" (ORDERS_SOURCE_URL, ORDERS_DATABASE_URL).{there} Set ORDERS_SOURCE_TABLE to an existing table."
        ' Names are case-sensitive. Quote a part with a dot in it, as in shop."web.orders".'
    )
