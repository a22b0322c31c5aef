"""What other modules know of a row of `landed_files`: its version, its range of ids, its object."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.engine import Row

from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.sources.declaration import Source
from orders_pipeline.text import EXAMPLES

IDENTITY: Final = ("bucket", "key", "etag", "size", "last_modified")


@dataclass(frozen=True)
class IdRange:
    """The smallest and largest order ids of a file's clean and void rows, by bytes and by length."""

    first: str
    last: str
    first_short: str
    last_short: str


@dataclass(frozen=True)
class Amounts:
    """The sums of the amounts that could be read, by the outcome of their rows, in the source's currency."""

    clean: Decimal = Decimal("0.00")
    void: Decimal = Decimal("0.00")
    rejected: Decimal = Decimal("0.00")


@dataclass(frozen=True)
class Suspects:
    """Clean rows of a file that may not be what the sender meant: how many have a negative amount, or an id that looks
    damaged, and what they are worth in the source's currency. `damaged_examples`: the first such ids, by bytes."""

    negative_rows: int = 0
    negative_amount: Decimal = Decimal("0.00")
    damaged_rows: int = 0
    damaged_amount: Decimal = Decimal("0.00")
    damaged_examples: tuple[str, ...] = ()

    def __add__(self, other: "Suspects") -> "Suspects":
        """Those of both."""
        return Suspects(
            self.negative_rows + other.negative_rows,
            self.negative_amount + other.negative_amount,
            self.damaged_rows + other.damaged_rows,
            self.damaged_amount + other.damaged_amount,
            tuple(sorted({*self.damaged_examples, *other.damaged_examples})[:EXAMPLES]),
        )


@dataclass(frozen=True)
class RawObject:
    """The raw object of a file, and what is known of its rows. The hashes are those of the source by which they were
    read."""

    path: str
    rows: int
    clean_rows: int
    days: tuple[date, ...]
    ids: IdRange | None  # None: no clean or void row
    unused_columns: tuple[str, ...] = ()  # known only while the object is new
    void_rows: int = 0
    merged_rows: int = 0
    blank_rows: int = 0
    amounts: Amounts = Amounts()
    currencies: tuple[str, ...] = ()
    suspects: Suspects = Suspects()
    bytes_hash: str | None = None
    rows_hash: str | None = None
    content_hash: str | None = None  # of the file's bytes. None: a day of the source table, or read by release 0.2

    @property
    def rejects(self) -> int:
        """The rows that validation refused."""
        return self.rows - self.versions - self.merged_rows - self.blank_rows

    @property
    def versions(self) -> int:
        """The rows that are a version of an order: clean and void ones."""
        return self.clean_rows + self.void_rows


@dataclass(frozen=True)
class ActiveFile:
    """The active version of a key, its raw object, and the time by which its rows rank if they have no `updated_at`."""

    version: FileVersion
    raw: RawObject
    ranked_at: datetime

    def read_by(self, source: Source) -> "ActiveFile":
        """The same file, recorded as read by this source."""
        return replace(self, raw=replace(self.raw, bytes_hash=source.bytes_hash, rows_hash=source.rows_hash))

    def has_bytes_of(self, version: FileVersion, content_hash: str | None = None) -> bool:
        """Whether a version of the same key has the same bytes, as far as is known: a copy in place, another KMS key or
        another storage class changes the ETag, and only the hash shows that the bytes are the same."""
        if version.size != self.version.size:
            return False
        return version.etag == self.version.etag or (content_hash is not None and content_hash == self.raw.content_hash)


def ranked_at(version: FileVersion, content_hash: str | None, replaced: ActiveFile | None) -> datetime:
    """The time by which a version ranks. Equal bytes keep the rank of the active version that they replace."""
    if replaced is not None and replaced.has_bytes_of(version, content_hash):
        return replaced.ranked_at
    return version.last_modified


def versions_in(file: Any) -> sa.ColumnElement[int]:
    """`RawObject.versions` in a query. `file`: columns of `landed_files`."""
    clean_rows: sa.ColumnElement[int] = file.clean_rows
    return clean_rows + sa.func.coalesce(file.void_rows, 0)


def rejects_in(file: Any) -> sa.ColumnElement[int]:
    """`RawObject.rejects` in a query. `file`: columns of `landed_files`."""
    rows: sa.ColumnElement[int] = file.rows
    return rows - versions_in(file) - sa.func.coalesce(file.merged_rows, 0) - sa.func.coalesce(file.blank_rows, 0)


def version_of(row: Row[Any]) -> FileVersion:
    """The version that a row describes."""
    return FileVersion(row.bucket, row.key, row.etag, row.size, row.last_modified.astimezone(UTC))


def active_file(row: Row[Any]) -> ActiveFile:
    """The file that a row of an active version describes."""
    has_ids = row.first_id is not None
    ids = IdRange(row.first_id, row.last_id, row.first_short_id, row.last_short_id) if has_ids else None
    raw = RawObject(
        row.path,
        row.rows,
        row.clean_rows,
        tuple(row.days),
        ids,
        void_rows=row.void_rows or 0,
        merged_rows=row.merged_rows or 0,
        blank_rows=row.blank_rows or 0,
        amounts=Amounts(*(amount or Decimal(0) for amount in (row.clean_amount, row.void_amount, row.rejected_amount))),
        currencies=tuple(row.currencies or ()),
        suspects=Suspects(
            row.negative_rows or 0,
            row.negative_amount or Decimal(0),
            row.damaged_rows or 0,
            row.damaged_amount or Decimal(0),
            tuple(row.damaged_examples or ()),
        ),
        bytes_hash=row.bytes_hash,
        rows_hash=row.rows_hash,
        content_hash=row.content_hash,
    )
    return ActiveFile(version_of(row), raw, rank_of(row))


def rank_of(row: Row[Any]) -> datetime:
    """The time by which the version that a row describes ranks. Release 0.2 records none."""
    time: datetime = row.ranked_at or row.last_modified
    return time.astimezone(UTC)


def identity(version: FileVersion) -> dict[str, Any]:
    """The columns that tell a version from all others."""
    return {name: getattr(version, name) for name in IDENTITY}


def is_version(version: FileVersion) -> list[sa.ColumnElement[bool]]:
    """The condition for a row to be about this version."""
    return [landed_files.c[name] == value for name, value in identity(version).items()]


def is_latest() -> sa.ColumnElement[bool]:
    """The condition for a row to be the latest of its key. Faster for few rows than finding all latest rows."""
    one, newer = landed_files.c, landed_files.alias("newer").c
    return ~sa.exists().where(newer.bucket == one.bucket, newer.key == one.key, newer.id > one.id)


def latest_of_keys(*columns: Any, without: str | None = None) -> sa.Subquery:
    """These columns of the latest version of each key. `without`: leave out versions with this reason."""
    t = landed_files.c
    newest = sa.select(*columns).ext(distinct_on(t.bucket, t.key)).order_by(t.bucket, t.key, t.id.desc())
    if without is not None:
        newest = newest.where(t.reason.is_distinct_from(without))
    return newest.subquery()


def pairs(keys: Iterable[tuple[str, str]]) -> sa.Select[tuple[str, str]]:
    """(bucket, key) pairs as a query, for IN. A long list of rows would exceed Postgres's stack depth limit."""
    ordered = sorted(set(keys))
    columns = [sa.cast([pair[i] for pair in ordered], sa.ARRAY(sa.Text)) for i in (0, 1)]
    given = sa.func.unnest(*columns).table_valued("bucket", "key").render_derived()
    return sa.select(given.c.bucket, given.c.key)
