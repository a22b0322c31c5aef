"""What an operator does when a bucket or prefix moved: say that the files of the old place are those of the new one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.landing.impact import on_relocate
from orders_pipeline.landing.ingest import Ingest
from orders_pipeline.ledger import active, findings, places
from orders_pipeline.ledger.findings import of_file
from orders_pipeline.ledger.relocations import Move, Outcome, Relocation
from orders_pipeline.s3_settings import Place, place
from orders_pipeline.text import examples


@dataclass(frozen=True)
class Relocated:
    """What a relocation does, or would do. `before`: where the files went if this relocation was made before."""

    moves: Sequence[Move]
    changed_days: set[date]
    before: str | None = None

    @property
    def outcomes(self) -> Counter[Outcome]:
        """The number of files by what becomes of them."""
        return Counter(move.outcome for move in self.moves)


def relocate(ingest: Ingest, zone: Place, source: str, target: str, *, dry_run: bool = False) -> Relocated:
    """Record that keys moved: a key in the new place is a new version of the same file. One transaction: it can be
    interrupted and repeated. `zone`: the landing zone. `dry_run`: change nothing.

    Raises:
        OrdersPipelineError: one of the names is no place, the new one is not in the landing zone, they overlap, or the
            ledger has no file of the old one. Nothing was changed.
    """
    relocation = _relocation(source, target, zone)
    moves = relocation.moves(ingest.connection)
    if not moves:
        before = relocation.was_made(ingest.connection)
        if before is None:
            _refuse(_unknown(relocation.source, places.known(ingest.connection)))
        return Relocated([], set(), before)
    leaving = [move.old for move in moves if move.outcome is Outcome.REPLACED]
    staying = [move.old for move in moves if move.counts and move.outcome is not Outcome.REPLACED]
    staying += relocation.heirs(ingest.connection, moves)
    leaving_files, staying_files = (active.of_keys(ingest.connection, keys) for keys in (leaving, staying))
    impact = on_relocate(ingest.connection, ingest.lake, leaving_files, staying_files, ingest.log)
    if not dry_run:
        with ingest.transaction():
            relocation.record(ingest.connection, moves)
            findings.rename(ingest.connection, {of_file(*move.old): of_file(*move.new) for move in moves})
            impact.record(ingest.connection)
    return Relocated(moves, impact.changed_days)


def _relocation(source: str, target: str, zone: Place) -> Relocation:
    try:
        old, new = place(source), place(target)
    except ValueError as error:
        _refuse(str(error))
    if old.is_folder != new.is_folder:
        _refuse(
            f"{source!r} and {target!r} are not both folders. End both with a slash, or neither: without one, a name is"
            " that of a single file."
        )
    if old.holds(new.bucket, new.prefix) or new.holds(old.bucket, old.prefix):
        _refuse(
            f"{old} and {new} are the same place, or one is in the other. Relocate the folders or files in it one by"
            " one."
        )
    if not zone.holds(new.bucket, new.prefix):
        _refuse(
            f"{new} is not in the landing zone {zone}, so no listing would show its files. Set ORDERS_S3_BUCKET and"
            " ORDERS_LANDING_PREFIX to the new place first."
        )
    return Relocation(old, new)


def _unknown(source: Place, known: Sequence[Place]) -> str:
    """Why a place without any file cannot be relocated. `known`: those that have files."""
    there = f"The ledger has files in {examples(known)}." if known else "The ledger has no file."
    what = f"in {source}" if source.is_folder else f"{str(source)!r}; a folder is named with a slash at its end"
    return f"The ledger has no file {what}. {there}"


def _refuse(why: str) -> NoReturn:
    raise OrdersPipelineError(f"Nothing was changed: {why}")
