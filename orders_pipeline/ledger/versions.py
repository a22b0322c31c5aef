"""Versions of landed objects, and the decision which of them are pending. No I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

TABLE: Final = ""  # the source table's bucket: it has none
ARCHIVED: Final = "archived"  # the reason of a version that cannot be read until it is restored
LOST: Final = "lost"  # the reason of an unrecoverable file
RELOCATED: Final = "relocated"  # the reason of a name that a file no longer has

_SIDE_NAME: Final = re.compile(r"(?:^|/)(?:_|\.(?!\.?(?:/|$)))")


class Status(StrEnum):
    """The status of a version in the ledger."""

    LOADED = "loaded"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"
    FAILING = "failing"  # will be tried again, or is claimed by a run


@dataclass(frozen=True, order=True)
class FileVersion:
    """One version of an object of the landing zone, or of a day of the source table.

    `last_modified` is UTC, in whole seconds (S3's precision outside listings). For a day of the source table, the
    bucket is TABLE and the size is the number of rows.
    """

    bucket: str
    key: str
    etag: str
    size: int
    last_modified: datetime
    # From the listing. These do not distinguish versions.
    is_side_file: bool = field(default=False, compare=False, repr=False)
    may_be_archived: bool = field(default=False, compare=False, repr=False)  # needs a HEAD before it is read


@dataclass(frozen=True)
class Entry:
    """The latest version of a key in the ledger. `due`: a failing or archived version may be tried now. `is_lost`: it
    is unrecoverable, and no later attempt to read it failed. `counts`: this or an older version is active.
    `is_redeclared`: another declaration applies to it than when it was last tried."""

    version: FileVersion
    status: Status
    attempts: int
    due: bool
    is_lost: bool = False
    is_archived: bool = False
    counts: bool = False
    is_redeclared: bool = False


def is_side_file(key: str, prefix: str) -> bool:
    """Whether a key is a side file of another tool: a segment below the landing prefix begins with `_` or `.`, such as
    `_temporary/`, `_SUCCESS`, `_delta_log/`, `.crc` or `.DS_Store`. Spark, Hive and Hadoop skip such files too. The
    segments `.` and `..` do not make a side file: to S3 they are ordinary parts of a key."""
    return _SIDE_NAME.search(key.removeprefix(prefix)) is not None


def pending(listed: Iterable[tuple[FileVersion, Entry | None]]) -> list[FileVersion]:
    """The pending versions of a listing that comes with the latest entry of each key: versions that differ from that
    entry, failing and archived ones whose next attempt is due, unrecoverable ones that S3 has, and quarantined ones for
    which another declaration applies now. Side files are left out unless their key has an active version."""
    return [version for version, entry in listed if _is_pending(version, entry)]


def _is_pending(version: FileVersion, entry: Entry | None) -> bool:
    if version.is_side_file and not (entry and entry.counts):
        return False
    if entry is None or entry.version != version:
        return True
    if entry.status is Status.QUARANTINED and entry.is_redeclared:
        return True
    return entry.is_lost or (entry.due and (entry.status is Status.FAILING or entry.is_archived))
