"""How `orders-pipeline explain` words an order."""

from collections.abc import Iterator
from typing import Final

from orders_pipeline.cli.lines import folded, labelled, moment, short
from orders_pipeline.explain.day import When
from orders_pipeline.explain.order import Order, Row
from orders_pipeline.explain.tables import State
from orders_pipeline.schema import COUNTS, OUTCOMES, REASONS, VOID
from orders_pipeline.text import counted, examples, printable

_MOST: Final = 20  # rows that are listed; `--json` has all
_LONGEST: Final = 40  # characters of an id


def lines(found: Order) -> Iterator[str]:
    """Lines of up to 80 characters."""
    yield from labelled("order", short(found.order_id, 60))
    yield from labelled("counts", _latest(found))
    if found.latest:
        yield from labelled("why", found.why)
        if found.day:
            yield from labelled("day", _day(found))
    yield from labelled("searched", _searched(found))
    if found.damaged:
        yield from labelled("damaged", f"not searched, since their objects are: {examples(found.damaged)}")
    if found.newer_unread:
        yield from labelled("not read", f"a newer version of {examples(found.newer_unread)} is not loaded")
    if found.rows:
        yield ""
        yield "Rows with this id:"
    for row in found.rows[:_MOST]:
        yield from _row(row)
    if len(found.rows) > _MOST:
        yield f"  and {len(found.rows) - _MOST:,} more (--json has all)"


def _latest(found: Order) -> str:
    row = found.latest
    if row is None:
        return "nothing: no row with this id was found" if not found.rows else "nothing: no row of it can be used"
    if row.outcome == VOID:
        return f"nothing: the latest row deletes the order, or its source drops it (row {row.row_number} of {row.file})"
    customer = f"customer {short(row.customer_id or '', _LONGEST)}"
    return f"{row.amount:,} on {row.day}, {customer}: row {row.row_number} of {row.file}"


def _day(found: Order) -> str:
    day = found.day
    if found.when in (When.FUTURE, When.BEFORE_START):
        return f"{day} is {found.when}: the order is in no table but raw_orders"
    late = [table for table in found.tables if table.state is not State.CURRENT]
    if not late:
        return f"{day} is built in every table, and current"
    return f"{day} is not current: {examples(f'{table.table} ({table.why or table.state})' for table in late)}"


def _searched(found: Order) -> str:
    text = f"{counted(found.opened, 'object')} of {found.objects:,} loaded files, those that may have it"
    if found.vacuumed:
        text += f". {counted(found.vacuumed, 'earlier version')} of files may have had it, and left the lake"
    if found.unread:
        text += f". {counted(found.unread, 'file')} that never could be read may have it"
    return text


def _row(row: Row) -> Iterator[str]:
    amount = f"{row.amount:,}" if row.amount is not None else short(row.written or "no amount", 20)
    day = f" on {row.day}" if row.day else ""
    yield from folded(f"{_state(row)}: {amount}{day}", "  ", "    ")
    yield from folded(printable(f"row {row.row_number} of {row.file} (sender {row.source})"), "    ", "    ")
    times = [
        f"{name} {moment(time)}" for name, time in (("landed", row.landed_at), ("updated_at", row.updated_at)) if time
    ]
    customer = [f"customer {short(row.customer_id, _LONGEST)}"] if row.customer_id else []
    if about := [*times, *customer]:
        yield from folded(", ".join(about), "    ", "    ")
    if row.reason:
        yield from folded(f"{row.reason}: {REASONS.get(row.reason, row.reason)}", "    ", "    ")
        yield f"    {short(row.text or '', 70)}"


def _state(row: Row) -> str:
    if row.gone is not None:
        return f"{row.outcome}, in a version of its file that does not count ({row.gone})"
    if row.outcome in (COUNTS, VOID) and not row.is_latest:
        return "superseded" if row.outcome == COUNTS else "void, superseded"
    return row.outcome if row.outcome == COUNTS or row.reason else f"{row.outcome} ({OUTCOMES[row.outcome]})"
