"""The declarations of sources: append-only, the newest holds. Every process reads it here, so all agree at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import source_declarations
from orders_pipeline.ledger.versions import TABLE
from orders_pipeline.sources import patterns
from orders_pipeline.sources.declaration import Source, Sources, parse

_t = source_declarations.c
_NEWEST: Final = sa.select(_t.toml).order_by(_t.id.desc()).limit(1)


@dataclass(frozen=True, order=True)
class Declaration:
    """A declaration as it was applied."""

    applied_at: datetime
    applied_by: str
    toml: str


def current(connection: Connection) -> Sources:
    """The sources that apply.

    Raises:
        SourcesError: a newer release applied them, with fields that this one does not know.
    """
    return parsed(text(connection))


def text(connection: Connection) -> str:
    """The TOML of the declaration that holds; empty: none was ever applied."""
    return connection.execute(_NEWEST).scalar_one_or_none() or ""


@lru_cache(maxsize=8)
def parsed(toml: str) -> Sources:
    """The sources of a declaration that was applied.

    Raises:
        SourcesError: as `current`.
    """
    return parse(toml)


def number(connection: Connection) -> int:
    """The number of the declaration that holds; 0: none was ever applied."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(_t.id), 0))).scalar_one())


def history(connection: Connection) -> list[Declaration]:
    """Every declaration that was applied, the oldest first."""
    rows = connection.execute(sa.select(source_declarations).order_by(_t.id))
    return [Declaration(row.applied_at.astimezone(UTC), row.applied_by, row.toml) for row in rows]


def append(connection: Connection, declarations: Sequence[Declaration]) -> None:
    """Let the last of these declarations hold from now on."""
    rows = [{"applied_at": d.applied_at, "applied_by": d.applied_by, "toml": d.toml} for d in declarations]
    if rows:
        connection.execute(sa.insert(source_declarations), rows)


def is_redeclared(version: Any, sources: Sources) -> sa.ColumnElement[bool]:
    """Whether a version was last tried by another declaration than holds. `version`: columns of `landed_files`."""
    return sa.or_(*redeclared(version, sources))


def redeclared(version: Any, sources: Sources) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Whether the version's bytes, and whether its rows, are declared otherwise than when it was last tried."""
    return (
        version.bytes_hash.is_distinct_from(_expected(version, sources, lambda source: source.bytes_hash)),
        version.rows_hash.is_distinct_from(_expected(version, sources, lambda source: source.rows_hash)),
    )


def _expected(version: Any, sources: Sources, hash_of: Callable[[Source], str | None]) -> sa.ColumnElement[Any]:
    """The hash that applies to a version."""
    return of_source(version, sources, lambda source: sa.literal(hash_of(source), sa.Text))


def of_source(
    version: Any, sources: Sources, value: Callable[[Source], sa.ColumnElement[Any]]
) -> sa.ColumnElement[Any]:
    """A value of the source that applies to a version. The order of the patterns is that of `Sources.of_key`."""
    by_pattern = [
        (version.key.like(patterns.like(source.keys or ""), escape="\\"), value(source)) for source in sources.by_keys
    ]
    return sa.case((version.bucket == TABLE, value(sources.of_table)), *by_pattern, else_=value(sources.undeclared))
