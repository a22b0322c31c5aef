"""What the log of a run says that it did: files, days, rows and money."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from orders_pipeline.ledger.builds import Build
from orders_pipeline.text import counted, list_days, printable
from orders_pipeline.ui import metadata

if TYPE_CHECKING:
    from orders_pipeline.landing.ingest import Report
    from orders_pipeline.ledger.published import Change

_LISTED: Final = 20


def of_ingest(report: "Report") -> list[str]:
    """Each file that was loaded, or the first of many, and all of them together. What was not loaded has warnings."""
    lines = [
        f"Loaded {printable(file.version.key)}: {counted(file.raw.rows, 'row')}, {file.raw.clean_rows:,} of them clean"
        f" and worth {file.raw.amounts.clean:,}, {file.raw.rejects:,} rejected."
        for file in report.loaded[:_LISTED]
    ]
    if len(report.loaded) > _LISTED:
        lines.append(f"... and {len(report.loaded) - _LISTED:,} more.")
    files = [file for file in report.loaded if file.version.bucket]
    days = len(report.loaded) - len(files)
    loaded = [counted(len(files), "file")] if files else []
    loaded += [f"{counted(days, 'day')} of the source table"] if days else []
    rows = sum(file.raw.rows for file in report.loaded)
    total = f"{' and '.join(loaded)} with {counted(rows, 'row')}" if loaded else "nothing new"
    return [*lines, f"Loaded {total}. Days changed: {list_days(report.changed_days)}."]


def of_build(build: Build, rows: int, money: Decimal) -> list[str]:
    """Which days of a table were rebuilt, and why; and which are current. `rows`, `money`: of the rebuilt ones."""
    if build.due:
        why = metadata.of_reasons({day: due.why for day, due in build.due.items()})
        lines = [f"Rebuilt {build.asset}: {why}; {counted(rows, 'row')} worth {money:,}."]
    else:
        lines = [f"Rebuilt no day of {build.asset}: none of them was stale."]
    if build.current:
        lines.append(f"Already current: {list_days(build.current)}.")
    if build.empty:
        lines.append(f"No orders on {list_days(build.empty)}.")
    return lines


def of_changes(changes: Sequence["Change"]) -> list[str]:
    """The published figures that changed, or the first of many."""
    return [
        f"{change.day} shows {change.after.revenue:,} ({counted(change.after.orders, 'order')}) instead of"
        f" {change.before.revenue:,} ({counted(change.before.orders, 'order')}): {change.cause}."
        for change in changes[:_LISTED]
    ]
