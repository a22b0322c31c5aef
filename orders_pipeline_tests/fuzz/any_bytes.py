"""What must hold for any bytes that land: they are read as the plainest possible readers read them, or refused."""

import csv
import json
import re
from contextlib import suppress
from decimal import Decimal
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import polars as pl

from orders_pipeline import transforms, validation
from orders_pipeline.errors import EmptyFileError, QuarantineError
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.schema import (
    DAY,
    ORDER_COLUMNS,
    PROBLEM,
    QUARANTINES,
    REASON,
    REASONS,
    ROW_NUMBER,
    TEXT,
    VALIDATION_COLUMNS,
)

# Small, so that small inputs reach every limit.
READING: Final = Reading(expanded_bytes=1 << 21, expansion_ratio=50, rows=3_000, cells=100_000, field_chars=1_000)


def check(content: bytes, folder: Path) -> str:
    """Read bytes as a landed file. Returns what became of them: `rows`, `empty`, or the code of a quarantine.

    Raises:
        AssertionError: a row is lost, invented, or changed.
    """
    file = folder / "file"
    file.write_bytes(content)
    try:
        rows = pl.concat([validation.validate(batch, "UTC") for batch in read_rows(file, READING)])
    except EmptyFileError:
        return "empty"
    except QuarantineError as error:
        if error.code not in QUARANTINES:
            raise
        return error.code
    _check_each(rows)
    expanded = file.read_bytes()
    if not expanded.startswith(b"PAR1"):
        for ours, plain in zip_longest(_fields(rows), _plainly(expanded)):
            assert ours == plain, f"{ours} is read, and the plain reader finds {plain}"
    return "rows"


def _check_each(rows: pl.DataFrame) -> None:
    numbers = rows[ROW_NUMBER].to_list()
    assert numbers == sorted(set(numbers))
    assert all(number >= 1 for number in numbers)
    rejected = rows.filter(pl.col(REASON).is_not_null())
    assert rows.filter(pl.col(REASON).is_null() != pl.col(DAY).is_not_null()).is_empty()
    assert set(rejected[REASON]) <= set(REASONS)
    assert rejected[TEXT].null_count() == 0
    raw = rows.drop(*VALIDATION_COLUMNS)
    assert validation.validate(raw.lazy(), "UTC").collect().equals(rows)  # whatever formats share a batch
    assert validation.rejects(raw).height + rows[DAY].count() == rows.height
    assert max((len(text) for text in rejected[TEXT]), default=0) <= validation.LONGEST_TEXT
    clean = transforms.clean(raw)
    assert set(clean["order_id"]) == set(rows.filter(pl.col(DAY).is_not_null())["order_id"])


def _fields(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The columns of an order in each row that could be split; nothing of the others but that they are there."""
    columns = [name for name in ORDER_COLUMNS if name in rows.columns]
    return [tuple(row) if problem is None else () for problem, *row in rows.select(PROBLEM, *columns).iter_rows()]


def _plainly(content: bytes) -> list[tuple[Any, ...]]:
    """The same by readers that hold the whole file, and take one step after the other."""
    text = content.decode("utf-8-sig", "surrogateescape")
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        return _objects(_loaded(text.strip("\ufeff \t\r\n"), lenient=False))
    if start.startswith("{"):
        return _objects(_json(text, start))
    return _csv(text)


def _json(text: str, start: str) -> list[Any]:
    """The values of JSON lines; or, where the first line is none by itself, of objects in a row."""
    lines = [bare for line in StringIO(text, newline=None) if (bare := line.lstrip("\ufeff \t")).strip()]
    if _loaded(lines[0]) is None:
        decoder = json.JSONDecoder(**_DECODING)
        with suppress(ValueError, RecursionError):
            _, end = decoder.raw_decode(start)
            if re.search(r"[\r\n]", start[:end]) or re.match(r"[ \t]+\{", start[end:]):
                values = []
                while rest := start.strip("\ufeff \t\r\n"):
                    value, end = decoder.raw_decode(rest)
                    values.append(value)
                    start = rest[end:]
                return values
    return [_loaded(line) if _is_text(line) else None for line in lines]


def _csv(text: str) -> list[tuple[Any, ...]]:
    lines = StringIO(text, newline="")
    skipped = 0
    for line in lines:
        if re.sub(r'"\s*"', "", line).strip(" \t\r\n\ufeff,;|"):
            break
        skipped += len(line)
    for delimiter in ",;\t|":
        try:
            header, *rows = csv.reader(StringIO(text[skipped:], newline=""), delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            continue
        names = [_name(name) for name in header]
        if set(ORDER_COLUMNS[:4]) <= set(names):
            places = [names.index(name) for name in ORDER_COLUMNS if name in names]
            return [
                tuple(_unwrapped(row[place]) for place in places)
                if len(row) == len(names) and _is_text("".join(row))
                else ()
                for row in rows
                if "".join(row).strip()
            ]
    raise AssertionError("the plain reader finds no header")


def _unwrapped(field: str) -> str:
    """What a spreadsheet shows for `="00777"`."""
    found = re.fullmatch(r'\s*="((?:[^"]|"")*)"\s*', field)
    return found[1].replace('""', '"') if found else field


def _objects(values: list[Any]) -> list[tuple[Any, ...]]:
    objects = [{_name(key): field for key, field in value} if isinstance(value, tuple) else None for value in values]
    names = [name for name in ORDER_COLUMNS if name != "updated_at" or any(name in o for o in objects if o)]
    return [
        ()
        if fields is None or not _is_row(value, fields)
        else tuple(_written(fields.get(name), name) for name in names)
        for value, fields in zip(values, objects, strict=True)
    ]


def _name(written: str) -> str:
    """A column's name: byte order marks, which no editor shows, are no part of it."""
    return written.replace("\ufeff", "").strip().casefold()


def _is_row(pairs: tuple[tuple[str, Any], ...], fields: dict[str, Any]) -> bool:
    order = [fields.get(name) for name in ORDER_COLUMNS]
    return not any(isinstance(field, tuple | list) for field in order) and not _has_twice(pairs) and _is_text(pairs)


def _has_twice(value: Any) -> bool:
    if isinstance(value, tuple):
        keys = [key if _name(key) not in ORDER_COLUMNS else _name(key) for key, _ in value]
        return len(set(keys)) < len(keys) or any(_has_twice(field) for _, field in value)
    return isinstance(value, list) and any(map(_has_twice, value))


def _loaded(text: str, *, lenient: bool = True) -> Any:
    """A value, its numbers as texts and its objects as tuples of pairs; None where there is none."""
    try:
        return json.loads(text, **_DECODING)
    except (ValueError, RecursionError):
        assert lenient
        return None


class _Number(str):
    __slots__ = ()


_DECODING: Final[Any] = {
    "parse_float": _Number,
    "parse_int": _Number,
    "parse_constant": str,
    "object_pairs_hook": tuple,
}


def _written(field: Any, name: str) -> Any:
    if isinstance(field, _Number) and name.endswith("_id") and abs(Decimal(field).adjusted()) < 300:
        digits = format(Decimal(field), "f")
        plain = digits.rstrip("0").rstrip(".") if "." in digits else digits
        return "0" if plain == "-0" else plain
    return {True: "true", False: "false"}[field] if isinstance(field, bool) else field


def _is_text(value: Any) -> bool:
    """Whether nothing in a value is half a character. Keys do not count: they are no part of a row."""
    if isinstance(value, tuple):
        return all(_is_text(field) for _, field in value)
    if isinstance(value, list):
        return all(map(_is_text, value))
    return not isinstance(value, str) or not any("\ud800" <= c <= "\udfff" for c in value)
