"""Revenue as a person looks at it in the Dagster UI: a chart, and the last two weeks day by day. Both are Markdown."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from orders_pipeline.tables.revenue import DayRevenue

CHARTED_DAYS: Final = 90
_LISTED_DAYS: Final = 14
_UNQUOTED: Final = " !$&'()*+,-./:;=?@_~"  # what a data URL in angle brackets may hold as it is


def change_table(revenue: Sequence[DayRevenue], today: date) -> str:
    """The last two weeks up to the latest day, newest first, each against the last day before it that had orders."""
    if not revenue:
        return "No day has revenue yet."
    by_day = {found.day: found for found in revenue}
    before = dict(zip([found.day for found in revenue[1:]], revenue, strict=False))
    lines = ["day|revenue|orders|change", ":--|--:|--:|--:"]
    for day in (revenue[-1].day - timedelta(days=ago) for ago in range(_LISTED_DAYS)):
        if day < revenue[0].day:
            break
        found = by_day.get(day)
        name = f"{day:%a} {day}" + (" (not over yet)" if day >= today else "")
        if found is None:
            lines.append(f"{name}|no orders||")
        else:
            lines.append(f"{name}|{found.revenue:,.2f}|{found.orders:,}|{_change(before.get(day), found)}")
    return "\n".join(lines)


def _change(before: DayRevenue | None, found: DayRevenue) -> str:
    """In percent; nothing where there is nothing to divide by."""
    if before is None or before.revenue <= 0:
        return ""
    return f"{(found.revenue / before.revenue - 1) * 100:+,.1f}\u00a0%"


def chart(revenue: Sequence[DayRevenue]) -> str:
    """Revenue of up to CHARTED_DAYS as a picture in Markdown; the latest day is marked.

    Short enough for the UI to show it in its place: days three units apart, amounts in whole units of a hundred."""
    if not revenue:
        return "No day has revenue yet."
    first, last = revenue[0], revenue[-1]
    amounts = [float(found.revenue) for found in revenue]
    top, bottom = max(0.0, *amounts), min(0.0, *amounts)
    points = [
        (3 * (CHARTED_DAYS - 1 - (last.day - found.day).days), round(100 * (top - amount) / ((top - bottom) or 1)))
        for found, amount in zip(revenue, amounts, strict=True)
    ]
    steps = ",".join(f"{x - x0}{y - y0:+d}" for (x0, y0), (x, y) in pairwise(points))
    (left, start), (right, end), zero = points[0], points[-1], round(100 * top / ((top - bottom) or 1))
    picture = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-5,-14 280 132' width='400' style='font:9px Arial'>"
        f"<path d='M0 {zero}h{right}' stroke='silver'/>"
        f"<path d='M{left} {start}l{steps or '0 0'}' fill='none' stroke='blue'/>"
        f"<circle cx='{right}' cy='{end}' r='3' fill='red'/>"
        f"<text y='-4'>{top:,.0f}</text><text x='{min(left, 110)}' y='114'>{first.day}</text>"
        f"<text x='{right}' y='114' text-anchor='end'>{last.day}: {last.revenue:,.2f}</text></svg>"
    )
    return f"![Revenue by day](<data:image/svg+xml,{quote(picture, safe=_UNQUOTED)}>)"
