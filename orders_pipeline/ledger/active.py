"""The active files: one version of each key, its object in the lake, and which tables have read it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.models import built_files, id_hashes, landed_files
from orders_pipeline.ledger.records import ActiveFile, IdRange, active_file, is_latest, is_version, pairs, version_of
from orders_pipeline.ledger.versions import LOST, FileVersion, Status
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline.sources.declaration import Sources

_t: Final = landed_files.c


def of_keys(connection: Connection, keys: Iterable[tuple[str, str]], *, zone: str | None = None) -> list[ActiveFile]:
    """The active versions of (bucket, key) pairs. `zone`: only loaded ones whose raw object the present rules made for
    this time zone, by the source that applies."""
    query = sa.select(landed_files).where(_t.active, sa.tuple_(_t.bucket, _t.key).in_(pairs(keys)))
    if zone is not None:
        is_redeclared = declarations.is_redeclared(_t, declarations.current(connection))
        query = query.where(*_is_validated_for(zone), _t.status == Status.LOADED, ~is_redeclared)
    return [active_file(row) for row in connection.execute(query)]


def all_files(connection: Connection) -> list[ActiveFile]:
    """Every active version."""
    query = sa.select(landed_files).where(_t.active).order_by(_t.key)
    return [active_file(row) for row in connection.execute(query)]


def latest_of_source(connection: Connection, bucket: str, source: str, limit: int) -> list[ActiveFile]:
    """The newest active versions in a folder, whose name has `#` for each digit."""
    folder = sa.func.regexp_replace(sa.func.regexp_replace(_t.key, "[^/]*$", ""), "[0-9]", "#", "g")
    query = (
        sa.select(landed_files)
        .where(_t.active, _t.bucket == bucket, folder == source)
        .order_by(_t.id.desc())
        .limit(limit)
    )
    return [active_file(row) for row in connection.execute(query)]


def validated(connection: Connection, version: FileVersion, zone: str) -> ActiveFile | None:
    """A version that was active before, with its raw object, if the present rules made that for this time zone."""
    query = sa.select(landed_files).where(*is_version(version), _t.path.is_not(None), *_is_validated_for(zone))
    row = connection.execute(query).one_or_none()
    return None if row is None else active_file(row)


def of_older_rules(connection: Connection, versions: Iterable[FileVersion]) -> set[FileVersion]:
    """Those of these active versions that an older code version validated, short of those that are to be read again."""
    wanted = set(versions)
    keys = pairs((version.bucket, version.key) for version in wanted)
    query = sa.select(landed_files).where(
        _t.active, sa.tuple_(_t.bucket, _t.key).in_(keys), _t.rules.between(1, CODE_VERSIONS["raw_orders"] - 1)
    )
    return wanted & {version_of(row) for row in connection.execute(query)}


def _is_validated_for(zone: str) -> list[sa.ColumnElement[bool]]:
    return [_t.rules == CODE_VERSIONS["raw_orders"], _t.zone == zone]


def outdated(connection: Connection, zone: str, *statuses: Status) -> list[ActiveFile]:
    """Active files that were validated by older rules, by another declaration or for another time zone, and those to
    reprocess (FAILING). Unrecoverable files are left out. `statuses`: only files with one of these."""
    query = sa.select(landed_files).where(
        is_outdated(_t, zone, declarations.current(connection)), _t.status.in_(statuses or Status)
    )
    return [active_file(row) for row in connection.execute(query)]


def overtaken(connection: Connection, zone: str) -> list[ActiveFile]:
    """Outdated files that were due to be read again when a newer version of their key landed, which cannot be read."""
    is_due = is_outdated(_t, zone, declarations.current(connection)), _t.status == Status.FAILING
    query = sa.select(landed_files).where(*is_due, ~is_latest())
    return [active_file(row) for row in connection.execute(query)]


def is_outdated(file: Any, zone: str, sources: Sources) -> sa.ColumnElement[bool]:
    """Whether a version is one that `outdated` returns. `file`: columns of `landed_files`."""
    current = CODE_VERSIONS["raw_orders"]
    is_other = sa.or_(file.zone != zone, declarations.is_redeclared(file, sources))
    return sa.and_(
        file.active,
        file.reason.is_distinct_from(LOST),
        sa.or_(file.rules < current, sa.and_(file.rules == current, is_other)),
    )


def unrecoverable(connection: Connection) -> list[ActiveFile]:
    """The unrecoverable files."""
    query = sa.select(landed_files).where(_t.active, _t.reason == LOST).order_by(_t.key)
    return [active_file(row) for row in connection.execute(query)]


def holding(connection: Connection, days: Iterable[date]) -> list[ActiveFile]:
    """The active files that have clean rows on any of these days."""
    query = (
        sa.select(landed_files)
        .where(_t.active, _t.days.overlap(sa.cast(sorted(days), sa.ARRAY(sa.Date))))
        .order_by(_t.key)
    )
    return [active_file(row) for row in connection.execute(query)]


def expected_rows(connection: Connection, days: Iterable[date]) -> dict[date, int]:
    """An estimate of the clean rows of each day: each active file counts as spread evenly over its days."""
    each = sa.select(sa.func.unnest(_t.days).label("day"), (_t.clean_rows / sa.func.cardinality(_t.days)).label("rows"))
    wanted = sorted(days)
    held = _t.days.overlap(
        sa.cast(wanted, sa.ARRAY(sa.Date))
    )  # excludes files without days, which would divide by zero
    spread = each.where(_t.active, held).subquery()
    query = sa.select(spread.c.day, sa.func.sum(spread.c.rows)).group_by(spread.c.day)
    found = connection.execute(query.where(spread.c.day.in_(wanted)))
    return {row[0]: int(row[1]) for row in found}


def days_held(connection: Connection) -> set[date]:
    """Every day on which an active file has a clean row."""
    return set(connection.execute(sa.select(sa.func.unnest(_t.days)).where(_t.active).distinct()).scalars())


def overlapping(
    connection: Connection, files: Iterable[ActiveFile], hashes: Mapping[str, Collection[int]]
) -> list[ActiveFile]:
    """The active files that may hold an order id of these, in order of key; includes the files themselves.

    `hashes`: of the order ids of these files, by path, where they are known. Two files whose hashes are both known are
    compared by these, others by their ranges of ids."""
    known, unknown = list[IdRange](), list[IdRange]()
    for file in files:
        if file.raw.ids is not None:
            (known if file.raw.path in hashes else unknown).append(file.raw.ids)
    is_hashed = sa.exists().where(id_hashes.c.path == _t.path)
    queries = list[sa.ColumnElement[bool]]()
    if known:
        paths = _with_hash(connection, {one for some in hashes.values() for one in some})
        queries.append(_t.path == sa.func.any(sa.cast(paths, sa.ARRAY(sa.Text))))
        queries.append(sa.and_(_has_id_within(known), ~is_hashed))
    if unknown:
        queries.append(_has_id_within(unknown))
    found = {
        row.id: row for query in queries for row in connection.execute(sa.select(landed_files).where(_t.active, query))
    }
    return [active_file(row) for row in sorted(found.values(), key=lambda row: row.key.encode())]


def may_hold(connection: Connection, ids: Mapping[str, int]) -> list[ActiveFile]:
    """The active files that may have a clean or void row with one of these order ids, in order of key. `ids`: the hash
    of each."""
    is_hashed = sa.exists().where(id_hashes.c.path == _t.path)
    has_hash = _t.path == sa.func.any(sa.cast(_with_hash(connection, ids.values()), sa.ARRAY(sa.Text)))
    found = sa.or_(has_hash, sa.and_(has_id_of(ids), ~is_hashed))
    return [
        active_file(row) for row in connection.execute(sa.select(landed_files).where(_t.active, found).order_by(_t.key))
    ]


def has_hash(connection: Connection, hash_: int) -> bool:
    """Whether a small file has a clean or void row with an order id of this hash."""
    return bool(_with_hash(connection, [hash_]))


def has_id_of(ids: Iterable[str]) -> sa.ColumnElement[bool]:
    """Whether one of these order ids is within the range of a version."""
    return _has_id_within(IdRange(one, one, one, one) for one in ids)


def _with_hash(connection: Connection, hashes: Iterable[int]) -> list[str]:
    """The objects that hold an order id with one of these hashes. All hashes in the ledger are compared, once: for a
    batch of files, that is thousands of times faster than an index of the arrays."""
    held = sa.select(id_hashes.c.path, sa.func.unnest(id_hashes.c.hashes).label("hash")).subquery()
    wanted = sa.select(sa.func.unnest(sa.cast(sorted(hashes), sa.ARRAY(sa.BigInteger))))
    return list(connection.execute(sa.select(held.c.path).where(held.c.hash.in_(wanted)).distinct()).scalars())


def _has_id_within(ranges: Iterable[IdRange]) -> sa.ColumnElement[bool]:
    """Whether the range of a file's order ids overlaps with any of these."""
    wanted = sa.values(
        sa.column("first", sa.Text),
        sa.column("last", sa.Text),
        sa.column("f", sa.Text),
        sa.column("l", sa.Text),
        name="wanted",
    ).data([(r.first, r.last, r.first_short, r.last_short) for r in ranges])

    def short(column: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
        return sa.tuple_(sa.func.octet_length(column), column)

    return sa.exists().where(
        _t.first_id <= wanted.c.last,
        _t.last_id >= wanted.c.first,
        short(_t.first_short_id) <= short(sa.collate(wanted.c.l, "C")),
        short(_t.last_short_id) >= short(sa.collate(wanted.c.f, "C")),
    )


def stale_files(
    connection: Connection, asset: str, *, everything: bool = False
) -> tuple[list[ActiveFile], list[tuple[str, str]]]:
    """For a table that is built per file: the active files whose object it has not read, and the (bucket, key) of files
    that it has read and that are no longer active. Rows of unrecoverable files stay. `everything`: treat all as unread
    (a full refresh)."""
    read = built_files.alias("read")
    same_key = sa.and_(read.c.asset == asset, read.c.bucket == _t.bucket, read.c.key == _t.key)
    due = (
        sa.select(landed_files)
        .select_from(landed_files.outerjoin(read, same_key))
        .where(
            _t.active,
            _t.reason.is_distinct_from(LOST),
            sa.or_(
                read.c.key.is_(None),
                read.c.rules < CODE_VERSIONS[asset],
                sa.and_(read.c.rules == CODE_VERSIONS[asset], read.c.path != _t.path),
                sa.and_(read.c.rules == CODE_VERSIONS[asset], sa.literal(everything)),
            ),
        )
        .order_by(_t.key)
    )
    gone = sa.select(read.c.bucket, read.c.key).where(
        read.c.asset == asset,
        read.c.rules <= CODE_VERSIONS[asset],  # only newer code removes what newer code has read
        ~sa.exists().where(_t.bucket == read.c.bucket, _t.key == read.c.key, _t.active),
    )
    return (
        [active_file(row) for row in connection.execute(due)],
        [(row.bucket, row.key) for row in connection.execute(gone)],
    )


def files_read(connection: Connection, asset: str) -> int:
    """How many files a table that is built per file has read."""
    query = sa.select(sa.func.count()).select_from(built_files).where(built_files.c.asset == asset)
    return int(connection.execute(query).scalar_one())


def commit_files(
    connection: Connection, asset: str, read: Iterable[ActiveFile], gone: Iterable[tuple[str, str]], run_id: str
) -> list[tuple[str, str]]:
    """Record which files a table has read, in the transaction that replaces its rows. Returns the (bucket, key) whose
    rows to replace. Files that changed since they were read are left to a later run."""
    paths = {(file.version.bucket, file.version.key): file.raw.path for file in read}
    wanted = sorted({*paths, *gone})
    if not wanted:
        return []
    active = sa.select(_t.bucket, _t.key, _t.path).where(_t.active, sa.tuple_(_t.bucket, _t.key).in_(pairs(wanted)))
    locked = active.order_by(_t.bucket, _t.key).with_for_update(read=True)  # in the same order as `activate`
    current = {(row.bucket, row.key): row.path for row in connection.execute(locked)}
    accepted = {key for key in wanted if current.get(key) == paths.get(key)}
    connection.execute(
        sa.delete(built_files).where(
            built_files.c.asset == asset,
            built_files.c.rules <= CODE_VERSIONS[asset],
            sa.tuple_(built_files.c.bucket, built_files.c.key).in_(pairs(accepted)),
        )
    )
    records = [
        {"asset": asset, "bucket": bucket, "key": key, "path": path, "rules": CODE_VERSIONS[asset], "run_id": run_id}
        for (bucket, key), path in paths.items()
        if (bucket, key) in accepted
    ]
    if records:
        kept = connection.execute(
            insert(built_files).on_conflict_do_nothing().returning(built_files.c.bucket, built_files.c.key), records
        )
        accepted = {*((row.bucket, row.key) for row in kept), *(key for key in accepted if key not in paths)}
    return sorted(accepted)
