"""How `orders-pipeline explain` shows what it found: as lines for a terminal, and as JSON."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from orders_pipeline.cli import explained_day, explained_file, explained_order
from orders_pipeline.cli.lines import folded, labelled
from orders_pipeline.explain.day import Day
from orders_pipeline.explain.file import File
from orders_pipeline.explain.lookup import Answer
from orders_pipeline.explain.order import Order
from orders_pipeline.explain.steps import Step
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline.text import printable

_KINDS = {Day: "day", Order: "order", File: "file"}


def as_json(answer: Answer) -> dict[str, Any]:
    """An object with the keys that docs/operations.md lists."""
    found = answer.found
    head = {"what": answer.what, "kind": _KINDS[type(found)], "is_well": found.is_well, "note": answer.note}
    return {**head, **dataclasses.asdict(found), "next": [dataclasses.asdict(step) for step in found.next]}


def lines(answer: Answer) -> Iterator[str]:
    """Lines of up to 80 characters; a command is one line, however long."""
    found = answer.found
    if isinstance(found, Day):
        yield from explained_day.lines(found)
    elif isinstance(found, Order):
        yield from explained_order.lines(found)
    else:
        yield from explained_file.lines(found)
    if answer.note:
        yield from labelled("note", answer.note)
    if not isinstance(found, Order):
        yield from _findings(found.findings)
    yield from _next(found.next, is_well=found.is_well)


def _findings(findings: Sequence[Recorded]) -> Iterator[str]:
    if findings:
        yield ""
        yield "Findings:"
    for one in findings:
        money = "" if one.amount is None else f", {one.amount:,} at stake"
        agreed = f", accepted by {printable(one.accepted_by or '')}" if one.accepted_at else ""
        yield from folded(f"{one.id} since {one.since:%Y-%m-%d}, {one.kind}{money}{agreed}:", "  ", "    ")
        yield from folded(printable(one.message), "    ", "    ")


def _next(steps: Sequence[Step], *, is_well: bool) -> Iterator[str]:
    yield ""
    if is_well:
        yield "Nothing has to be done. You can:" if steps else "All is well."
    elif steps:
        yield "Next:"
    for step in steps:
        yield from folded(printable(step.what), "  ", "  ")
        if step.command:
            yield f"    {step.command}"
