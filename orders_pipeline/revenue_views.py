"""Revenue as a person looks at it in the Dagster UI: a chart, and the last two weeks day by day. Both are Markdown."""

import base64
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from orders_pipeline.revenue import DayRevenue

CHARTED_DAYS: Final = 90
_LISTED_DAYS: Final = 14


def change_table(revenue: Sequence[DayRevenue], today: date) -> str:
    """The last two weeks up to the latest day, newest first, each against the last day before it that had orders."""
    if not revenue:
        return "No day has revenue yet."
    by_day = {found.day: found for found in revenue}
    before = dict(zip([found.day for found in revenue[1:]], revenue, strict=False))
    lines = ["| day | revenue | orders | change |", "| :-- | --: | --: | --: |"]
    for day in (revenue[-1].day - timedelta(days=ago) for ago in range(_LISTED_DAYS)):
        if day < revenue[0].day:
            break
        found = by_day.get(day)
        name = f"{day:%a} {day}" + (" (not over yet)" if day >= today else "")
        if found is None:
            lines.append(f"| {name} | no orders | | |")
        else:
            lines.append(f"| {name} | {found.revenue:,.2f} | {found.orders:,} | {_change(before.get(day), found)} |")
    return "\n".join(lines)


def _change(before: DayRevenue | None, found: DayRevenue) -> str:
    """In percent; nothing where there is nothing to divide by."""
    if before is None or before.revenue <= 0:
        return ""
    return f"{(found.revenue / before.revenue - 1) * 100:+,.1f} %"


def chart(revenue: Sequence[DayRevenue]) -> str:
    """Revenue of up to CHARTED_DAYS as an inline picture; the latest day is marked."""
    if not revenue:
        return "No day has revenue yet."
    last_day, last = revenue[-1].day, revenue[-1].revenue
    days = [(found.day, float(found.revenue)) for found in revenue]
    top, bottom = max(0.0, *(amount for _, amount in days)), min(0.0, *(amount for _, amount in days))
    width, height, edge = 640, 200, 24

    def x(day: date) -> float:
        return edge + (width - 2 * edge) * (1 - (last_day - day).days / (CHARTED_DAYS - 1))

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
