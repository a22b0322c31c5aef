"""Detect the format of a file. Its bytes decide, never its name."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import polars as pl

from orders_pipeline.errors import EmptyFileError, QuarantineError
from orders_pipeline.formats.decompress import expand
from orders_pipeline.formats.delimited import read_csv
from orders_pipeline.formats.json_files import has_a_row_a_line, read_json
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.parquet import read_parquet
from orders_pipeline.formats.unsupported import name_foreign, refuse_utf16

_PARQUET: Final = b"PAR1"
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"


def read_rows(path: Path, reading: Reading | None = None) -> Iterator[pl.DataFrame]:
    """The rows of a file, in batches; at least one batch, perhaps an empty one, so that its columns are known.

    A compressed file is replaced by its contents. Memory is bounded by `reading`, whatever the file holds.

    Raises:
        QuarantineError: the file cannot be read as orders, perhaps only after some batches.
        EmptyFileError: it has no bytes.
    """
    reading = reading or Reading()
    expand(path, reading)
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise EmptyFileError("The file is empty: it has no header.")
    refuse_utf16(start)
    rows = 0
    try:
        for batch in _reader(start)(path, reading):
            rows += batch.height
            if rows > reading.rows:
                raise reading.beyond("rows", "The file has more rows")
            yield batch
    except QuarantineError as error:
        if rows:
            raise
        raise name_foreign(start, error) from error


def place_of_rows(path: Path, reading: Reading | None = None) -> str:
    """What the row numbers of a file refer to, for messages: `line`, or `row` if rows are not lines. Reads a JSON file
    again."""
    with path.open("rb") as file:
        start = file.read(512).lstrip(_BLANK)
    if start.startswith(b"{"):
        return "line" if has_a_row_a_line(path, reading or Reading()) else "row"
    return "row" if start.startswith((_PARQUET, b"[")) else "line"


def _reader(start: bytes) -> Callable[[Path, Reading], Iterator[pl.DataFrame]]:
    if start.startswith(_PARQUET):
        return read_parquet
    text = start.lstrip(_BLANK)
    if text.startswith((b"{", b"[")):
        return read_json
    return read_csv
