"""Detect the format of a file. Its bytes decide, never its name; or its source declares it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import polars as pl

from orders_pipeline.errors import EmptyFileError, QuarantineError
from orders_pipeline.formats.decompress import expand
from orders_pipeline.formats.delimited import read_csv
from orders_pipeline.formats.json_files import has_a_row_a_line, read_json
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.parquet import read_parquet
from orders_pipeline.formats.rows import OF_EACH_ROW, gathered
from orders_pipeline.formats.transcode import to_utf8
from orders_pipeline.formats.unsupported import name_foreign

_Reader = Callable[[Path, Reading], Iterator[pl.DataFrame]]
_READERS: Final[Mapping[str, _Reader]] = {"csv": read_csv, "json": read_json, "parquet": read_parquet}
_NAMES: Final = {"csv": "CSV", "json": "JSON", "parquet": "Parquet"}
_PARQUET: Final = b"PAR1"
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"


def read_rows(path: Path, reading: Reading | None = None) -> Iterator[pl.DataFrame]:
    """The rows of a file, in batches; at least one batch, perhaps an empty one, so that its columns are known.

    A compressed file is replaced by its contents, and text in another encoding by UTF-8. Memory is bounded by
    `reading`, whatever the file holds.

    Raises:
        QuarantineError: the file cannot be read as orders, perhaps only after some batches.
        EmptyFileError: it has no bytes.
    """
    return gathered(_batches(path, reading or Reading()))


def _batches(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    """Batches of any size, held against the limits as they come."""
    expand(path, reading)
    start = _start(path)
    if not start:
        raise EmptyFileError("The file is empty: it has no header.")
    if not start.startswith(_PARQUET):
        to_utf8(path, reading)
    found = _format(_start(path))
    declared = reading.format or found
    rows = 0
    try:
        if "parquet" in (found, declared) and found != declared:
            raise QuarantineError("format_other", f"{_begins_as(found, declared, reading)}. Upload it in that format.")
        for batch in _READERS[declared](path, reading):
            rows += batch.height
            if rows > reading.rows:
                raise reading.beyond("rows", "The file has more rows")
            reading.require_cells(rows, batch.width - len(OF_EACH_ROW))
            yield batch
    except QuarantineError as error:
        if rows:
            raise
        named = name_foreign(start, error, reading)
        if named is error and found != declared and error.code != "format_other":
            named = QuarantineError("format_other", f"{_begins_as(found, declared, reading)}: {error}")
        raise named from error


def place_of_rows(path: Path, reading: Reading | None = None) -> str:
    """What the row numbers of a file refer to, for messages: `line`, or `row` if rows are not lines. Reads a JSON file
    again."""
    reading, start = reading or Reading(), _start(path)
    declared = reading.format or _format(start)
    if declared == "json" and not start.lstrip(_BLANK).startswith(b"["):
        return "line" if has_a_row_a_line(path, reading) else "row"
    return "line" if declared == "csv" else "row"


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


def format_of(path: Path) -> str:
    """What an expanded file is read as if its source declares nothing: `csv`, `json` or `parquet`."""
    return _format(_start(path))


def _format(start: bytes) -> str:
    """The format of a file that begins like this."""
    if start.startswith(_PARQUET):
        return "parquet"
    return "json" if start.lstrip(_BLANK).startswith((b"{", b"[")) else "csv"


def _begins_as(found: str, declared: str, reading: Reading) -> str:
    return f"The file seems to be {_NAMES[found]}, and the source {reading.source!r} declares {_NAMES[declared]}"
