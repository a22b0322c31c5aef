"""How `orders-pipeline explain` shows what it found: as lines for a terminal, and as JSON."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from orders_pipeline.cli import explained_day
from orders_pipeline.cli.lines import folded
from orders_pipeline.explain.day import Day
from orders_pipeline.text import printable

Explained = Day


def as_json(found: Explained) -> dict[str, Any]:
    """An object with the keys that docs/operations.md lists."""
    fields = dataclasses.asdict(found)
    steps = [dataclasses.asdict(step) for step in found.next]
    return {"kind": kind(found), "is_well": found.is_well, **fields, "next": steps}


def kind(found: Explained) -> str:
    """What it is: `day`, `order` or `file`."""
    return "day"


def lines(found: Explained) -> Iterator[str]:
    """Lines of up to 80 characters."""
    yield from explained_day.lines(found)
    yield from _findings(found)
    yield from _next(found)


def _findings(found: Explained) -> Iterator[str]:
    if found.findings:
        yield ""
        yield "Open findings:"
    for one in found.findings:
        money = "" if one.amount is None else f", {one.amount:,} at stake"
        yield from folded(f"{one.id} since {one.since:%Y-%m-%d}, {one.kind}{money}:", "  ", "    ")
        yield from folded(printable(one.message), "    ", "    ")


def _next(found: Explained) -> Iterator[str]:
    yield ""
    if found.is_well and not found.next:
        yield "All is well."
        return
    yield "Next:"
    for step in found.next:
        yield from folded(printable(step.what), "  ", "  ")
        if step.command:
            yield f"    {step.command}"
