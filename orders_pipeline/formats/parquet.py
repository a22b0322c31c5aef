"""Parquet: each value becomes the text that it would have in a CSV file."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import parquet_limits
from orders_pipeline.formats.columns import column_names, required
from orders_pipeline.formats.nested import paths
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.rows import BATCH_ROWS, frame, to_batch
from orders_pipeline.formats.values import id_texts, plain
from orders_pipeline.schema import ID_COLUMNS, ORDER_COLUMNS

_BATCH_BYTES: Final = 16 << 20
_BUFFER: Final = 1 << 20
_WIDEST_FIXED: Final = 64  # bytes: decimals, identifiers
_BYTES_PER_CHAR: Final = 4


def read_parquet(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    try:
        yield from _gathered(_batches(path, parquet_limits.check(path, reading, BATCH_ROWS), reading))
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the file
        raise QuarantineError(
            "parquet_unreadable", f"The file begins as Parquet and cannot be read: {error}. Upload it again, whole."
        ) from error


def _gathered(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Small batches combined into larger ones."""
    small: list[pl.DataFrame] = []
    rows = size = 0
    for batch in batches:
        small.append(batch)
        rows, size = rows + batch.height, size + int(batch.estimated_size())
        if rows >= BATCH_ROWS or size >= _BATCH_BYTES:
            yield pl.concat(small)
            small, rows, size = [], 0, 0
    if small:
        yield pl.concat(small)


def _batches(path: Path, plan: parquet_limits.Plan, reading: Reading) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as described:
        schema: Any = described.schema_arrow
        _require_no_blocks(described.schema)
    nested = paths(schema, reading.nested)
    written = [*schema.names, *nested]
    places = [*([i] for i in range(len(schema.names))), *nested.values()]
    names = required(column_names(written, reading), written, reading)
    _require_values([_type(schema, place) for place in places], names)
    # Texts read as dictionaries need no more memory than the pages of the file. So a text that is too long and occurs a
    # million times is found before it is expanded.
    with pq.ParquetFile(
        path,
        read_dictionary=[field.name for field in schema if _is_text(field.type) and field.name not in plan.delta],
        pre_buffer=False,
        buffer_size=_BUFFER,
        coerce_int96_timestamp_unit="us",
    ) as file:
        number = 1
        decoded: Iterator[Any] = chain.from_iterable(
            file.iter_batches(step, row_groups=[group], use_threads=False) for group, step in enumerate(plan.steps)
        )
        for rows in chain([file.schema_arrow.empty_table()], decoded):
            for piece in _pieces(rows, reading):
                columns = [_column(_at(piece, place), name, reading) for place, name in zip(places, names, strict=True)]
                yield _batch(names, columns, range(number, number + piece.num_rows))
                number += piece.num_rows


def _require_no_blocks(schema: Any) -> None:
    columns = [schema.column(i) for i in range(len(schema))]
    if wide := [column.path for column in columns if column.length > _WIDEST_FIXED]:
        raise QuarantineError("column_type", f"The column {wide[0]} holds blocks of bytes, which are not text.")


def _type(schema: Any, place: list[int]) -> Any:
    """The type of a column, or of one within it."""
    kind = schema.field(place[0]).type
    for number in place[1:]:
        kind = kind.field(number).type
    return kind


def _at(rows: Any, place: list[int]) -> Any:
    """The values of a column, or of one within it; null where that has none."""
    column = rows.column(place[0])
    return pc.struct_field(column, place[1:]) if place[1:] else column


def _require_values(kinds: list[Any], names: list[str]) -> None:
    for kind, name in zip(kinds, names, strict=True):
        # The text of a duration does not include its unit: 5 seconds would pass for an amount of 5.
        is_no_value = pa.types.is_nested(kind) or pa.types.is_duration(kind)
        if name in ORDER_COLUMNS and is_no_value:
            raise QuarantineError(
                "column_type", f"The column {name} has the type {kind}, which is no value of an order."
            )


def _is_text(kind: Any) -> bool:
    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_string, types.is_large_string, types.is_string_view)
    return any(test(kind) for test in (*tests, types.is_binary, types.is_large_binary, types.is_binary_view))


def _pieces(rows: Any, reading: Reading) -> Iterator[Any]:
    """The rows in pieces whose texts fit into memory when they are expanded."""
    longest = [_longest(column) for column in rows.columns if pa.types.is_dictionary(column.type)]
    if max(longest, default=0) > _BYTES_PER_CHAR * reading.field_chars:
        raise reading.beyond("field_chars", "A value of the file is longer")
    step = min(max(rows.num_rows, 1), max(1, _BATCH_BYTES // max(sum(longest), 1)))
    yield rows.slice(0, step)
    for start in range(step, rows.num_rows, step):
        yield rows.slice(start, step)


def _longest(column: Any) -> int:
    """The bytes of the longest text that a column of dictionaries refers to."""
    if not _is_text(column.type):
        return 0
    chunks: list[Any] = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    lengths: Any = [(pc.binary_length(chunk.dictionary), chunk.indices) for chunk in chunks]
    return max((pc.max(pc.take(length, used)).as_py() or 0 for length, used in lengths), default=0)


def _column(values: Any, name: str, reading: Reading) -> Any:
    """The values as texts; as a list, if some of them are not UTF-8."""
    kind = values.type
    try:
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            values = pc.cast(values, pa.timestamp(kind.unit, "UTC"))
        if isinstance(kind, pa.BaseExtensionType):
            return [_one_text(value, name, reading) for value in values]  # the bytes of a UUID are not text
        texts: Any = _without_exponent(pc.cast(values, pa.large_string()), kind)
        if name in ID_COLUMNS:
            texts = id_texts(texts, kind)
    except pa.ArrowException:
        return [_one_text(value, name, reading) for value in values]
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > reading.field_chars:
        _require_short(pc.max(pc.utf8_length(texts)).as_py(), name, reading)
    return texts


def _without_exponent(texts: Any, kind: Any) -> Any:
    """Numbers as plain digits: 12345678901, not 1.2345678901e+10."""
    if not (pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return texts
    if not pc.any(pc.match_substring(texts, "e", ignore_case=True)).as_py():
        return texts
    return pa.array([text and plain(text) for text in texts.to_pylist()], pa.large_string())


def _one_text(value: Any, name: str, reading: Reading) -> str | None:
    """The text of a value that Arrow does not cast: JSON for lists and structures, else as Python prints it."""
    _require_short(_size(value), name, reading)
    try:
        found = value.as_py()
    except UnicodeDecodeError:
        raise
    except (ValueError, OverflowError, LookupError):  # a date, time zone or name that Python does not support
        found = f"(a value of type {value.type})"
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bytes):
        return found.decode(errors="surrogateescape")
    is_json = isinstance(found, dict | list | bool)
    text = json.dumps(found, ensure_ascii=False, default=str) if is_json else str(found)
    _require_short(len(text), name, reading)
    return text


def _size(value: Any) -> int:
    """The least size of a value in characters: each element takes at least one."""
    if isinstance(value, pa.ListScalar | pa.LargeListScalar | pa.MapScalar | pa.FixedSizeListScalar) and value.is_valid:
        return len(value)
    return 0


def _require_short(length: int, name: str, reading: Reading) -> None:
    if length > reading.field_chars:
        raise reading.beyond("field_chars", f"A value of the column {name} is longer")


def _batch(names: list[str], columns: list[Any], numbers: range) -> pl.DataFrame:
    series: list[Any] = [column if isinstance(column, list) else pl.Series(column) for column in columns]
    try:
        return frame(names, series, numbers)
    except UnicodeEncodeError:
        fields = zip(*(list(column) for column in series), strict=True)
        return to_batch(names, [(number, None, None, row) for number, row in zip(numbers, fields, strict=True)])
