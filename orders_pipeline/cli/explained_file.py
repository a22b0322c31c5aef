"""How `orders-pipeline explain` words a file."""

from collections.abc import Iterator
from typing import Final

from orders_pipeline.cli.lines import folded, labelled, moment, short
from orders_pipeline.explain.file import PENDING, UNKNOWN, File, Rows, Version
from orders_pipeline.explain.tables import in_words
from orders_pipeline.ledger.versions import LOST
from orders_pipeline.schema import REASONS, REJECTED
from orders_pipeline.text import counted, examples, list_days

_MOST: Final = 10  # of a kind that are listed; `--json` has all


def lines(found: File) -> Iterator[str]:
    """Lines of up to 80 characters."""
    yield from labelled("file", found.name)
    yield from labelled("state", _state(found))
    if found.s3_error:
        yield from labelled("S3", found.s3_error)
    elif found.on_s3 is not None and found.state not in (PENDING, UNKNOWN):
        gone = "not there any more" + ("; its rows count from the lake" if found.counts and not found.damaged else "")
        yield from labelled("S3", "there" if found.on_s3 else gone)
    elif found.bucket and not found.is_listed:
        yield from labelled("S3", "outside the landing zone, so it is never listed")
    if found.versions:
        yield from labelled("source", _source(found))
    if found.outdated:
        yield from labelled("outdated", f"{found.outdated}: the next run does that")
    if found.damaged:
        yield from labelled("damaged", "its object is missing from the lake, or damaged")
    for number, version in enumerate(list(reversed(found.versions))[:_MOST]):
        yield from labelled("" if number else "versions", _version(version))
    if found.rows:
        is_all_built = not (found.stale or found.before_start or found.after_today)
        yield from _rows(found.rows, "" if is_all_built else "at most ")
        yield from labelled("days", _days(found))
    yield from _rejects(found)


def _state(found: File) -> str:
    if found.state == UNKNOWN:
        return "unknown: neither the ledger nor S3 has such a file"
    text = f"{found.state}: {found.message}" if found.message else found.state
    if found.state not in ("loaded", LOST) and found.counts:
        return f"{text.rstrip('.')}. An earlier version still counts."
    return text


def _source(found: File) -> str:
    declared = f"{found.source}, which declares {', '.join(found.reading) or 'no more'}"
    return declared if found.source else f"{found.sender}: nothing is declared for it"


def _version(version: Version) -> str:
    landed = f"landed {moment(version.landed)}" if version.landed else "of the source table"
    size = f", {version.size:,} bytes" if version.landed else ""
    status = f"{version.status} ({version.reason})" if version.reason else version.status
    if version.status == "loaded" and not version.is_active:
        status = "loaded, and replaced since"
    rows = "" if version.rows is None else f", {counted(version.rows, 'row')}"
    counts = ", counts" if version.is_active else ""
    settled = f" {moment(version.settled_at)}" if version.settled_at else ""
    tried = f", tried {version.attempts} times" if version.attempts > 1 else ""
    return f"{landed}{size}: {status}{settled}{rows}{counts}{tried}"


def _rows(rows: Rows, most: str) -> Iterator[str]:
    named = [f"{count:,} {outcome}" for outcome, count in rows.by_outcome.items() if count]
    yield from labelled("rows", f"{rows.total:,} = {' + '.join(named) or '0'}")
    money = [f"{amount:,} {outcome}" for outcome, amount in rows.amounts.items() if amount]
    yield from labelled("money", ", ".join(money) or "none")
    if rows.superseded:
        yield from labelled(
            "superseded",
            f"{counted(rows.superseded, 'row')} worth {rows.superseded_amount:,}, by {examples(rows.superseded_by)}",
        )
    if rows.replaces:
        yield from labelled("replaces", f"{counted(rows.replaces, 'row')} of other files")
    yield from labelled("counts", f"{most}{counted(rows.counting, 'order')} worth {rows.amount:,}")


def _days(found: File) -> str:
    if not found.days:
        return "none: no row counts"
    states = [f"not current: {in_words(found.stale)}"] if found.stale else []
    if found.before_start:
        states.append(f"before ORDERS_START_DATE, so in no table: {list_days(found.before_start)}")
    if found.after_today:
        states.append(f"after today, so in no table yet: {list_days(found.after_today)}")
    return (
        f"{list_days(found.days)} ({counted(len(found.days), 'day')}): {'; '.join(states) or 'all built, and current'}"
    )


def _rejects(found: File) -> Iterator[str]:
    rejected = found.rows.by_outcome[REJECTED] if found.rows else 0
    if rejected:
        yield ""
        yield "Rejected:" if found.rejects else "Its rejected rows are not listed yet: the next run does that."
    for one in found.rejects[:_MOST]:
        yield from folded(
            f"{counted(one.rows, 'row')}, {one.reason}: {REASONS.get(one.reason, one.reason)}", "  ", "    "
        )
        yield f"    first: row {one.row_number}: {short(one.text, 60)}"
