"""What an operator does with landed files, by key, full name or pattern: retry, retract, undo a retraction. If a name
matches nothing, nothing is changed."""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import Engine

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.ingest import Ingest
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.landing.side_files import WHY
from orders_pipeline.landing.source_table import WHOLE
from orders_pipeline.ledger import active, files, retractions
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.retractions import Key, Removed
from orders_pipeline.ledger.versions import TABLE, FileVersion
from orders_pipeline.s3_settings import Place, place

if TYPE_CHECKING:
    from orders_pipeline.resources import S3Resource

_HEADS_AT_ONCE: Final = 8
_RETRACTED: Final = "Retracted with `orders-pipeline retract`. `--undo` reverses it."
_DISMISSED: Final = "Dismissed with `orders-pipeline retract`. With `--undo` it is read again."


def retry(engine: Engine, s3: "S3Resource", named: Sequence[str], *, loaded: bool) -> list[str]:
    """Request another reading of files: quarantined, failing and archived ones, those whose object is missing or
    damaged, and with `loaded` every active one. Returns their keys.

    Raises:
        OrdersPipelineError: a name matches no such file that S3 still holds.
        ServiceUnavailableError: S3 or the lake did not answer.
    """
    names, zone = _names(named, s3.bucket), Place(s3.bucket, s3.prefix)
    with engine.begin() as transaction:
        known = retractions.removable(transaction, _buckets(names))

        def readable(keys: Collection[Key]) -> list[Key]:
            if outside := [key for key in keys if key[0] != TABLE and not zone.holds(*key)]:
                raise OrdersPipelineError(
                    f"Nothing was changed: {Place(*outside[0])} is not in the landing zone {zone}, so it cannot be read"
                    " again. If its place moved, run `orders-pipeline relocate FROM TO`."
                )
            paths = {(f.version.bucket, f.version.key): f.raw.path for f in active.of_keys(transaction, keys)}
            damaged = set(s3.lake().damaged(paths.values()))
            wanted = [key for key in keys if known[key] or loaded or paths[key] in damaged]
            return [key for key, is_there in zip(wanted, _are_on_s3(s3, wanted), strict=True) if is_there]

        what = "file on S3 that can be retried: quarantined, failing, archived, or (with --loaded) loaded"
        keys = _chosen(names, known, readable, what)
        for bucket, key in keys:
            if not files.retry(transaction, bucket, key) and not files.reread(transaction, bucket, key):
                raise OrdersPipelineError(
                    f"Nothing was changed: the latest version of {key!r} is empty and so ignored, and an older one is"
                    " active. Upload the file again under this key."
                )
    return [_shown(key, s3.bucket) for key in keys]


def retract(ingest: Ingest, s3: "S3Resource", named: Sequence[str]) -> tuple[list[str], set[date]]:
    """Remove the orders of files from every table, and take the files off the reports. Returns their keys, and the
    days that change.

    Raises:
        OrdersPipelineError: a name matches no active, quarantined, failing or archived file.
    """
    names = _names(named, s3.bucket)
    known = retractions.removable(ingest.connection, _buckets(names))
    known.pop((WHOLE.bucket, WHOLE.key), None)  # an entry for a table that does not answer is no file
    ingest.connection.rollback()
    keys = _chosen(names, known, list, "file that is active, quarantined, failing or archived")
    return [_shown(key, s3.bucket) for key in keys], ingest.retract(
        keys, _RETRACTED, asked_for=True, dismissing=_DISMISSED
    )


def undo_retract(ingest: Ingest, s3: "S3Resource", named: Sequence[str]) -> tuple[list[str], list[str], set[date]]:
    """Make files active again as they were before they were retracted. Returns the keys that are active again, those
    that will be read again (their object is missing, or they were only dismissed), and the days that change.

    Raises:
        OrdersPipelineError: a name matches no retracted file, or neither the lake nor S3 has it any more.
        ServiceUnavailableError: S3 or the lake did not answer.
    """
    names = _names(named, s3.bucket)
    removed = retractions.removed(ingest.connection, _buckets(names))
    ingest.connection.rollback()
    keys = _chosen(names, removed, list, "retracted file without a newer active version")
    back: list[ActiveFile] = []
    to_read: list[FileVersion] = []
    for key in keys:
        made = {one.version: None if one.is_dismissed else _from_lake(ingest, one) for one in removed[key]}
        back += [file for file in made.values() if file is not None]
        left = [version for version, file in made.items() if file is None]
        if len(left) == len(made):
            for version in left:
                _require_on_s3(s3, version)
            to_read += left
        else:  # a side file is read too, since its key is active
            to_read += [version for version in left if version.bucket == TABLE or s3.current(version.key) == version]
    with ingest.transaction():
        for version in to_read:
            retractions.make_pending(ingest.connection, version)
    report = ingest.count(back, asked_for=True)
    counting, pending = [file.version for file in back], to_read
    shown = [[_shown((one.bucket, one.key), s3.bucket) for one in versions] for versions in (counting, pending)]
    return shown[0], shown[1], report.changed_days


@dataclass(frozen=True)
class _Name:
    """A name as it was given, the buckets in which it is looked for, and the key or pattern in it."""

    given: str
    buckets: tuple[str, ...]
    key: str

    def matches(self, key: Key) -> bool:
        return key[0] in self.buckets and fnmatchcase(key[1], self.key)

    def is_of(self, key: Key) -> bool:
        return key[0] in self.buckets and key[1] == self.key


def _names(named: Sequence[str], bucket: str) -> list[_Name]:
    """A name without `s3://` is in the bucket of the landing zone, or is that of a day of the source table."""
    found = []
    for name in named:
        if name.startswith("s3://"):
            try:
                full = place(name)
            except ValueError as error:
                raise OrdersPipelineError(f"Nothing was changed: {error}") from error
            found.append(_Name(name, (full.bucket,), full.prefix))
        else:
            found.append(_Name(name, (bucket, TABLE), name))
    return found


def _buckets(names: Sequence[_Name]) -> list[str]:
    return sorted({bucket for name in names for bucket in name.buckets})


def _shown(key: Key, bucket: str) -> str:
    """The key, or its full name if it is in another bucket than the landing zone."""
    return key[1] if key[0] in (bucket, TABLE) else str(Place(*key))


def _chosen(
    names: Sequence[_Name], known: Collection[Key], eligible: Callable[[Collection[Key]], list[Key]], what: str
) -> list[Key]:
    """The eligible keys that the names match. A name is a key or else a pattern, in which `*` matches slashes too."""
    chosen: dict[Key, None] = {}
    unmatched = []
    for name in names:
        exact = [key for key in known if name.is_of(key)]
        found = eligible(exact or sorted(filter(name.matches, known)))
        chosen.update(dict.fromkeys(found))
        if not found:
            unmatched.append(name.given)
    if unmatched:
        raise OrdersPipelineError(
            f"Nothing was changed: {', '.join(map(repr, unmatched))} matches no {what}. Give whole keys, full names"
            " (s3://bucket/key) for other buckets, or patterns of either in quotes. `orders-pipeline status` lists"
            " quarantined, failing and archived files."
        )
    return list(chosen)


def _are_on_s3(s3: "S3Resource", keys: Sequence[Key]) -> Iterable[bool]:
    """For each key, whether S3 holds it. True for days of the source table, which the table itself answers later."""
    with ThreadPoolExecutor(_HEADS_AT_ONCE) as threads:
        return list(threads.map(lambda key: key[0] == TABLE or s3.current(key[1]) is not None, keys))


def _require_on_s3(s3: "S3Resource", version: FileVersion) -> None:
    if version.bucket == TABLE:
        return
    current = s3.current(version.key)
    if current != version:
        raise OrdersPipelineError(
            f"Nothing was changed: neither the lake nor S3 has the retracted version of {version.key!r} any more."
            " Upload it again."
        )
    if current.is_side_file:
        raise OrdersPipelineError(
            f"Nothing was changed: {version.key!r} would have to be read again, but is a side file: {WHY}. Upload it"
            " under another name."
        )


def _from_lake(ingest: Ingest, one: Removed) -> ActiveFile | None:
    """A version with its raw object, validated by the present rules and by the source it was read by: the next sync
    applies another one. None: the lake no longer has it."""
    file = active.validated(ingest.connection, one.version, ingest.zone)
    ingest.connection.rollback()
    if one.path is None or ingest.lake.damaged([one.path]):
        return None
    try:
        source = raw_objects.source_of(ingest.lake, one.path)
        if file is not None:
            return file.read_by(source)
        origin = Origin.of(one.version, ingest.zone, source, one.content_hash, one.ranked_at)
        return raw_objects.revalidate(ingest.lake, one.path, origin)
    except raw_objects.DAMAGE as error:
        ingest.log.warning("The object of %s cannot be read: %s", one.version.key, error)
        return None
