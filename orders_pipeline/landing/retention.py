"""Which landed objects are no longer needed?

The lake has the rows of a loaded file as they were sent. Its original on S3 is read again only if the lake loses its
object, or if its source is declared anew in a way that needs the bytes (docs/sources.md).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from more_itertools import chunked
from sqlalchemy.engine import Engine

from orders_pipeline import progress
from orders_pipeline.ledger import active
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.storage.lake import Lake

_AT_ONCE = 64
YOUNGER, NOT_LOADED, DAMAGED = "younger", "not loaded", "damaged in the lake"


@dataclass(frozen=True)
class Retention:
    """The objects of the landing zone that could go, by key, and how many stay, by why."""

    expendable: Sequence[FileVersion]
    kept: Mapping[str, int]

    @property
    def size(self) -> int:
        """The bytes of what could go."""
        return sum(version.size for version in self.expendable)


def find(engine: Engine, lake: Lake, pages: Iterable[Iterable[FileVersion]], before: datetime) -> Retention:
    """Look at each object of the landing zone that landed before that time, and read the lake's object of each file
    that is loaded.

    Raises:
        ServiceUnavailableError: S3 did not answer.
    """
    with engine.connect() as connection:
        path_of = {file.version: file.raw.path for file in active.all_files(connection)}
    landed = [version for page in pages for version in page]
    old = [version for version in landed if version.last_modified < before]
    loaded = [version for version in old if version in path_of]
    damaged: set[str] = set()
    for number, some in enumerate(chunked(loaded, _AT_ONCE)):
        damaged.update(lake.damaged([path_of[version] for version in some]))
        progress.report("objects", number * _AT_ONCE + len(some), len(loaded))
    expendable = [version for version in loaded if path_of[version] not in damaged]
    kept = Counter(
        {
            YOUNGER: len(landed) - len(old),
            NOT_LOADED: len(old) - len(loaded),
            DAMAGED: len(loaded) - len(expendable),
        }
    )
    return Retention(sorted(expendable), {why: number for why, number in kept.items() if number})
