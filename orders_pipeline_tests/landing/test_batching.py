"""Files are taken, and read for their ids, so many at a time: bounded by weight and number, none left out."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from orders_pipeline.landing import ingest, raw_objects
from orders_pipeline.ledger.records import ActiveFile, RawObject
from orders_pipeline.ledger.versions import FileVersion

DAY = date(2026, 3, 4)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
WEIGHTS = {
    "nothing": ([], []),
    "what fits exactly": ([2, 2, 4], [[2, 2], [4]]),
    "one that is too large, alone": ([1, 9, 1], [[1], [9], [1]]),
    "all too large": ([9, 9], [[9], [9]]),
    "the first too large": ([9, 4], [[9], [4]]),
    "those that weigh nothing count": ([0, 0, 0, 0, 0], [[0, 0, 0], [0, 0]]),
    "one that weighs nothing beside a full batch": ([4, 0, 1], [[4, 0], [1]]),
}


def version(number: int, size: int) -> FileVersion:
    return FileVersion("bucket", f"landing/{number}.csv", "etag", size, datetime(2026, 3, 4, tzinfo=UTC))


@pytest.mark.parametrize(("sizes", "batches"), WEIGHTS.values(), ids=WEIGHTS)
def test_a_batch_of_files_is_bounded_in_bytes_and_number(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], batches: list[list[int]]
) -> None:
    monkeypatch.setattr(ingest, "_BATCH_BYTES", 4)
    monkeypatch.setattr(ingest, "_BATCH_FILES", 3)
    versions = [version(number, size) for number, size in enumerate(sizes)]

    found = list(ingest.batched(versions))

    assert [[file.size for file in batch] for batch in found] == batches
    assert [file for batch in found for file in batch] == versions


@pytest.mark.parametrize("counts", [[1, 1, 1], [9, 1], [0, 9, 0], []])
def test_the_ids_of_every_changed_file_are_looked_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch, counts: list[int]
) -> None:
    """However many orders one of them has: it is then read alone."""
    rows = pl.LazyFrame({"order_id": ["1"], raw_objects.DAY: [DAY]})
    asked: list[list[str]] = []

    def read(_lake: object, files: Sequence[ActiveFile]) -> pl.LazyFrame:
        asked.append([file.raw.path for file in files])
        return rows

    monkeypatch.setattr(raw_objects, "_IDS_AT_ONCE", 2)
    monkeypatch.setattr(raw_objects, "clean_rows", read)
    monkeypatch.setattr(raw_objects, "versions", read)
    lake: Any = SimpleNamespace()
    changed = [ActiveFile(version(n, 1), RawObject(f"{n}", c, c, (DAY,), None), NOON) for n, c in enumerate(counts)]
    other = ActiveFile(version(99, 1), RawObject("other", 1, 1, (DAY,), None), NOON)

    assert raw_objects.days_elsewhere(lake, changed, [other]) == ({DAY} if changed else set())

    batches = [paths for paths in asked if paths != ["other"]]
    assert [path for batch in batches for path in batch] == [file.raw.path for file in changed]
    assert all(sum(counts[int(path)] for path in batch) <= 2 or len(batch) == 1 for batch in batches)
    assert raw_objects.days_elsewhere(lake, changed, []) == set()
