"""What a step sets out to build, decided when its input is loaded, in one snapshot of the ledger."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Final

from sqlalchemy.engine import Connection

from orders_pipeline import run_tags
from orders_pipeline.errors import MissingInputError
from orders_pipeline.ledger import active, builds, staleness
from orders_pipeline.ledger.builds import Build
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.staleness import Blocked, Blocker, Calendar
from orders_pipeline.partitions import days_of
from orders_pipeline.schema import MOST_REJECTS, PARTITIONED, UPSTREAM
from orders_pipeline.settings import read_settings
from orders_pipeline.tables.batching import batches
from orders_pipeline.text import list_days

_ORDERS_OF_A_REJECT: Final = 10  # in memory: its text may have 2,000 characters


@dataclass(frozen=True)
class FilesBuild:
    """What a step that works per file sets out to read: active files, and (bucket, key) of files to take back."""

    read: list[ActiveFile]
    gone: list[tuple[str, str]]


def of_files(snapshot: Connection, asset: str, tags: Mapping[str, str]) -> FilesBuild:
    """What a run has to read for a table that is kept per file."""
    return FilesBuild(*active.stale_files(snapshot, asset, everything=_is_full_refresh(tags)))


def of_days(snapshot: Connection, asset: str, tags: Mapping[str, str], damaged: Mapping[date, str]) -> Build:
    """What a run has to build of a table: of the days that it asks for (all, if it names none), those that are stale.
    `damaged`: upstream days that the run found to be damaged, and their objects.

    Raises:
        MissingInputError: the upstream of a day that orders were delivered for was never built.
    """
    calendar = Calendar.of(read_settings())
    stale = staleness.due_days(snapshot, asset, calendar, everything=_is_full_refresh(tags))
    current, empty = set[date](), set[date]()
    blocked = dict[date, Blocked]()
    if requested := days_of(dict(tags)) if asset in PARTITIONED else []:
        delivered = staleness.delivered_days(snapshot, requested)
        if missing := delivered - staleness.current_inputs(snapshot, asset, requested).keys() - damaged.keys():
            raise MissingInputError(
                f"{UPSTREAM[asset]} was never built for {list_days(missing)}: materialize it for these days first."
            )
        stale = stale.among(requested)
        blocked = {day: Blocked(Blocker.DAMAGED_DAY, (damaged[day],)) for day in requested if day in damaged}
        current = delivered - {*stale.due, *stale.blocked, *blocked}
        empty = set(requested) - delivered
    blocked |= stale.blocked
    kept = tuple(sorted(current)), tuple(sorted(empty))
    return Build(asset, stale.due, calendar, *kept, blocked=blocked)


def parts_of_days(snapshot: Connection, build: Build) -> Iterator[Build]:
    """The build in parts that memory can hold."""
    if staleness.reads_raw(build.asset):
        expected = active.expected_rows(snapshot, build.inputs)
    else:
        expected = builds.row_counts(snapshot, UPSTREAM[build.asset], build.inputs)
    for portion in batches(build.days, expected):
        yield replace(build, due={day: build.due[day] for day in portion})


def parts_of_files(build: FilesBuild) -> Iterator[FilesBuild]:
    """The build in parts that memory can hold, each of one bucket: another one may have files of the same keys."""
    rejects = {file: min(file.raw.rejects, MOST_REJECTS) * _ORDERS_OF_A_REJECT for file in build.read}
    by_bucket = groupby(sorted(build.read, key=_bucket), key=_bucket)
    parts = [part for _, files in by_bucket for part in batches(files, rejects)]
    yield FilesBuild(parts[0] if parts else [], build.gone)
    yield from (FilesBuild(part, []) for part in parts[1:])


def _is_full_refresh(tags: Mapping[str, str]) -> bool:
    return tags.get(run_tags.FULL_REFRESH) == "true"


def _bucket(file: ActiveFile) -> str:
    return file.version.bucket
