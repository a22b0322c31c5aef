"""Look at the beginning of a file without knowing how its sender writes, for a draft of a declaration."""

import codecs
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orders_pipeline.formats.encodings import csv_reader
from orders_pipeline.formats.envelopes import recognize
from orders_pipeline.formats.header import is_blank
from orders_pipeline.sources.names import guess_columns
from orders_pipeline.sources.sample import Sample

_HEAD: Final = 1 << 20  # bytes
_CHUNK: Final = 1 << 20
_LINES: Final = 300
_ROWS: Final = 200
_HEADER_LINES: Final = 20
_FEWEST_BYTES, _STARTS = 8, 64  # that show UTF-16 without a byte order mark
_DEPTH: Final = 3  # of nested objects whose fields are named
_DELIMITERS: Final = ",;\t|^~"
_BLANK: Final = "\ufeff \t\r\n"
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_decoder: Final = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def sample_of(path: Path, kind: str) -> Sample | None:
    """The beginning of an expanded file that is read as `kind`. None: nothing in it looks like a table of orders."""
    if kind == "parquet":
        return _of_parquet(path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    encoding = _encoding(path, head)
    text = head.decode(encoding or "utf-8", errors="replace").lstrip("\ufeff")
    if "\0" in text or text.lstrip(_BLANK).startswith("<"):
        return None
    if text.lstrip(_BLANK).startswith(("{", "[")):
        return _of_json(text.lstrip(_BLANK), encoding)
    return _of_csv(text, encoding)


def _encoding(path: Path, head: bytes) -> str | None:
    """Python's name of the encoding of a text; None: it is UTF-8."""
    if head.startswith(_UTF16):
        return "utf-16"
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) >= _FEWEST_BYTES and not any(head[first:_STARTS:2]):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            for chunk in iter(partial(file.read, _CHUNK), b""):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if not {0x81, 0x8D, 0x8F, 0x90, 0x9D} & set(head) else "latin-1"
    return None


def _of_csv(text: str, encoding: str | None) -> Sample | None:
    lines = list(islice(StringIO(text, newline=""), _LINES))
    best: tuple[tuple[int, ...], str, list[list[str]]] | None = None
    for start, line in enumerate(lines[:_HEADER_LINES]):
        if _is_skipped(line):
            continue
        for delimiter in _DELIMITERS:
            rows = _split(lines[start:], delimiter)
            if not rows or len(rows[0]) < 2:
                continue
            names, further = rows[0], [row for row in rows[1:] if not is_blank(row)]
            alike = sum(len(row) == len(names) for row in further[:_HEADER_LINES])
            # A line of totals at the end may have a usual name too, and a title has no other fields.
            score = alike > 0, len(guess_columns(names)), sum(map(bool, map(str.strip, names))), alike, -start
            if best is None or score > best[0]:
                best = score, delimiter, [names, *further]
    if best is None:
        return None
    (*_, before), delimiter, (names, *rows) = best
    width = len(names)
    filled = tuple(tuple([*row, *[""] * width][:width]) for row in rows[:_ROWS])
    has_more = any(not _is_skipped(line) for line in lines[:-before])
    return Sample("csv", tuple(names), filled, encoding, delimiter, -before if has_more else 0)


def _is_skipped(line: str) -> bool:
    """Whether landing skips such a line before a header: it has no values, or names the delimiter for Excel."""
    return not any(map(str.isalnum, line)) or line.lower().lstrip('\ufeff"').startswith("sep=")


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows of lines up to the first one that cannot be split."""
    rows: list[list[str]] = []
    try:
        for row in csv_reader(lines, delimiter):
            rows.append(row)
    except csv.Error:
        pass
    return rows


def _of_json(text: str, encoding: str | None) -> Sample | None:
    objects, path = list(islice(_objects(text), _ROWS)), None
    if len(objects) == 1 and (found := _array_in(objects[0], ())):
        path, objects = found
    if not objects or (path is None and recognize(objects[0])):
        return None
    flat = [dict(_fields(one, ())) for one in objects]
    names = tuple(dict.fromkeys(name for one in flat for name in one))
    rows = tuple(tuple(one.get(name, "") for name in names) for one in flat)
    return Sample("json", names, rows, encoding, json_records=path)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects of an array or a sequence, as far as they can be read."""
    at = 1 if text.startswith("[") else 0
    while True:
        while at < len(text) and text[at] in ", \t\r\n\ufeff":
            at += 1
        try:
            value, at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        if isinstance(value, dict):
            yield value


def _array_in(value: Mapping[str, Any], above: tuple[str, ...]) -> tuple[str | None, list[dict[str, Any]]] | None:
    """The first array of objects within an object: its path (None: it is the only key, which is read by itself), and
    the objects."""
    for key, field in value.items():
        if isinstance(field, list) and (objects := [one for one in field if isinstance(one, dict)]):
            is_alone = not above and len(value) == 1
            return None if is_alone else ".".join((*above, key)), objects[:_ROWS]
    if len(above) < _DEPTH:
        for key, field in value.items():
            if isinstance(field, Mapping) and (found := _array_in(field, (*above, key))):
                return found
    return None


def _fields(value: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, field in value.items():
        path = (*above, key)
        if isinstance(field, Mapping) and len(path) < _DEPTH:
            yield from _fields(field, path)
        else:
            yield ".".join(path), "" if field is None else str(field)


def _of_parquet(path: Path) -> Sample | None:
    try:
        schema: Any = pq.read_schema(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return None
    return Sample("parquet", tuple(schema.names))
