"""Finds the rows that other versions of their orders replaced, on the days that a step built.

Most days have none, and that is cheap to know: as many orders came out as there are clean rows. Only the other days are
read again, part by part, so that memory stays bounded.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from orders_pipeline import transforms
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.superseded import Superseded
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import cut


@dataclass(frozen=True)
class Origin:
    """Some days, and the files they were built from: all that hold rows of them, and all that overlap with those."""

    days: list[date]
    holding: list[ActiveFile]
    sharing: list[ActiveFile]


def find(lake: Lake, origins: Sequence[Origin], orders: Mapping[date, int]) -> list[Superseded]:
    """The superseded rows of days that were built from these files. `orders`: how many orders came out for each day."""
    files = {file.raw.path: file for origin in origins for file in origin.holding}  # parts share files: each once
    clean_rows = _rows_by_day(lake, list(files.values()))
    found: list[Superseded] = []
    for origin in origins:
        if days := {day for day in origin.days if clean_rows.get(day, 0) != orders[day]}:
            found += _of_days(lake, days, origin)
    return found


def _rows_by_day(lake: Lake, files: Sequence[ActiveFile]) -> Counter[date]:
    """The clean rows that files hold of each day. Of a file with one day, the ledger knows."""
    counted = Counter(raw_objects.rows_by_day(lake, [file for file in files if len(file.raw.days) > 1]))
    for file in files:
        if len(file.raw.days) == 1:
            counted[file.raw.days[0]] += file.raw.clean_rows
    return counted


def _of_days(lake: Lake, days: set[date], origin: Origin) -> Iterator[Superseded]:
    candidates = raw_objects.candidates(lake, days, origin.holding, origin.sharing)
    found = transforms.superseded(candidates).collect(engine="streaming")
    return (_recorded(row) for row in found.iter_rows(named=True) if row["day"] in days)


def _recorded(row: dict[str, Any]) -> Superseded:
    """A row of `transforms.superseded`, as the ledger has it."""
    repeated, other = (
        {cut(order_id) for end in ("first", "last") if (order_id := row.pop(f"{kind}_{end}")) is not None}
        for kind in ("repeated", "other")
    )
    return Superseded(**row, repeated_ids=sorted(repeated) or None, other_ids=sorted(other) or None)
