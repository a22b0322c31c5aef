"""How the findings of checks are shown: examples in a sentence, tables in the metadata."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from orders_pipeline.ledger.reports import UnloadedFile
from orders_pipeline.quality.anomalies import Odd
from orders_pipeline.quality.completeness import EXAMPLES
from orders_pipeline.quality.reject_rate import Rejected
from orders_pipeline.text import printable

_LISTED_FILES: Final = 500
_LISTED_DAYS: Final = 100

Table = dict[str, dg.TableMetadataValue]


def examples(values: Iterable[object], separator: str = ", ") -> str:
    """The first few values in one line, or "none"."""
    listed = [_one_line(str(value)) for value in values]
    return separator.join(listed[:EXAMPLES]) + (f"{separator}..." if len(listed) > EXAMPLES else "") or "none"


def set_aside_files(found: Sequence[UnloadedFile]) -> Table:
    """Files that are not loaded."""
    rows = [
        {
            "file": file.version.key,
            "status": file.status.value,
            "bytes": file.version.size,
            "reason": file.reason,
            "message": file.message,
            "attempts": file.attempts,
            "earlier version counts": file.still_counts,
        }
        for file in found[:_LISTED_FILES]
    ]
    return _table("Files not loaded", rows)


def rejects_by_file(found: Sequence[Rejected]) -> Table:
    """Files with many rejects."""
    rows = [
        {"file": file.key, "rows": file.rows, "rejected": file.rejected, "reasons": str(file)}
        for file in found[:_LISTED_FILES]
    ]
    return _table("Files with many rejects", rows)


def odd_days(found: Sequence[Odd]) -> Table:
    """Days with unusual revenue."""
    rows = [
        {
            "day": str(odd.day),
            "weekday": f"{odd.day:%A}",
            "revenue": str(odd.revenue),
            "usual": str(odd.usual.expected),
            "plausible from": str(odd.usual.low),
            "to": str(odd.usual.high),
            "weeks compared": odd.usual.weeks,
        }
        for odd in found[:_LISTED_DAYS]
    ]
    return _table("Days with unusual revenue", rows)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    return {name: dg.MetadataValue.table([dg.TableRecord(row) for row in rows])} if rows else {}


def _one_line(text: str) -> str:
    """A key or an id, with escapes for what would break a line or begin a tag in Markdown."""
    return printable(text).replace("<", "&lt;")
