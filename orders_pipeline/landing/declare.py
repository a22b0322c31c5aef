"""Apply a declaration of sources: into the lake first, then into the ledger, where every process reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import SourcesError
from orders_pipeline.landing.source_name import parts_of
from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.declarations import Declaration
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import is_latest
from orders_pipeline.ledger.versions import Status
from orders_pipeline.settings import Settings
from orders_pipeline.sources import patterns
from orders_pipeline.sources.declaration import Sources, parse
from orders_pipeline.storage.lake import SOURCES, Lake

if TYPE_CHECKING:
    from orders_pipeline.resources import S3Resource

_t: Final = landed_files.c


@dataclass(frozen=True)
class Change:
    """What a declaration changes: the keys of files that are read again from S3, of files whose rows are validated
    again, and of quarantined files that are tried again."""

    sources: Sources
    read_again: list[str]
    validated_again: list[str]
    tried_again: list[str]


def preview(connection: Connection, s3: "S3Resource", settings: Settings, toml: str) -> Change:
    """What a declaration would change.

    Raises:
        SourcesError: it cannot be used.
    """
    sources = parse(toml)
    if problems := [*_unfit(sources, s3.prefix, settings)]:
        raise SourcesError(f"The declaration cannot be used: {'; '.join(problems)}.")
    by_bytes, by_rows = declarations.redeclared(_t, sources)
    is_loaded = sa.and_(_t.active, _t.status != Status.FAILING)

    def keys(*which: sa.ColumnElement[bool]) -> list[str]:
        return sorted(connection.execute(sa.select(_t.key).where(*which)).scalars())

    return Change(
        sources,
        read_again=keys(is_loaded, by_bytes),
        validated_again=keys(is_loaded, by_rows, ~by_bytes),
        tried_again=keys(_t.status == Status.QUARANTINED, ~_t.active, is_latest(), sa.or_(by_bytes, by_rows)),
    )


def apply(engine: Engine, s3: "S3Resource", settings: Settings, toml: str, by: str) -> Change:
    """Let a declaration hold from now on, for every key. It replaces the one before as a whole.

    Raises:
        SourcesError: it cannot be used. Nothing is changed.
        ServiceUnavailableError: the lake did not answer. Nothing is changed.
    """
    with engine.connect() as connection:
        change = preview(connection, s3, settings, toml)
    with engine.connect() as connection:
        before = declarations.history(connection)[-1:]
    # Later than the one before, whatever the clock of this machine shows.
    applied_at = max([datetime.now(UTC), *(one.applied_at + timedelta(microseconds=1) for one in before)])
    rows = pl.DataFrame({"applied_at": [applied_at], "applied_by": [by], "toml": [toml]})
    lake = s3.lake()
    name = lake.write(SOURCES, rows.write_parquet)
    try:
        with engine.begin() as transaction:
            declarations.append(transaction, [Declaration(applied_at, by, toml)])
    except Exception:
        lake.delete(name)  # so that no recovery takes it for one that was applied
        raise
    return change


def restore(connection: Connection, lake: Lake) -> list[Declaration]:
    """Append the declarations that the lake has and a restored ledger lacks, those newer than its own newest. Returns
    them.

    Raises:
        SourcesError: a newer release applied them, or one is damaged.
    """
    known = declarations.history(connection)
    stored = sorted(_stored(lake))
    missing = [declared for declared in stored if not known or declared.applied_at > known[-1].applied_at]
    if missing:
        parse(missing[-1].toml)
        declarations.append(connection, missing)
    return missing


def _stored(lake: Lake) -> Iterator[Declaration]:
    names = list(lake.objects(SOURCES))
    if damaged := lake.damaged(names):
        raise SourcesError(
            f"{damaged[0]} in the lake, a declaration of sources, is damaged. Delete it from {lake.uri}, and apply the"
            " declaration again with `orders-pipeline sources apply`."
        )
    for row in lake.scan(names).collect().iter_rows(named=True) if names else ():
        yield Declaration(row["applied_at"], row["applied_by"], row["toml"])


def _unfit(sources: Sources, prefix: str, settings: Settings) -> Iterator[str]:
    """What a declaration names that is not there."""
    of_all = sources.undeclared.ignore
    for ignored in of_all:
        if not patterns.can_share_a_key(ignored, f"{prefix}*"):
            yield f"[defaults] ignore: no key of the landing zone fits {ignored!r}; whole keys begin with {prefix!r}"
    for source in sources.declared:
        own = [pattern for pattern in source.ignore if pattern not in of_all]
        for field, pattern in [("keys", source.keys), *(("ignore", pattern) for pattern in own)]:
            if pattern is not None and not patterns.can_share_a_key(pattern, f"{prefix}*"):
                yield (
                    f"source {source.name!r} {field}: no key of the landing zone fits {pattern!r}; whole keys"
                    f" begin with {prefix!r}"
                )
        if source.keys is not None:
            for ignored in own:
                if not patterns.can_share_a_key(ignored, source.keys):
                    yield f"source {source.name!r} ignore: no key of the source fits {ignored!r}"
        if source.table is not None and parts_of(source.table) != parts_of(settings.source_table):
            yield (
                f"source {source.name!r} table: {source.table!r} is not the source table, which is"
                f" {settings.source_table!r} (ORDERS_SOURCE_TABLE)"
            )
