"""How the findings of checks are shown: examples in a sentence, tables in the metadata."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import dagster as dg

from orders_pipeline import text
from orders_pipeline.ledger.findings import Recorded, Standing
from orders_pipeline.ledger.reports import UnloadedFile
from orders_pipeline.quality.anomalies import Odd
from orders_pipeline.quality.reject_rate import Rejected
from orders_pipeline.ui import metadata, runbook

_LISTED_FILES: Final = 500
_LISTED_DAYS: Final = 100
_LISTED_FINDINGS: Final = 100
_LISTED_OF_ASSET: Final = 10  # each partition of a run keeps them

Table = dict[str, dg.TableMetadataValue]


def examples(values: Iterable[object], separator: str = ", ") -> str:
    """The first few values in one line, or "none", with escapes for what would begin a tag in Markdown."""
    return text.examples(values, separator).replace("<", "&lt;")


def messages(found: Sequence[Recorded], separator: str = ", ") -> str:
    """What the first few findings say, in one line."""
    return examples((one.message for one in found), separator)


def how_to_accept(standing: Standing) -> str:
    """The command that accepts the open findings, of which there is at least one, and how many are accepted."""
    ids = " ".join(str(one.id) for one in standing.open[: text.EXAMPLES])
    listed = (
        "" if len(standing.open) <= text.EXAMPLES else f" (`orders-pipeline findings` lists all {len(standing.open)})"
    )
    command = f"To accept what is as it should be: `orders-pipeline accept {ids}`{listed}."
    return command + (f" Accepted already: {standing.accepted}." if standing.accepted else "")


def apart_from(standing: Standing) -> str:
    """What a statement does not hold of: the accepted findings."""
    if not standing.accepted:
        return ""
    return f"Apart from {standing.accepted} accepted finding{'' if standing.accepted == 1 else 's'}: "


def open_findings(found: Sequence[Recorded]) -> Table:
    """The findings that are open, whichever run found them."""
    rows = [
        {
            "id": one.id,
            "since": f"{one.since:%Y-%m-%d}",
            "subject": one.subject,
            "money": "" if one.amount is None else f"{one.amount:,}",
            "message": one.message,
        }
        for one in found[:_LISTED_FINDINGS]
    ]
    return metadata.table("Findings", rows)


def of_asset(found: Sequence[Recorded]) -> dict[str, Any]:
    """The open findings of an asset's checks, and what to do about them. Nothing, if there are none."""
    if not found:
        return {}
    rows = [
        {
            "id": one.id,
            "since": f"{one.since:%Y-%m-%d}",
            "money": "" if one.amount is None else f"{one.amount:,}",
            "finding": f"{one.kind}: {one.message}",
        }
        for one in found[: -_LISTED_OF_ASSET - 1 : -1]
    ]
    ids = " ".join(str(row["id"]) for row in rows[: text.EXAMPLES])
    return {
        **metadata.table("Open findings", rows),
        "What to do": f"{runbook.sections(one.kind for one in found)}. To accept what is as it should be:"
        f" orders-pipeline accept {ids}",
    }


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
    return metadata.table("Files not loaded", rows)


def rejects_by_file(found: Sequence[Rejected]) -> Table:
    """Files with many rejects."""
    rows = [
        {"file": file.key, "rows": file.rows, "rejected": file.rejected, "reasons": str(file)}
        for file in found[:_LISTED_FILES]
    ]
    return metadata.table("Files with many rejects", rows)


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
    return metadata.table("Days with unusual revenue", rows)
