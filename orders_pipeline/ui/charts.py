"""Revenue as a person looks at it in the Dagster UI: a chart, and the last days with orders. Both are Markdown."""

from collections.abc import Collection, Sequence
from datetime import date
from itertools import count, pairwise
from typing import Final
from urllib.parse import quote

from orders_pipeline.tables.revenue import DayRevenue

CHARTED_DAYS: Final = 90
LISTED_DAYS: Final = 14
_HEIGHT: Final = 99  # of the chart: no step has three digits
_MARKED_DAYS: Final = 5
_UNIT: Final = "in the orders' currency"
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


def chart(revenue: Sequence[DayRevenue], marked: Collection[date] = ()) -> str:
    """Revenue of up to CHARTED_DAYS as a picture in Markdown, with the greatest and the least amount. `marked`:
    days to mark by a red line, the last few of them.

    Days without orders take no room: a shop that opens again after a year does not see one dot.
    Short enough for the UI to show it in its place: days three units apart, amounts in whole units of a ninety-ninth.
    """
    if not revenue:
        return "No day has revenue yet."
    amounts = [float(found.revenue) for found in revenue]
    top, bottom = max(0.0, *amounts), min(0.0, *amounts)
    heights = [round(_HEIGHT * (top - amount) / ((top - bottom) or 1)) for amount in (*amounts, 0.0)]
    *points, (_, zero) = zip(count(3 * (CHARTED_DAYS - len(amounts)), 3), heights, strict=False)
    steps = ",".join(f"3{y - y0:+d}" for (_, y0), (_, y) in pairwise(points))
    (left, start), (right, _) = points[0], points[-1]
    red = [x for found, (x, _) in zip(revenue, points, strict=True) if found.day in marked][-_MARKED_DAYS:]
    lines = f"<path d='{''.join(f'M{x} 0v{_HEIGHT}' for x in red)}' stroke='red'/>" if red else ""
    picture = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-5,-14 280 130' width='400' style='font:9px Arial'>"
        f"<path d='M0 0v{_HEIGHT}M0 {zero}h{right}' stroke='silver'/>{lines}"
        f"<path d='M{left} {start}l{steps or f'0 {zero - start}'}' fill='none' stroke='blue'/>"
        f"<text y='-4'>{top:,.0f} a day, {_UNIT}</text><text x='2' y='{_HEIGHT - 2}'>{bottom:,.0f}</text>"
        f"<text x='{min(left, 110)}' y='112'>{revenue[0].day}</text>"
        f"<text x='{right}' y='112' text-anchor='end'>{revenue[-1].day}</text></svg>"
    )
    return f"![Revenue by day](<data:image/svg+xml,{quote(picture, safe=_UNQUOTED)}>)"
