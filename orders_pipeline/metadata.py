"""What a materialization shows of itself in the Dagster UI."""

import base64
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from orders_pipeline.schema import TABLES

if TYPE_CHECKING:
    from orders_pipeline.landing.ingest import Report

_SHOWN_DAYS: Final = 90
_LISTED_FILES: Final = 50
_LISTED_SPANS: Final = 6

_LINEAGE: Final[dict[str, dict[str, list[tuple[str, str]]]]] = {
    "cleaned_orders": {name: [("raw_orders", name)] for name in ("order_id", "customer_id", "amount", "order_date")},
    "daily_orders": {name: [("raw_orders", name)] for name in ("order_id", "customer_id", "amount", "order_date")},
    "daily_revenue": {
        "order_date": [("cleaned_orders", "order_date")],
        "revenue": [("cleaned_orders", "amount")],
        "order_count": [("cleaned_orders", "order_id")],
    },
    "daily_revenue_partitioned": {
        "order_date": [("daily_orders", "order_date")],
        "customer_id": [("daily_orders", "customer_id")],
        "daily_spend": [("daily_orders", "amount")],
    },
    "rejected_orders": {
        "source": [("raw_orders", "_source")],
        "row_number": [("raw_orders", "_row_number")],
        "raw": [("raw_orders", "_text")],
    },
}


def of_table(asset: str) -> dict[str, Any]:
    """Columns of a table and where they come from."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in TABLES[asset]
    ]
    lineage = {
        name: [dg.TableColumnDep(asset_key=upstream, column_name=column) for upstream, column in sources]
        for name, sources in _LINEAGE.get(asset, {}).items()
    }
    described: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns=columns)}
    if lineage:
        described["dagster/column_lineage"] = dg.TableColumnLineage(lineage)
    return described


def of_ingest(report: "Report") -> dict[str, Any]:
    """What an ingest took, what it set aside, and which days that touched."""
    files = [
        dg.TableRecord(
            {
                "file": file.version.key,
                "landed": file.version.last_modified.isoformat(),
                "bytes": file.version.size,
                "rows": file.raw.rows,
                "rejected": file.raw.rows - file.raw.clean_rows,
            }
        )
        for file in report.loaded[:_LISTED_FILES]
    ]
    return {
        "files_loaded": len(report.loaded),
        "files_set_aside": len(report.settled),
        "rows_received": sum(file.raw.rows for file in report.loaded),
        "days_touched": list_days(report.touched),
        **({"files": dg.MetadataValue.table(files)} if files else {}),
        **({"remarks": "\n".join(report.remarks)} if report.remarks else {}),
        **of_table("raw_orders"),
    }


def list_days(days: Iterable[date]) -> str:
    """Days as people read them: runs of days joined, long lists summed up."""
    ordered = sorted(days)
    spans: list[list[date]] = []
    for day in ordered:
        if spans and day - spans[-1][-1] == timedelta(days=1):
            spans[-1][1:] = [day]
        else:
            spans.append([day])
    if len(spans) > _LISTED_SPANS:
        return f"{ordered[0]} to {ordered[-1]} with gaps"
    return ", ".join(" to ".join(str(day) for day in span) for span in spans) or "no day"


def revenue_chart(revenue: Sequence[tuple[date, Decimal]]) -> str:
    """Revenue of the last 90 days as Markdown with an inline picture; the latest day is marked."""
    if not revenue:
        return "No day has revenue yet."
    last_day, last = revenue[-1]
    days = [(day, float(amount)) for day, amount in revenue if (last_day - day).days < _SHOWN_DAYS]
    top, bottom = max(0.0, *(amount for _, amount in days)), min(0.0, *(amount for _, amount in days))
    width, height, edge = 640, 200, 24

    def x(day: date) -> float:
        return edge + (width - 2 * edge) * (1 - (last_day - day).days / (_SHOWN_DAYS - 1))

    def y(amount: float) -> float:
        return edge + (height - 2 * edge) * (top - amount) / ((top - bottom) or 1)

    line = " ".join(f"{x(day):.1f},{y(amount):.1f}" for day, amount in days)
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="11">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<line x1="{edge}" x2="{width - edge}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="#ccc"/>'
        f'<polyline points="{line}" fill="none" stroke="#4f43dd" stroke-width="1.5"/>'
        f'<circle cx="{x(last_day):.1f}" cy="{y(float(last)):.1f}" r="4" fill="#d64545"/>'
        f'<text x="{edge}" y="14">{top:,.0f}</text>'
        f'<text x="{edge}" y="{height - 6}">{days[0][0]}</text>'
        f'<text x="{width - edge}" y="{height - 6}" text-anchor="end">{last_day}: {last:,.2f}</text></svg>'
    )
    encoded = base64.b64encode(picture.encode()).decode()
    return f"![Revenue by day, {days[0][0]} to {last_day}](data:image/svg+xml;base64,{encoded})"
