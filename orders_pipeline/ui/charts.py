"""Revenue as a person looks at it in the Dagster UI: a chart, and the last days with orders. Both are Markdown."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from orders_pipeline.tables.revenue import DayRevenue

CHARTED_DAYS: Final = 90
LISTED_DAYS: Final = 14
_UNQUOTED: Final = " !$&'()*+,-./:;=?@_~"  # what a data URL in angle brackets may hold as it is


def change_table(revenue: Sequence[DayRevenue], today: date) -> str:
    """The last fourteen days that had orders, newest first, each against the one before it."""
    if not revenue:
        return "No day has revenue yet."
    listed = revenue[-LISTED_DAYS:]
    before = {found.day: earlier for earlier, found in pairwise(revenue)}
    lines = ["day|revenue|orders|change", ":--|--:|--:|--:"]
    for found in reversed(listed):
        name = f"{found.day:%a} {found.day}" + (" (not over yet)" if found.day >= today else "")
        earlier = before.get(found.day)
        lines.append(f"{name}|{found.revenue:,.2f}|{found.orders:,}|{_change(earlier, found)}")
        if earlier and found != listed[0] and (between := (found.day - earlier.day).days - 1):
            lines.append(f"{between} day{'' if between == 1 else 's'}|no orders||")
    return "\n".join(lines)


def _change(before: DayRevenue | None, found: DayRevenue) -> str:
    """In percent; nothing where there is nothing to divide by."""
    if before is None or before.revenue <= 0:
        return ""
    return f"{(found.revenue / before.revenue - 1) * 100:+,.1f}\u00a0%"


def chart(revenue: Sequence[DayRevenue]) -> str:
    """Revenue of up to CHARTED_DAYS as a picture in Markdown; the latest day is marked.

    Days without orders take no room: a shop that opens again after a year does not see one dot.
    Short enough for the UI to show it in its place: days three units apart, amounts in whole units of a hundred."""
    if not revenue:
        return "No day has revenue yet."
    first, last = revenue[0], revenue[-1]
    amounts = [float(found.revenue) for found in revenue]
    top, bottom = max(0.0, *amounts), min(0.0, *amounts)
    points = [
        (3 * place, round(100 * (top - amount) / ((top - bottom) or 1)))
        for place, amount in enumerate(amounts, CHARTED_DAYS - len(amounts))
    ]
    steps = ",".join(f"{x - x0}{y - y0:+d}" for (x0, y0), (x, y) in pairwise(points))
    (left, start), (right, end), zero = points[0], points[-1], round(100 * top / ((top - bottom) or 1))
    picture = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-5,-14 280 132' width='400' style='font:9px Arial'>"
        f"<path d='M0 {zero}h{right}' stroke='silver'/>"
        f"<path d='M{left} {start}l{steps or '0 0'}' fill='none' stroke='blue'/>"
        f"<circle cx='{right}' cy='{end}' r='3' fill='red'/>"
        f"<text y='-4'>{top:,.0f}</text>"
        f"<text x='{min(left, 110)}' y='114'>{first.day}</text>"
        f"<text x='{right}' y='114' text-anchor='end'>{last.day}: {last.revenue:,.2f}</text></svg>"
    )
    return f"![Revenue by day](<data:image/svg+xml,{quote(picture, safe=_UNQUOTED)}>)"
