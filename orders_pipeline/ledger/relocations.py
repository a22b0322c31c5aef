"""Keys that moved: from a relocation on, a key in the new place is a new version of the same file.

The rows of the old name get the new one. The old name stays as an ignored entry, so that neither a listing that still
shows it nor `recover` takes its versions for a file of their own."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.places import within
from orders_pipeline.ledger.records import pairs
from orders_pipeline.ledger.retractions import RETRACTED, Key
from orders_pipeline.ledger.versions import RELOCATED, Status
from orders_pipeline.s3_settings import Place

_t: Final = landed_files.c
_OLD: Final = landed_files.alias("old").c


class Outcome(StrEnum):
    """What a relocation does with a file."""

    RENAMED = "renamed"  # the ledger did not know the new name
    REPLACED = "replaced"  # by the active version of the new name
    KEPT = "kept"  # as the last readable version of the new name, whose own versions cannot be read
    FORGOTTEN = "forgotten"  # it did not count, and the ledger knows the new name


@dataclass(frozen=True)
class Move:
    """A key that moves. `counts`: its old name has an active version. `was_retracted`: the latest version of the old
    name or of the new one was."""

    old: Key
    new: Key
    outcome: Outcome
    counts: bool
    was_retracted: bool


@dataclass(frozen=True)
class Relocation:
    """That everything in a place moved to another one. Both are folders, or both are keys."""

    source: Place
    target: Place

    def moves(self, connection: Connection) -> list[Move]:
        """What the relocation does with each file of the source, in order of key. Names that were relocated before are
        left out."""
        old, new = (_latest(connection, place) for place in (self.source, self.target))
        found = []
        for key, entry in old.items():
            name = self.target.prefix + key[len(self.source.prefix) :]
            known = new.get(name)
            was_retracted = RETRACTED in (entry.reason, known and known.reason)
            names = (self.source.bucket, key), (self.target.bucket, name)
            found.append(Move(*names, _outcome(entry, known), entry.counts, was_retracted))
        return found

    def was_made(self, connection: Connection) -> str | None:
        """Where a file of the source was relocated to before; None: none was."""
        query = sa.select(_t.message).where(within(_t, self.source), _t.reason == RELOCATED).limit(1)
        return connection.execute(query).scalar_one_or_none()

    def heirs(self, connection: Connection, moves: Iterable[Move]) -> list[Key]:
        """The new names whose active version has the bytes of the version that it replaces, and another rank: they
        would have kept the rank if they had landed after the relocation."""
        query = sa.select(_t.bucket, _t.key).where(*self._inherits(_of(moves, Outcome.REPLACED)))
        return [(row.bucket, row.key) for row in connection.execute(query)]

    def record(self, transaction: Connection, moves: Sequence[Move]) -> None:
        """Record the relocation. The caller bumps the versions of the days that change, in the same transaction."""
        named = [key for move in moves for key in (move.old, move.new)]
        locked = sa.select(_t.id).where(_is_of(_t, named)).order_by(_t.bucket, _t.key)  # in the order of `activate`
        transaction.execute(locked.with_for_update())
        new = [move.new for move in moves]
        transaction.execute(sa.delete(landed_files).where(_is_of(_t, new), _t.reason == RELOCATED))
        heirs = self._inherits(_of(moves, Outcome.REPLACED))
        transaction.execute(sa.update(landed_files).where(*heirs).values(ranked_at=_rank(_OLD)))
        self._keep(transaction, _of(moves, Outcome.KEPT))
        renamed = [move.old for move in _of(moves, Outcome.RENAMED)]
        transaction.execute(sa.update(landed_files).where(_is_of(_t, renamed)).values(**self._new_name(_t)))
        self._leave_names(transaction, moves)

    def _inherits(self, replaced: Iterable[Move]) -> list[sa.ColumnElement[bool]]:
        """The condition for an active version in the new place, and the one that it replaces, to be those of a heir:
        all versions that the new name ever had were equal bytes."""
        seen = landed_files.alias("seen").c
        was_loaded = seen.bucket == _t.bucket, seen.key == _t.key, seen.rows.is_not(None)
        is_other = sa.or_(seen.reason.is_not_distinct_from(RETRACTED), ~_has_same_bytes(seen, _OLD))
        return [
            _is_of(_OLD, [move.old for move in replaced]),
            _OLD.active,
            _t.bucket == self.target.bucket,
            _t.key == self._new_name(_OLD)["key"],
            _t.active,
            _rank(_t) != _rank(_OLD),
            ~sa.exists().where(*was_loaded, is_other),
        ]

    def _keep(self, transaction: Connection, kept: Sequence[Move]) -> None:
        """Let the active versions of old names count under the new ones, whose latest entries stay the latest."""
        new = [move.new for move in kept]
        newest = sa.select(_t.bucket, _t.key, sa.func.max(_t.id).label("id")).where(_is_of(_t, new))
        latest = {(row.bucket, row.key): row.id for row in transaction.execute(newest.group_by(_t.bucket, _t.key))}
        is_same_version = [
            _OLD.active,
            _is_of(_OLD, [move.old for move in kept]),
            _t.key == self._new_name(_OLD)["key"],
            *(_OLD[name] == _t[name] for name in ("etag", "size", "last_modified")),
        ]
        same = sa.delete(landed_files).where(_is_of(_t, new), sa.exists().where(*is_same_version))
        gone = set(transaction.execute(same.returning(_t.id)).scalars())
        # One that was due to be read again cannot be, since it is not the latest: its object is validated instead.
        is_due = _t.status == Status.FAILING
        loaded = {"status": sa.case((is_due, Status.LOADED), else_=_t.status), "reason": sa.case((~is_due, _t.reason))}
        is_moving = _is_of(_t, [move.old for move in kept]), _t.active
        transaction.execute(sa.update(landed_files).where(*is_moving).values(**self._new_name(_t), **loaded))
        is_latest = _t.id.in_(set(latest.values()) - gone)
        is_alone = sa.and_(_is_of(_t, [key for key, id_ in latest.items() if id_ in gone]), _t.active)
        renewed = sa.update(landed_files).where(sa.or_(is_latest, is_alone))
        transaction.execute(renewed.values(id=sa.text("DEFAULT")))

    def _leave_names(self, transaction: Connection, moves: Sequence[Move]) -> None:
        """Leave the old names as ignored entries, of the versions that they had."""
        ignored = {"status": Status.IGNORED, "reason": RELOCATED, "settled_at": sa.func.now()}
        left = sa.update(landed_files).where(_is_of(_t, [move.old for move in moves]))
        new_name = _after(self.source, _t, f"Relocated to {self.target}")
        transaction.execute(left.values(active=False, message=new_name, **ignored))
        versions = _t.etag, _t.size, _t.last_modified
        old_name = sa.literal(self.source.bucket, sa.Text), _after(self.target, _t, self.source.prefix)
        message = _after(self.target, _t, f"Relocated to {self.target}")
        written = *(sa.literal(ignored[name], sa.Text) for name in ("status", "reason")), message, sa.func.now()
        names = "bucket", "key", *(column.name for column in versions), "status", "reason", "message", "settled_at"
        renamed = _is_of(_t, [move.new for move in _of(moves, Outcome.RENAMED)])
        kept = sa.and_(_is_of(_t, [move.new for move in _of(moves, Outcome.KEPT)]), _t.active)
        query = sa.select(*old_name, *versions, *written).where(sa.or_(renamed, kept))
        transaction.execute(insert(landed_files).from_select(names, query).on_conflict_do_nothing())

    def _new_name(self, old: Any) -> dict[str, Any]:
        """The bucket and key of the new name of a version. `old`: columns of `landed_files`."""
        return {"bucket": self.target.bucket, "key": _after(self.source, old, self.target.prefix)}


@dataclass(frozen=True)
class _Latest:
    """Why the latest version of a key is not loaded, and whether the key has an active version."""

    reason: str | None
    counts: bool


def _latest(connection: Connection, place: Place) -> dict[str, _Latest]:
    counts = sa.func.bool_or(_t.active).over(partition_by=[_t.bucket, _t.key]).label("counts")
    query = (
        sa.select(_t.key, _t.reason, counts)
        .ext(distinct_on(_t.key))
        .where(within(_t, place), _t.reason.is_distinct_from(RELOCATED))
        .order_by(_t.key, _t.id.desc())
    )
    return {row.key: _Latest(row.reason, row.counts) for row in connection.execute(query)}


def _outcome(old: _Latest, new: _Latest | None) -> Outcome:
    if new is None:
        return Outcome.RENAMED
    if old.counts:
        return Outcome.REPLACED if new.counts else Outcome.KEPT
    return Outcome.FORGOTTEN


def _of(moves: Iterable[Move], outcome: Outcome) -> list[Move]:
    return [move for move in moves if move.outcome is outcome]


def _is_of(file: Any, keys: Collection[Key]) -> sa.ColumnElement[bool]:
    return sa.tuple_(file.bucket, file.key).in_(pairs(keys))


def _after(place: Place, file: Any, start: str) -> sa.ColumnElement[str]:
    """A text with this start, and then what a key has after the prefix of its place."""
    return sa.literal(start, sa.Text).concat(sa.func.substr(file.key, len(place.prefix) + 1))


def _rank(file: Any) -> sa.ColumnElement[Any]:
    """`rank_of` in a query."""
    return sa.func.coalesce(file.ranked_at, file.last_modified)


def _has_same_bytes(one: Any, other: Any) -> sa.ColumnElement[bool]:
    """`ActiveFile.has_bytes_of` in a query."""
    is_known = sa.func.coalesce(one.content_hash == other.content_hash, False)
    return sa.and_(one.size == other.size, sa.or_(one.etag == other.etag, is_known))
