"""Findings: what is wrong, or may be. A check finds it. It is open until its condition is gone (settled), or until a
person accepts it; if what was accepted changes, it is open again."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.ledger.locks import Lock, hold_until_commit
from orders_pipeline.ledger.models import findings
from orders_pipeline.text import LONGEST_MESSAGE, cut

_t: Final = findings.c


@dataclass(frozen=True)
class Finding:
    """What a check found.

    `subject`: a day, or a file as bucket/key; a check has at most one finding of a subject. `fingerprint`: what a
    person accepts, so nothing that changes by itself. `message`: a clause that names the subject. `amount`: the money
    at stake in the shop's currency, None if unknown."""

    subject: str
    fingerprint: str
    message: str
    amount: Decimal | None = None


@dataclass(frozen=True)
class Recorded:
    """A finding that is not settled. `kind`: the name of its check."""

    id: int
    kind: str
    subject: str
    message: str
    amount: Decimal | None
    since: datetime
    accepted_at: datetime | None
    accepted_by: str | None


@dataclass(frozen=True)
class Standing:
    """The findings of a kind (the name of their check), whichever run found them: those that are open, the newest
    first, and the number of those that are accepted."""

    kind: str
    open: Sequence[Recorded]
    accepted: int


@dataclass(frozen=True)
class Examination:
    """A check at work. `began`: by Postgres's clock. `subjects`: those with a finding, open or accepted, at that time;
    the check examines them again, whatever else it examines."""

    kind: str
    began: datetime
    subjects: frozenset[str]

    @property
    def days(self) -> set[date]:
        """The subjects that are days."""
        return {day for subject in self.subjects if (day := _day(subject))}


def of_file(bucket: str, key: str) -> str:
    """The subject of a finding about a file."""
    return f"{bucket}/{key}"


def examine(engine: Engine, kind: str) -> Examination:
    """Begin an examination. Call this before the check takes its snapshot."""
    with engine.connect() as connection:
        began = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        subjects = connection.execute(sa.select(_t.subject).where(*_unsettled(kind))).scalars()
        return Examination(kind, began, frozenset(subjects))


def record(
    transaction: Connection, examination: Examination, found: Iterable[Finding], *, examined: Collection[str] | None
) -> None:
    """Record what an examination found, and settle what it did not find.

    A known finding keeps its id and `since`. If its fingerprint changed, it is no longer accepted. A finding that a
    later examination confirmed is left alone.

    Args:
        transaction: at READ COMMITTED. It must end soon: others wait to record.
        examination: by which it was found.
        found: at most one for each subject.
        examined: the subjects to settle unless they were found. None: all of this kind.
    """
    hold_until_commit(transaction, Lock.FINDINGS)
    kind, began = examination.kind, examination.began
    rows = [
        {
            "kind": kind,
            "subject": one.subject,
            "fingerprint": _short(one.fingerprint),
            "message": cut(one.message, LONGEST_MESSAGE),
            "amount": one.amount,
            "found_at": began,
        }
        for one in found
    ]
    if rows:
        transaction.execute(_merge(), rows)
    gone = [*_unsettled(kind), _t.found_at < began]
    if examined is not None:
        gone.append(_t.subject == sa.any_(sa.literal(sorted(examined), sa.ARRAY(sa.Text))))
    transaction.execute(sa.update(findings).where(*gone).values(settled_at=sa.func.now()))


def standing(connection: Connection, kind: str) -> Standing:
    """The findings of a kind that are not settled."""
    found = unsettled(connection, kind)
    newest_first = [one for one in reversed(found) if one.accepted_at is None]
    return Standing(kind, newest_first, len(found) - len(newest_first))


def open_findings(connection: Connection) -> list[Recorded]:
    """All findings that are neither settled nor accepted, oldest first."""
    return [one for one in unsettled(connection) if one.accepted_at is None]


def unsettled(connection: Connection, kind: str | None = None) -> list[Recorded]:
    """The findings, of one kind or all, that are not settled, accepted ones included, oldest first."""
    columns = _t.id, _t.kind, _t.subject, _t.message, _t.amount, _t.since, _t.accepted_at, _t.accepted_by
    query = sa.select(*columns).where(*_unsettled(kind)).order_by(_t.id)
    return [Recorded(*row) for row in connection.execute(query)]


def rename(transaction: Connection, subjects: Mapping[str, str]) -> None:
    """Let findings be about the new names of their subjects, accepted ones too. One whose new name has a finding of its
    own is settled."""
    hold_until_commit(transaction, Lock.FINDINGS)
    columns = [sa.cast(list(names), sa.ARRAY(sa.Text)) for names in (subjects.keys(), subjects.values())]
    names = sa.func.unnest(*columns).table_valued("old", "new").render_derived()
    is_meant = *_unsettled(None), _t.subject == names.c.old
    other = findings.alias("other").c
    is_taken = sa.exists().where(other.kind == _t.kind, other.subject == names.c.new, other.settled_at.is_(None))
    transaction.execute(sa.update(findings).where(*is_meant, is_taken).values(settled_at=sa.func.now()))
    transaction.execute(sa.update(findings).where(*is_meant).values(subject=names.c.new))


def accept(transaction: Connection, ids: Collection[int], by: str) -> list[Recorded]:
    """Accept findings, until they are settled or their fingerprint changes. One that is accepted already stays as it
    is. Returns all of them.

    Raises:
        OrdersPipelineError: one of them does not exist or is settled. None is accepted.
    """
    hold_until_commit(transaction, Lock.FINDINGS)
    found = {one.id: one for one in unsettled(transaction) if one.id in ids}
    if missing := sorted(set(ids) - found.keys()):
        raise _not_there(transaction, missing[0])
    waiting = _t.id.in_(found), _t.accepted_at.is_(None)
    transaction.execute(sa.update(findings).where(*waiting).values(accepted_at=sa.func.now(), accepted_by=by))
    return list(found.values())


def _not_there(transaction: Connection, id_: int) -> OrdersPipelineError:
    settled_at = transaction.execute(sa.select(_t.settled_at).where(_t.id == id_)).scalar_one_or_none()
    what = f"Finding {id_} was settled on {settled_at:%Y-%m-%d}" if settled_at else f"There is no finding {id_}"
    return OrdersPipelineError(
        f"{what}, so nothing was accepted. `orders-pipeline findings` lists those that are open."
    )


def _merge() -> sa.Insert:
    """Insert findings, or update those of the same kind and subject that are not settled."""
    statement = insert(findings)
    new = statement.excluded
    is_same = _t.fingerprint == new.fingerprint
    return statement.on_conflict_do_update(
        index_elements=[_t.kind, _t.subject],
        index_where=_t.settled_at.is_(None),
        set_={
            **{name: new[name] for name in ("fingerprint", "message", "amount", "found_at")},
            "accepted_at": sa.case((is_same, _t.accepted_at)),
            "accepted_by": sa.case((is_same, _t.accepted_by)),
        },
        where=_t.found_at <= new.found_at,
    )


def _unsettled(kind: str | None) -> list[sa.ColumnElement[bool]]:
    return [_t.settled_at.is_(None), sa.true() if kind is None else _t.kind == kind]


def _short(fingerprint: str) -> str:
    """The fingerprint itself, or the hash of a long one: of two that differ, the hashes differ too."""
    is_long = len(fingerprint) > LONGEST_MESSAGE
    return hashlib.sha256(fingerprint.encode()).hexdigest() if is_long else fingerprint


def _day(subject: str) -> date | None:
    try:
        return date.fromisoformat(subject)
    except ValueError:
        return None
