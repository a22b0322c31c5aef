"""Read objects of the lake to notice damage, before a build or a person needs them."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final
from zlib import crc32

from more_itertools import chunked
from sqlalchemy.engine import Engine

from orders_pipeline import progress
from orders_pipeline.ledger import active, builds, damage
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.storage.lake import Lake

_NIGHTS: Final = 30
_AT_ONCE: Final = 64


@dataclass(frozen=True)
class Verified:
    """How many objects were read, and which of them are missing or damaged."""

    objects: int
    files: list[ActiveFile]
    days: dict[str, dict[date, str]]  # by table: the days, and their objects

    @property
    def damaged(self) -> set[str]:
        """The names of the damaged objects."""
        return {file.raw.path for file in self.files} | {path for days in self.days.values() for path in days.values()}


def everything(_name: str) -> bool:
    """All objects."""
    return True


def share_of(day: date) -> Callable[[str], bool]:
    """The objects to verify on a day: in any 30 days in a row, each object once."""
    return lambda name: crc32(name.encode()) % _NIGHTS == day.toordinal() % _NIGHTS


def verify(engine: Engine, lake: Lake, which: Callable[[str], bool]) -> Verified:
    """Read those objects that the ledger names, from end to end, and report damage to the ledger: the next run reads
    the files again and rebuilds the days."""
    with engine.connect() as connection:
        file_of = {file.raw.path: file for file in active.all_files(connection) if which(file.raw.path)}
        day_of = {
            path: (asset, day)
            for asset in UPSTREAM
            for path, day in builds.objects(connection, asset).items()
            if which(path)
        }
    damaged = _damaged(lake, [*file_of, *day_of])
    files = [file_of[path] for path in damaged if path in file_of]
    days = defaultdict[str, dict[date, str]](dict)
    for path in damaged:
        if path in day_of:
            asset, day = day_of[path]
            days[asset][day] = path
    if files:
        damage.report_files(engine, files)
    for asset, paths in days.items():
        damage.report_days(engine, asset, paths)
    return Verified(len(file_of) + len(day_of), files, dict(days))


def _damaged(lake: Lake, names: list[str]) -> Iterable[str]:
    found: list[str] = []
    for number, some in enumerate(chunked(names, _AT_ONCE)):
        found += lake.damaged(some)
        progress.report("objects", number * _AT_ONCE + len(some), len(names))
    return found
