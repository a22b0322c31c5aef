"""JSON objects as rows of an order's columns. Numbers stay as they are written."""

import json
from functools import lru_cache, partial
from typing import Any

from orders_pipeline.formats.columns import order_columns, own_column
from orders_pipeline.formats.nested import inner_ways, values
from orders_pipeline.formats.options import LONGEST_COLUMN_NAME, MOST_COLUMNS, Reading
from orders_pipeline.formats.values import id_number
from orders_pipeline.schema import ID_COLUMNS, ORDER_COLUMNS

# Row number, problem, text, fields. Fields are keyed by the column of an order, or else by their own key.
JsonRow = tuple[int, str | None, str | None, dict[str, str | None]]


class Decoder(json.JSONDecoder):
    """Keeps numbers as written: an amount must not pass through a float. Detects keys that an object has twice."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(
            parse_float=_Number, parse_int=_Number, parse_constant=self._constant, object_pairs_hook=self._object
        )
        self._reading = reading
        self._names = lru_cache(maxsize=100)(partial(_names, reading=reading))
        self._ways = lru_cache(maxsize=100)(partial(inner_ways, names=reading.nested))
        self._has_twice = self._has_infinity = False

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        self._has_twice = self._has_infinity = False
        return super().raw_decode(s, idx)

    def row(self, number: int, value: Any, written: str) -> JsonRow:
        """The row that a value makes, which was just decoded from the text `written`."""
        if self._has_infinity:
            return number, "json_unreadable", written, {}
        if not isinstance(value, dict):
            return number, "not_an_object", written, {}
        if len(value) > MOST_COLUMNS or any(len(key) > LONGEST_COLUMN_NAME for key in value):
            return number, "field_count", written, {}
        if self._reading.nested:
            value = self._with_nested(value)
        names = self._names(tuple(value))
        if self._has_twice or len(set(names)) < len(names):
            return number, "key_twice", written, dict.fromkeys(names)
        named = dict(zip(names, value.values(), strict=True))
        if any(isinstance(named.get(column), dict | list) for column in ORDER_COLUMNS):
            return number, "nested_value", written, dict.fromkeys(names)
        try:
            fields = {name: _text(name, field) for name, field in named.items()}
        except RecursionError:
            return number, "json_unreadable", written, {}
        if len(written) > self._reading.field_chars:
            self._require_short(number, fields)
        return number, None, None, fields

    def _with_nested(self, value: dict[str, Any]) -> dict[str, Any]:
        """The object with declared columns that are within others. One that is there twice counts as a key that is."""
        found = {name: values(value, ways) for name, ways in self._ways(tuple(value)).items()}
        self._has_twice |= any(len(several) > 1 for several in found.values())
        return {**value, **{name: several[0] for name, several in found.items() if several}}

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        self._has_twice |= len(value) < len(pairs)
        return value

    def _constant(self, written: str) -> None:
        """NaN is accepted, because pandas writes it for a missing value. An infinity makes the row unreadable."""
        self._has_infinity |= written != "NaN"

    def _require_short(self, number: int, fields: dict[str, str | None]) -> None:
        if any(field is not None and len(field) > self._reading.field_chars for field in fields.values()):
            raise self._reading.beyond("field_chars", f"A field of row {number} is longer")


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _names(keys: tuple[str, ...], reading: Reading) -> tuple[str, ...]:
    """The names for the keys of one object: the column of an order, or else the key. An `x` before a key keeps it from
    being taken for one."""
    columns = zip(order_columns(keys, reading), keys, strict=True)
    return tuple(column or (f"x{key}" if own_column(key) else key) for column, key in columns)


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, _Number):
        return id_number(value) if name in ID_COLUMNS else str(value)
    return str(value) if isinstance(value, str) else _nested(value)


def _nested(value: Any) -> str:
    """JSON of a decoded value, its numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_nested(key)}: {_nested(field)}" for key, field in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return value if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
