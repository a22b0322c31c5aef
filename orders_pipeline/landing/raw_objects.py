"""Raw objects: write landed files to the lake, and read them back."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from more_itertools import constrained_batches

from orders_pipeline import validation
from orders_pipeline.column_types import polars_schema
from orders_pipeline.errors import MissingInputError, QuarantineError
from orders_pipeline.formats.detect import place_of_rows, read_rows
from orders_pipeline.formats.rows import batch_rows
from orders_pipeline.landing.additions import with_additions
from orders_pipeline.landing.memory import BATCHES, size_of
from orders_pipeline.landing.provenance import Origin, origin_of
from orders_pipeline.landing.settled_rows import settled
from orders_pipeline.landing.tally import Tally, unused
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import TABLE, FileVersion
from orders_pipeline.schema import (
    COUNTS,
    CURRENCY,
    DAY,
    LANDED_AT,
    OUTCOME,
    PROBLEM,
    REASON,
    REJECTED,
    ROW_NUMBER,
    ROWS,
    SOURCE,
    TEXT,
    UNREADABLE_FILE_ROWS,
    VALIDATION_COLUMNS,
    VOID,
)
from orders_pipeline.settings import read_settings
from orders_pipeline.sources.declaration import PLAIN, Source
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import counted, printable

# An object that cannot be read.
DAMAGE: Final = (MissingInputError, pl.exceptions.PolarsError, pl.exceptions.PanicException)

_REPEATING: Final[Any] = [
    "customer_id",
    "order_date",
    PROBLEM,
    REASON,
    OUTCOME,
    CURRENCY,
]  # columns with few distinct values
_OBJECT: Final = "_object"
_IDS_AT_ONCE: Final = 2_000_000  # 200 MB or so
_ROWS_AT_ONCE: Final = 250_000  # at a time, so that a large file needs no more memory than when it landed

_TABLE: Final = polars_schema("raw_orders")
_FROM_LEDGER: Final = {name: _TABLE[name] for name in (SOURCE, LANDED_AT)}  # not stored in the object
_IS_VERSION: Final = pl.col("order_id").is_not_null() & (
    pl.col(DAY).is_not_null() | (pl.col(OUTCOME) == VOID).fill_null(value=False)
)
RAW_SCHEMA: Final = pl.Schema({name: kind for name, kind in _TABLE.items() if name not in _FROM_LEDGER})


def refusal(version: FileVersion) -> QuarantineError | None:
    """Why a version is not fetched; None: it may be fetched."""
    reading = read_settings().reading
    if version.bucket == TABLE or version.size <= reading.file_bytes:
        return None
    return reading.beyond("file_bytes", f"The file has {version.size:,} bytes")


def content_hash(file: Path) -> str:
    """The SHA-256 of a downloaded file's bytes."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_object(lake: Lake, file: Path, origin: Origin) -> ActiveFile:
    """Write a downloaded file to the lake as a raw object, validated for the time zone and the source of its origin.

    Raises:
        QuarantineError: its bytes cannot be read as orders; no object is left behind.
    """
    reading = read_settings().reading.of_source(origin.source)

    def refuse(tally: Tally) -> None:
        if tally.rows >= UNREADABLE_FILE_ROWS and tally.unreadable.count * 2 > tally.rows:
            raise QuarantineError("mostly_unreadable", tally.unreadable.message(place_of_rows(file, reading)))
        if origin.version.bucket != TABLE:
            tally.deletions.refuse(partial(place_of_rows, file, reading))

    key = origin.version.key
    rows = (with_additions(batch, origin.source, key) for batch in read_rows(file, reading))
    return _make(lake, rows, origin, refuse)


def revalidate(lake: Lake, path: str, origin: Origin) -> ActiveFile:
    """Write a new object with the rows of an old one, validated by the present rules for the time zone and the source
    of the new object's origin.

    Raises:
        MissingInputError: the old object is missing or damaged.
        QuarantineError: the rows have no column that the source names, or delete orders and no source declares it.
    """

    def refuse(tally: Tally) -> None:
        if origin.version.bucket != TABLE:
            tally.deletions.refuse(lambda: "row")

    _require_object(lake, path)
    rows = lake.scan([path]).drop(*VALIDATION_COLUMNS, strict=False)
    return _make(lake, _parts(rows), origin, refuse)


def rescan(lake: Lake, path: str, origin: Origin) -> ActiveFile:
    """Read an object of the lake from end to end, for what the ledger records about its rows.

    Raises:
        MissingInputError: it is missing or damaged.
    """
    _require_object(lake, path)
    tally = Tally(origin.source)
    for part in _parts(lake.scan([path])):
        tally.add(part)
    return _made(path, tally, origin)


def source_of(lake: Lake, path: str) -> Source:
    """The source by which the rows of an object were read."""
    origin = origin_of(lake.metadata(path))
    return PLAIN if origin is None else origin.source


def scan(lake: Lake, files: Sequence[ActiveFile]) -> pl.LazyFrame:
    """The rows of landed files as `schema.TABLES["raw_orders"]` has them, without unused columns."""
    return _with_outcome(_rows(lake, files))


def clean_rows(lake: Lake, files: Sequence[ActiveFile]) -> pl.LazyFrame:
    """The clean rows of landed files."""
    return _with_outcome(_rows(lake, files).filter(pl.col(DAY).is_not_null()))


def versions(lake: Lake, files: Sequence[ActiveFile]) -> pl.LazyFrame:
    """The versions of orders in landed files: their clean and their void rows."""
    return _with_outcome(_rows(lake, files).filter(_IS_VERSION))


def rejects(lake: Lake, files: Iterable[ActiveFile], most: int) -> pl.LazyFrame:
    """The rejects of landed files, each with the number of `schema.ROWS` that it stands for. Of a file with more than
    `most`, the first ones, and for each reason one row that stands for all others."""
    listed = [file for file in files if file.raw.rejects]
    few = [file for file in listed if file.raw.rejects <= most]
    frames = [_rejects(lake, few).with_columns(pl.lit(1, pl.Int64).alias(ROWS))]
    for file in listed:
        if file.raw.rejects > most:
            every = _rejects(lake, [file])
            frames += [every.head(most).with_columns(pl.lit(1, pl.Int64).alias(ROWS)), _others(every.slice(most))]
    return pl.concat(frames, how="diagonal")


def unused_columns(lake: Lake, file: ActiveFile) -> tuple[str, ...]:
    """The unused columns of a file; none if its object cannot be read."""
    try:
        return unused(lake.scan([file.raw.path]).collect_schema().names())
    except (OSError, pl.exceptions.PolarsError):
        return ()


def ids(lake: Lake, files: Sequence[ActiveFile]) -> pl.LazyFrame:
    """The order ids of the versions of orders in landed files, and the file name of the object of each."""
    if not files:
        return pl.LazyFrame(schema={"order_id": pl.String, "object": pl.String})
    require_intact(lake, files)
    paths = [file.raw.path for file in files]
    needed = {name: RAW_SCHEMA[name] for name in ("order_id", DAY, OUTCOME)}  # all other columns are ignored
    rows = lake.scan(
        paths, schema=needed, extra_columns="ignore", missing_columns="insert", include_file_paths="object"
    )
    return rows.filter(_IS_VERSION).select("order_id", pl.col("object").str.split("/").list.last())


def rows_by_day(lake: Lake, files: Sequence[ActiveFile]) -> dict[date, int]:
    """The number of clean rows that landed files hold of each day. Reads one column."""
    if not files:
        return {}
    require_intact(lake, files)
    rows = lake.scan([file.raw.path for file in files], schema={DAY: pl.Date}, extra_columns="ignore")
    counted = rows.filter(pl.col(DAY).is_not_null()).group_by(DAY).len().collect(engine="streaming")
    return dict(counted.iter_rows())


def candidates(
    lake: Lake, days: Iterable[date], holding: Sequence[ActiveFile], sharing: Sequence[ActiveFile]
) -> pl.LazyFrame:
    """All clean and void rows that these days depend on: their own, and all others with the same order ids.

    Args:
        days: the days to be built.
        holding: all active files with rows of these days.
        sharing: all active files that overlap with one of those.
    """
    wanted = set(days)
    whole = {file.raw.path: file for file in holding if wanted.issuperset(file.raw.days)}
    rest = list({file.raw.path: file for file in [*holding, *sharing] if file.raw.path not in whole}.values())
    rows = versions(lake, list(whole.values()))
    if not rest:
        return rows
    elsewhere = versions(lake, rest)
    ids = pl.concat(
        [rows.select("order_id"), elsewhere.filter(pl.col(DAY).is_in(sorted(wanted))).select("order_id")]
    ).unique()
    return pl.concat([rows, elsewhere.join(ids, on="order_id", how="semi")])


def days_elsewhere(lake: Lake, changed: Sequence[ActiveFile], others: Sequence[ActiveFile]) -> set[date]:
    """The days on which other files hold an order id that the changed files hold too."""
    if not others:
        return set()
    found: set[date] = set()
    for some in constrained_batches(changed, _IDS_AT_ONCE, get_len=lambda file: file.raw.versions, strict=False):
        ids = versions(lake, some).select("order_id").unique()
        found |= _days(clean_rows(lake, others).join(ids, on="order_id", how="semi"))
    return found


def require_intact(lake: Lake, files: Sequence[ActiveFile]) -> None:
    """Check that the lake has the objects of landed files, and that they are undamaged.

    Raises:
        MissingInputError: some are missing or damaged.
    """
    if damaged := set(lake.damaged(file.raw.path for file in files)):
        keys = [file.version.key for file in files if file.raw.path in damaged]
        raise MissingInputError(
            f"The objects of {counted(len(keys), 'landed file')}, for example of {printable(keys[0])}, are missing from"
            " the lake or damaged. `orders-pipeline recover --verify` finds all such objects, and the next"
            " `orders-pipeline sync` reads the files again."
        )


def _require_object(lake: Lake, path: str) -> None:
    if lake.damaged([path]):
        raise MissingInputError(f"The object {path} is missing from the lake or damaged.")


def _rejects(lake: Lake, files: Sequence[ActiveFile]) -> pl.LazyFrame:
    return scan(lake, files).filter(pl.col(REASON).is_not_null())


def _others(rejected: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each reason, which stands for all its rejects in one file."""
    counted = rejected.group_by(SOURCE, REASON).agg(pl.col(ROW_NUMBER).min(), pl.len().cast(pl.Int64).alias(ROWS))
    text = pl.format("({} further rows, the first of them here: see raw_orders)", ROWS)
    return counted.with_columns(text.alias(TEXT), pl.lit(REJECTED).alias(OUTCOME))


def _with_outcome(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with the outcome that earlier releases did not store."""
    earlier = pl.when(pl.col(REASON).is_null()).then(pl.lit(COUNTS)).otherwise(pl.lit(REJECTED))
    return rows.with_columns(pl.col(OUTCOME).fill_null(earlier))


def _rows(lake: Lake, files: Sequence[ActiveFile]) -> pl.LazyFrame:
    if not files:
        return pl.LazyFrame(schema={**RAW_SCHEMA, **_FROM_LEDGER})
    require_intact(lake, files)
    origin = pl.LazyFrame(
        {
            _OBJECT: [Path(file.raw.path).name for file in files],
            SOURCE: [file.version.key for file in files],
            LANDED_AT: [file.ranked_at for file in files],
        },
        schema={_OBJECT: pl.String(), **_FROM_LEDGER},
    )
    rows = lake.scan(
        [file.raw.path for file in files],
        schema=RAW_SCHEMA,
        extra_columns="ignore",
        missing_columns="insert",
        include_file_paths=_OBJECT,
    )
    if len(files) == 1:  # no join, which may change the order of rows
        (file,) = files
        here = {SOURCE: pl.lit(file.version.key), LANDED_AT: pl.lit(file.ranked_at).cast(_FROM_LEDGER[LANDED_AT])}
        return rows.drop(_OBJECT).with_columns(**here)
    name = pl.col(_OBJECT).str.split("/").list.last()
    return rows.with_columns(name).join(origin, on=_OBJECT, how="left").drop(_OBJECT)


def _days(rows: pl.LazyFrame) -> set[date]:
    return set(rows.select(pl.col(DAY).unique()).collect(engine="streaming")[DAY])


def _parts(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows of an object in parts of bounded size; at least one part, so that its columns are known."""
    height = int(rows.select(pl.len()).collect().item())
    most = batch_rows(len(rows.collect_schema()), _ROWS_AT_ONCE)
    return (rows.slice(start, most).collect() for start in range(0, max(height, 1), most))


def _make(lake: Lake, rows: Iterable[pl.DataFrame], origin: Origin, refuse: Callable[[Tally], None]) -> ActiveFile:
    """Validate rows and write them as an object. `refuse` raises if they are not to be loaded, by what became of each
    alone."""
    tally, longest = Tally(origin.source), read_settings().max_id_chars
    validate = partial(validation.validate, zone=origin.zone, source=origin.source, id_chars=longest)

    def write(target: Path) -> None:
        _write(target, rows, validate, origin, tally)
        refuse(tally)

    def write_settled(target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="orders-lines-") as spool:
            validated = Path(spool) / "validated"
            each = Tally(origin.source)
            _write(validated, rows, validate, origin, each)
            refuse(each)
            lines = Path(spool) / "lines"
            lines.mkdir()
            parts = settled(validated, lines, origin.source, _ROWS_AT_ONCE, longest)
            _write(target, parts, _as_they_are, origin, tally)

    path = lake.write("raw_orders", write if origin.source.lines == "last" else write_settled)
    return _made(path, tally, origin)


def _as_they_are(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


def _write(
    target: Path,
    batches: Iterable[pl.DataFrame],
    validate: Callable[[pl.DataFrame], pl.DataFrame],
    origin: Origin,
    tally: Tally,
) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for batch in batches:
            with BATCHES.share(size_of(batch)):
                validated = validate(batch)
                tally.add(validated)
                rows: Any = validated.to_arrow(compat_level=pl.CompatLevel.oldest())
                if writer is None:
                    writer = _writer(target, rows.schema.with_metadata(origin.as_metadata()))
                writer.write_table(rows)
                del batch, validated, rows  # before the next one is read
    finally:
        if writer is not None:
            with suppress(pa.ArrowException):
                writer.close()


def _writer(target: Path, schema: Any) -> pq.ParquetWriter:
    # Statistics of a column hold two of its values, for each batch and until the object is closed.
    known = [name for name in schema.names if name in RAW_SCHEMA]
    return pq.ParquetWriter(target, schema, compression="lz4", use_dictionary=_REPEATING, write_statistics=known)


def _made(path: str, tally: Tally, origin: Origin) -> ActiveFile:
    return ActiveFile(origin.version, replace(tally.made(path), content_hash=origin.content_hash), origin.ranked_at)
