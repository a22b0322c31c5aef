"""Try a file before it counts: what landing would make of it. Nothing is loaded.

The file goes through the functions of landing itself, into a raw object that is thrown away. So the result cannot
differ from what a run would record.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import polars as pl

from orders_pipeline.errors import ArchivedError, EmptyFileError, QuarantineError
from orders_pipeline.formats.columns import order_columns
from orders_pipeline.formats.decompress import compression
from orders_pipeline.formats.detect import format_of, place_of_rows
from orders_pipeline.formats.header import Header, read_header
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.sample import sample_of
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.ingest import refusal
from orders_pipeline.landing.inspected_rows import Rejects, Row, Rows, first_rows, rejects, summed
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.landing.side_files import SIDE_FILE, why_left_out
from orders_pipeline.landing.tally import unused
from orders_pipeline.ledger.records import RawObject
from orders_pipeline.ledger.versions import ARCHIVED, FileVersion, Status
from orders_pipeline.schema import ORDER_COLUMNS, UNREADABLE_REASONS
from orders_pipeline.settings import Settings
from orders_pipeline.sources.declaration import PLAIN, Source, Sources
from orders_pipeline.sources.draft import Draft, draft
from orders_pipeline.storage.lake import FolderLake

IGNORED_BY_SOURCE: Final = "ignored"  # the reason of a key that its source leaves out

Fetch = Callable[[Path], None]


@dataclass(frozen=True)
class Recognised:
    """How the bytes were read. `rows_are`: what a row number counts, `line` or `row`. Null: not known, or the format
    has none. `header_line`: the line in which the header ends."""

    compression: str | None
    format: str | None
    encoding: str | None
    delimiter: str | None
    header_line: int | None
    rows_are: str


@dataclass(frozen=True)
class Inspection:
    """What a landing of a file would record.

    `status`, `reason` and `message` are those of the ledger. `columns`: for each column of an order, the sender's.
    `rows`: null unless the file would load. `first_rows` and `rejects` are also there of a file that would be
    quarantined, as far as it was read. `draft`: guesses at a declaration. Null: nothing in the file looks like a table
    of orders. `would_help`: those fields of it that the source does not have, if something is wrong with the file.
    """

    name: str
    source: str
    status: Status
    reason: str | None
    message: str | None
    recognised: Recognised | None = None
    columns: Mapping[str, str] | None = None
    unused_columns: tuple[str, ...] = ()
    first_rows: tuple[Row, ...] = ()
    rejects: tuple[Rejects, ...] = ()
    rows: Rows | None = None
    draft: Draft | None = None
    would_help: Mapping[str, object] = field(default_factory=dict)

    @property
    def loads(self) -> bool:
        """Whether the file would be loaded."""
        return self.status is Status.LOADED


class _Scratch(FolderLake):
    """A folder for the one raw object. It stays where it is if it is refused while, or after, it is written."""

    @property
    def rows(self) -> Path:
        """Where the object is, if any row was written."""
        return Path(self.uri) / "rows"

    def write(self, folder: str, writer: Callable[[Path], object]) -> str:
        writer(self.rows)
        return self.rows.name


def inspect(version: FileVersion, fetch: Fetch, sources: Sources, source: Source, settings: Settings) -> Inspection:
    """What a landing of this version would record, if `source` was how its sender writes.

    Args:
        version: the object of the landing zone, or one like it, for a file that has not landed.
        fetch: writes its bytes to a file, or raises ArchivedError.
        sources: for the keys that are left out.
        source: how to read it.
        settings: limits, aliases, time zone and days.
    """
    if why := why_left_out(version.key, settings.landing_prefix, sources):
        reason = SIDE_FILE if version.is_side_file else IGNORED_BY_SOURCE
        return Inspection(version.key, source.name, Status.IGNORED, reason, f"Left out: {why}.")
    return inspect_file(version, fetch, source, settings)


def inspect_file(version: FileVersion, fetch: Fetch, source: Source, settings: Settings) -> Inspection:
    """Like `inspect`, whatever the file is called."""
    error = refusal(version)
    if error is not None:
        return _refused(Inspection(version.key, source.name, Status.IGNORED, None, None), error)
    with tempfile.TemporaryDirectory(prefix="orders-inspection-") as folder:
        file, scratch = Path(folder) / "file", _Scratch(folder)
        try:
            fetch(file)
        except ArchivedError as archived:
            return Inspection(version.key, source.name, Status.IGNORED, ARCHIVED, str(archived))
        packed = compression(file)
        origin = Origin.of(version, settings.timezone, source, None, version.last_modified)
        raw: RawObject | None = None
        try:
            raw = raw_objects.write_object(scratch, file, origin).raw
        except (QuarantineError, EmptyFileError) as refused:
            error = refused
        seen = Inspection(version.key, source.name, Status.LOADED, None, None)
        seen = seen if error is None else _refused(seen, error)
        seen = _with_rows(seen, scratch.rows, raw, settings)
        return seen if compression(file) else _with_layout(seen, file, packed, source, settings)


def copy_of(path: Path) -> Fetch:
    """Fetches a local file. It is copied, since reading replaces a compressed file by its contents."""
    return lambda target: _copy(path, target)


def _copy(path: Path, target: Path) -> None:
    shutil.copyfile(path, target)


def _refused(seen: Inspection, error: Exception) -> Inspection:
    is_empty = isinstance(error, EmptyFileError)
    code = error.code if isinstance(error, QuarantineError) else "empty"
    return replace(seen, status=Status.IGNORED if is_empty else Status.QUARANTINED, reason=code, message=str(error))


def _with_rows(seen: Inspection, path: Path, raw: RawObject | None, settings: Settings) -> Inspection:
    """With what the rows come to that were written. `raw`: None if the file is refused."""
    if not _is_readable(path):
        return seen
    rows = pl.scan_parquet(path, glob=False)
    return replace(
        seen,
        unused_columns=tuple(unused(rows.collect_schema().names())),
        first_rows=tuple(first_rows(rows)),
        rejects=tuple(rejects(rows)),
        rows=None if raw is None else summed(rows, raw, settings),
    )


def _with_layout(seen: Inspection, file: Path, packed: str | None, source: Source, settings: Settings) -> Inspection:
    """With how the bytes were read, and what a declaration may say of them. `file`: expanded."""
    reading = settings.reading.of_source(source)
    kind = str(source.reading.get("format") or format_of(file))
    header = _header(file, reading) if kind == "csv" else None
    is_foreign = seen.reason == "format_unsupported" and not seen.first_rows
    sample = None if is_foreign else sample_of(file, kind)
    written = header.written if header else list(sample.names) if sample else []
    drafted = draft(sample) if sample else None
    return replace(
        seen,
        recognised=Recognised(
            packed,
            None if is_foreign else kind,
            None if is_foreign or kind == "parquet" else str(source.reading.get("encoding") or "UTF-8"),
            header.delimiter if header else None,
            header.lines if header and header.written else None,
            _place(file, reading),
        ),
        columns=None if seen.reason == "column_missing" else _mapping(written, reading),
        draft=drafted,
        would_help=_would_help(seen, drafted, source, header.delimiter if header else None) if drafted else {},
    )


def _would_help(seen: Inspection, drafted: Draft, source: Source, delimiter: str | None) -> dict[str, object]:
    has_unreadable = any(kind.reason in UNREADABLE_REASONS for kind in seen.rejects)
    has_lines = seen.rows is not None and seen.rows.superseded_amount and not source.declares_lines
    if seen.loads and not has_unreadable and not has_lines:
        return {}
    known = {"encoding": PLAIN.encoding, **source.reading, "delimiter": delimiter}
    guessed = {"encoding": PLAIN.encoding} if seen.reason == "encoding_other" else {}  # a draft leaves UTF-8 out
    fields = {name: value for name, value in {**guessed, **drafted.fields}.items() if known.get(name) != value}
    return {"lines": fields["lines"]} if seen.loads and not has_unreadable and "lines" in fields else fields


def _header(file: Path, reading: Reading) -> Header | None:
    try:
        return read_header(file, reading)
    except QuarantineError:
        return None


def _place(file: Path, reading: Reading) -> str:
    try:
        return place_of_rows(file, reading)
    except QuarantineError:
        return "row"


def _is_readable(rows: Path) -> bool:
    """Whether rows were written, and the object was closed."""
    try:
        return rows.is_file() and bool(pl.read_parquet_schema(rows))
    except (pl.exceptions.PolarsError, OSError):
        return False


def _mapping(written: list[str], reading: Reading) -> dict[str, str]:
    """For each column of an order, the sender's name of it, as far as it is known."""
    found = zip(order_columns(written, reading), written, strict=True)
    named = {column: name.replace("\ufeff", "").strip() for column, name in reversed(list(found)) if column}
    declared = {**reading.columns, **named}
    return {column: declared[column] for column in ORDER_COLUMNS if column in declared}
