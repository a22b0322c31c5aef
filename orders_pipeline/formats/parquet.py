"""Parquet: each value becomes the text that it would have in a CSV file."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import parquet_limits
from orders_pipeline.formats.columns import column_names, required
from orders_pipeline.formats.nested import paths
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.rows import frame, to_batch
from orders_pipeline.formats.values import id_texts, plain
from orders_pipeline.schema import ID_COLUMNS, ORDER_COLUMNS

_BATCH_BYTES: Final = 16 << 20
_BUFFER: Final = 1 << 20
_WIDEST_FIXED: Final = 64  # bytes: decimals, identifiers
_BYTES_PER_CHAR: Final = 4


def read_parquet(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    try:
        yield from _batches(path, parquet_limits.check(path, reading), reading)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the file
        raise QuarantineError(
            "parquet_unreadable", f"The file begins as Parquet and cannot be read: {error}. Upload it again, whole."
        ) from error


def _batches(path: Path, plan: parquet_limits.Plan, reading: Reading) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as described:
        schema: Any = described.schema_arrow
        _require_no_blocks(described.schema)
        texts = [*_texts(schema), *_nested_texts(described.schema, schema.names)]
    nested = paths(schema, reading.nested)
    written = [*schema.names, *nested]
    places = [*([i] for i in range(len(schema.names))), *nested.values()]
    names = required(column_names(written, reading), written, reading)
    _require_values([_type(schema, place) for place in places], names)
    # Texts read as dictionaries need no more memory than the pages of the file. So a text that is too long and occurs a
    # million times is found before it is expanded.
    with pq.ParquetFile(
        path,
        read_dictionary=[path for path in texts if path not in plan.delta],
        pre_buffer=False,
        buffer_size=_BUFFER,
        coerce_int96_timestamp_unit="us",
    ) as file:
        number, expanded = 1, 0
        decoded: Iterator[Any] = chain.from_iterable(
            file.iter_batches(step, row_groups=[group], use_threads=False) for group, step in enumerate(plan.steps)
        )
        for rows in chain([pa.RecordBatch.from_pylist([], schema=file.schema_arrow)], decoded):
            for piece, size in _pieces(rows, reading):
                expanded += size
                if expanded > reading.expanded_bytes:
                    raise reading.beyond("expanded_bytes", f"As text, the file has {expanded:,} bytes and more")
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


def _texts(schema: Any) -> list[str]:
    return [field.name for field in schema if _is_text(field.type)]


def _nested_texts(schema: Any, columns: Sequence[str]) -> list[str]:
    """The paths of texts in lists and structures."""
    leaves = [schema.column(i) for i in range(len(schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type != "DECIMAL"]
    return [path for path in texts if path not in columns]


def _is_text(kind: Any) -> bool:
    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_string, types.is_large_string, types.is_string_view)
    return any(test(kind) for test in (*tests, types.is_binary, types.is_large_binary, types.is_binary_view))


def _pieces(rows: Any, reading: Reading) -> Iterator[tuple[Any, int]]:
    """The rows in pieces whose texts fit into memory when they are expanded, and the bytes of those texts."""
    of_row = np.zeros(rows.num_rows, np.int64)
    for column in rows.columns:
        sizes = _sizes(column)
        if sizes.max(initial=0) > _BYTES_PER_CHAR * reading.field_chars:
            raise reading.beyond("field_chars", "A value of the file is longer")
        of_row += sizes
    if of_row.max(initial=0) > _BYTES_PER_CHAR * reading.row_chars:
        raise reading.row_beyond("A row of the file")
    ends = of_row.cumsum()
    start = before = 0
    while start < max(rows.num_rows, 1):
        end = max(start + 1, int(np.searchsorted(ends, before + _BATCH_BYTES, "right")))
        piece = rows.slice(start, end - start)
        size = int(of_row[start:end].sum())
        yield piece, size
        start, before = end, before + size


def _sizes(values: Any) -> Any:
    """The bytes of each value's text, as far as they are not the same for all: of texts, and of lists and structures of
    them, where each element takes at least one."""
    kind, types = values.type, pa.types
    if types.is_dictionary(kind):
        lengths = _sizes(values.dictionary)
        return np.append(lengths, 0)[values.indices.fill_null(len(lengths)).to_numpy()]
    if _is_text(kind):
        return pc.binary_length(values).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if types.is_struct(kind):
        return sum((_sizes(values.field(i)) for i in range(kind.num_fields)), np.zeros(len(values), np.int64))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        elements = _sizes(values.keys) + _sizes(values.items) if types.is_map(kind) else _sizes(values.values)
        ends = np.append(0, (elements + 1).cumsum())
        return np.diff(ends[values.offsets.to_numpy()])
    if types.is_fixed_size_list(kind):
        return (_sizes(values.flatten()) + 1).reshape(len(values), -1).sum(axis=1)
    return np.zeros(len(values), np.int64)


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
