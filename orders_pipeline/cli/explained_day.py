"""How `orders-pipeline explain` words a day."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from orders_pipeline.cli.lines import aligned, folded, labelled, moment, short
from orders_pipeline.explain.day import Day, Lacking, Usual
from orders_pipeline.explain.shares import DELETED, MOVED, SUPERSEDED, Replaced
from orders_pipeline.schema import REASONS
from orders_pipeline.tables.rejects import Rejects
from orders_pipeline.text import counted, examples, printable

_MOST: Final = 10  # of a kind that are listed; `--json` has all
_HOW: Final = {
    SUPERSEDED: "superseded by {winner}",
    MOVED: "moved to another day by {winner}",
    DELETED: "deleted or dropped by {winner}",
}


def lines(found: Day) -> Iterator[str]:
    """Lines of up to 80 characters."""
    yield from labelled("day", f"{found.day} ({found.day:%A}), {found.when}; days are in {found.timezone}")
    yield from labelled("shows", _shown(found))
    yield from labelled("usual", _usual(found))
    yield from _built(found)
    if found.figures and len(found.figures) > 1:
        yield from _figures(found)
    yield from _files(found)
    yield from _replaced(found.replaced)
    yield from _rejects(found.rejects, found.other_rejects)
    yield from _missing(found)
    yield from _senders(found)


def _shown(found: Day) -> str:
    shown = found.shown
    if not shown.orders and not shown.customers:
        return "no orders"
    orders = f"{shown.revenue or 0:,} in {counted(shown.orders, 'order')} of {counted(shown.customers, 'customer')}"
    if found.chains_agree:
        return f"{orders}; both chains agree"
    return f"{orders}; daily_revenue_partitioned has {shown.spend or 0:,}: the chains differ"


def _usual(found: Day) -> str:
    if found.usual is Usual.YES:
        return f"yes: {found.comparison}" if found.comparison else f"yes, for a {found.day:%A}"
    if found.usual is Usual.NO:
        return f"no: {found.comparison}"
    return f"not known: {found.comparison}"


def _built(found: Day) -> Iterator[str]:
    if not any(table.built or table.why for table in found.tables):
        yield from labelled("built", "in no table")
        return
    wide = max(len(table.table) for table in found.tables)
    for number, table in enumerate(found.tables):
        when = f"{table.built.built_at:%Y-%m-%d %H:%M:%S}" if table.built else "never"
        yield f"{'' if number else 'built (UTC)':12}{table.table:{wide}}  {when:19}  {table.state}"
        if table.why:
            names = f": {examples(table.names)}" if table.names else ""
            yield from folded(f"{table.why}{names}", " " * 14, " " * 14)
        if table.built and table.built.blocked_by:
            yield from folded(f"{table.built.blocked_by} failed on it", " " * 14, " " * 14)
    versions = {table.built.version for table in found.tables if table.built}
    present = "none any more" if found.version is None else str(found.version)
    same = versions == {found.version}
    yield from labelled(
        "version", f"{present}, of all tables" if same else f"{present}; built from {examples(versions)}"
    )


def _figures(found: Day) -> Iterator[str]:
    last = found.figures[-_MOST:]
    for number, figure in enumerate(last):
        asked = ", asked for by a person" if figure.asked_for else ""
        label = "" if number else "showed"
        yield from labelled(label, f"{figure.revenue:,} since {moment(figure.at)} ({figure.cause}{asked})")


def _files(found: Day) -> Iterator[str]:
    if not found.files:
        return
    yield ""
    yield "Made of:"
    rows = [(f"{one.rows:,}", f"{one.orders:,}", f"{one.amount:,}") for one in found.files[:_MOST]]
    if len(found.files) > _MOST:
        rest = found.files[_MOST:]
        amount = sum((one.amount for one in rest), Decimal(0))
        rows.append((f"{sum(one.rows for one in rest):,}", f"{sum(one.orders for one in rest):,}", f"{amount:,}"))
    names = [printable(one.file) for one in found.files[:_MOST]] + [f"{len(found.files) - _MOST} more (see --json)"]
    head, *figures = aligned([("rows", "orders", "amount"), *rows], right=(0, 1, 2))
    yield f"  {head}  file"
    for line, name in zip(figures, names, strict=False):
        yield from folded(name, f"  {line}  ", " " * (len(line) + 4))


def _replaced(replaced: Sequence[Replaced]) -> Iterator[str]:
    if replaced:
        yield ""
        yield "Of these rows, not counted:"
    for one in replaced[:_MOST]:
        how = _HOW[one.how].format(winner="a later row of the file" if one.winner == one.file else one.winner)
        text = f"{counted(one.rows, 'row')} of {one.file} worth {one.amount:,}: {how}"
        yield from folded(printable(text), "  ", "    ")
    yield from _more(len(replaced))


def _rejects(rejects: Sequence[Rejects], others: int) -> Iterator[str]:
    if rejects or others:
        yield ""
        yield "Rejected, and perhaps of this day:"
    for one in rejects[:_MOST]:
        text = f"{counted(one.rows, 'row')} of {one.key}, {one.reason}: {REASONS.get(one.reason, one.reason)}"
        yield from folded(printable(text), "  ", "    ")
        yield f"    first: row {one.row_number}: {short(one.text, 60)}"
    yield from _more(len(rejects))
    if others:
        yield from folded(f"{counted(others, 'row')} of its files that may be of another day", "  ", "    ")


def _missing(found: Day) -> Iterator[str]:
    notes = [f"the object of {name} is missing from the lake or damaged" for name in found.damaged]
    notes += [text for text in (found.table_error, found.s3_error) if text]
    if notes or found.lacking:
        yield ""
        yield "Not in it, or not known:"
    for note in notes:
        yield from folded(printable(note), "  ", "    ")
    for file in found.lacking[:_MOST]:
        yield from _lacking(file)
    yield from _more(len(found.lacking))


def _lacking(file: Lacking) -> Iterator[str]:
    counts = " An earlier version still counts." if file.still_counts else ""
    counts += " A person has accepted that." if file.is_accepted else ""
    yield from folded(printable(f"{file.name} ({file.because})"), "  ", "    ")
    yield from folded(printable(f"{file.state}: {file.message.rstrip('.')}.{counts}"), "    ", "    ")


def _senders(found: Day) -> Iterator[str]:
    if not found.has_orders and found.newest_day:
        yield from labelled("newest", f"{found.newest_day} is the last day with orders")
    for sender in found.senders[:_MOST]:
        absent = f"no orders for this day, but for each of the last four {found.day:%A}s" if sender.is_absent else ""
        landed = f"its newest file landed {moment(sender.last_landed)}" if sender.last_landed else ""
        newest = f"its newest day that is loaded is {sender.newest_day}" if sender.newest_day else ""
        about = "; ".join(filter(None, (absent, landed, newest)))
        yield from labelled("sender", f"{sender.name}: {about or 'nothing is known of when it delivers'}")
    yield from _more(len(found.senders))


def _more(count: int) -> Iterator[str]:
    if count > _MOST:
        yield f"  and {count - _MOST:,} more (--json has all)"
