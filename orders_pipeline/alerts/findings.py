"""Open findings of the ledger: an event for those of each kind that are new, and for those that are open no more."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from orders_pipeline.alerts.causes import Alert, Event, failure_text
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline.runs.backoff import fingerprint
from orders_pipeline.text import EXAMPLES, counted, examples

_FINDING: Final = "finding"
_MANY: Final = "many findings"
_MOST_ALONE: Final = 50  # findings of a kind that are remembered one by one: what is remembered is bounded


def judge(found: Sequence[Recorded], told: Mapping[str, str], link: Callable[[str], str]) -> Iterator[Event]:
    """What to report of the open findings, at most two events of a kind.

    Args:
        found: all that are open.
        told: what was reported, each with what ends it. A finding is not new if it was, nor if its check was reported
            as failed and has not passed since.
        link: where a kind's check is in Dagster.
    """
    by_kind = {kind: list(ones) for kind, ones in groupby(sorted(found, key=_kind), _kind)}
    ends = {_end(one) for one in found} | {_end_of_many(kind) for kind in by_kind if len(by_kind[kind]) > _MOST_ALONE}
    yield from _settled({end for end in told.values() if _is_of_findings(end)} - ends)
    for kind, ones in by_kind.items():
        if any(end.startswith(f"{kind} of ") for end in told.values()):
            continue
        if len(ones) > _MOST_ALONE:
            causes = {fingerprint([_MANY, kind]): _end_of_many(kind)}
        else:
            causes = {fingerprint([_FINDING, one.id, one.since]): _end(one) for one in ones}
        new = {cause: end for cause, end in causes.items() if cause not in told}
        if new:
            named = [one for one in ones if _end(one) in new.values()] or ones
            key = fingerprint([*new, *(one.message for one in named)])
            yield Event(kind, causes=new, alert=Alert(_text(kind, named, link(kind)), key))


def _settled(ends: set[str]) -> Iterator[Event]:
    """One event for each kind of which findings are open no more."""
    for kind, gone in groupby(sorted(ends, key=_kind_of), _kind_of):
        names = list(gone)
        number = sum(not name.startswith(_MANY) for name in names)
        what = f"Resolved: {counted(number, 'finding')} of {kind}, settled or accepted"
        yield Event(kind, ends=frozenset(names), resolved=Alert(what, fingerprint(names)) if number else None)


def _text(kind: str, found: Sequence[Recorded], link: str) -> str:
    amounts = [abs(one.amount) for one in found if one.amount is not None]
    money = f", {sum(amounts):,} at stake" if amounts else ""
    ids = " ".join(str(one.id) for one in found[:EXAMPLES])
    next_step = (
        f"What to do: docs/operations.md, {kind}. To accept what is as it should be: `orders-pipeline accept {ids}`."
        " `orders-pipeline findings` lists all."
    )
    why = f"{examples((one.message for one in found), '; ')}. {next_step}"
    return failure_text(f"{counted(len(found), 'finding')} of {kind}{money}", why, link)


def _kind(one: Recorded) -> str:
    return one.kind


def _end(one: Recorded) -> str:
    return f"{_FINDING} {one.kind} {one.id} {one.since.isoformat()}"


def _end_of_many(kind: str) -> str:
    return f"{_MANY} {kind}"


def _is_of_findings(end: str) -> bool:
    return end.startswith((f"{_FINDING} ", f"{_MANY} "))


def _kind_of(end: str) -> str:
    return end.removeprefix(f"{_FINDING} ").removeprefix(f"{_MANY} ").split()[0]
