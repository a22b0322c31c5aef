"""Tags of a run that this pipeline reads or sets."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from orders_pipeline.sources.declaration import Sources
from orders_pipeline.sources.senders import sender_of
from orders_pipeline.text import cut, list_days, printable, shortened

FULL_REFRESH: Final = "orders/full_refresh"  # "true": everything counts as stale

BACKFILL: Final = "dagster/backfill"  # Dagster's own: the backfill that a run is a part of

# For people: what a run was requested for.
DAYS: Final = "orders/days"
FILES: Final = "orders/files"
SOURCE: Final = "orders/source"

# The fingerprint of that. Dagster does not show tags whose name begins with a dot.
WORK_TAG: Final = ".dagster/orders_work"
FORMER_WORK_TAG: Final = "orders/work"  # of release 0.2

_LONGEST: Final = 100  # characters of a value: Dagster's Postgres has them in an index


def of_range(first: date, last: date) -> dict[str, str]:
    """The tags by which Dagster knows a run over a range of partitions."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }


def of_days(days: Iterable[date]) -> dict[str, str]:
    """The days that a run is to build; no tag, if there are none."""
    listed = list(days)
    return {DAYS: cut(list_days(listed), _LONGEST)} if listed else {}


def of_files(files: Iterable[tuple[str, str]], sources: Sources) -> dict[str, str]:
    """The files that a run is to read, and who sent them. `files`: (bucket, key) of each; a day of the source table has
    no bucket, and is no file."""
    named = list(files)
    names = [key.rsplit("/", 1)[-1] or key for bucket, key in named if bucket]
    senders = sorted({sender_of(sources, bucket, key) for bucket, key in named})
    listed = {SOURCE: senders, FILES: names}
    return {tag: cut(shortened(list(map(printable, texts))), _LONGEST) for tag, texts in listed.items() if texts}


def work_of(tags: Mapping[str, str]) -> str | None:
    """The fingerprint of the work that a run was requested for, by this release or an earlier one."""
    return tags.get(WORK_TAG) or tags.get(FORMER_WORK_TAG)
