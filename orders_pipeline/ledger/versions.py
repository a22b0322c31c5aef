"""Versions of landed objects, and the pure decision which of them are due. No I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

TABLE: Final = ""  # the source table's bucket: it has none
ARCHIVED: Final = "archived"  # why a version is ignored that S3 has to restore before it can be read
LOST: Final = "lost"  # why a version is set aside that counts, and whose rows are nowhere any more

_SIDE_NAME: Final = re.compile(r"(?:^|/)(?:_|\.(?!\.?(?:/|$)))")


class Status(StrEnum):
    """What the ledger says of a version."""

    LOADED = "loaded"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"
    FAILING = "failing"  # to be tried again, or in the hands of a process just now


@dataclass(frozen=True, order=True)
class FileVersion:
    """One version of an object of the landing zone, or of a day of the source table.

    `last_modified` is UTC, in whole seconds (S3's own precision outside listings). A day of the source table has TABLE
    for a bucket, and its number of rows for a size.
    """

    bucket: str
    key: str
    etag: str
    size: int
    last_modified: datetime
    # What a listing says besides; it makes no other version.
    is_side_file: bool = field(default=False, compare=False, repr=False)
    may_be_archived: bool = field(default=False, compare=False, repr=False)  # one has to look before it is read


@dataclass(frozen=True)
class Entry:
    """The ledger's latest word on a key. `due`: a failing or archived version may be tried now. `is_lost`: its rows
    are lost, and nobody has tried to read it anew. `counts`: a version of its key counts, this one or an older one."""

    version: FileVersion
    status: Status
    attempts: int
    due: bool
    is_lost: bool = False
    is_archived: bool = False
    counts: bool = False


def is_side_file(key: str, prefix: str) -> bool:
    """Whether a key is a side file of another tool: a segment below the landing prefix begins with `_` or `.`. Spark,
    Hive and Hadoop read no such files; among them are `_temporary/`, `_SUCCESS`, `_delta_log/`, `.crc`, `.DS_Store`.
    The segments `.` and `..` are no names of files: to S3 they are part of a key like any other."""
    return _SIDE_NAME.search(key.removeprefix(prefix)) is not None


def pending(listed: Iterable[tuple[FileVersion, Entry | None]]) -> list[FileVersion]:
    """The listed versions, each with the ledger's latest entry of its key, that have yet to be settled: those that
    differ from that entry, whatever its status, failing and archived ones whose next attempt is due, and lost ones that
    are back. Side files are left out, unless their key counts already."""
    return [version for version, entry in listed if _is_pending(version, entry)]


def _is_pending(version: FileVersion, entry: Entry | None) -> bool:
    if version.is_side_file and not (entry and entry.counts):
        return False
    if entry is None or entry.version != version:
        return True
    return entry.is_lost or (entry.due and (entry.status is Status.FAILING or entry.is_archived))
