"""JSON objects that wrap an order: recognize the kind, and explain how to get the orders out."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_EXTENDED: Final = re.compile(r"\$(oid|date|number[A-Z]\w*|uuid|binary|timestamp)")
_DEPTH: Final = 5
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHOWN: Final = 60  # characters of a key

MONGO: Final = (
    "the values are MongoDB Extended JSON ($numberDecimal, $date, $oid). Export plain values: `mongoexport --type=csv`,"
    " or $toString in the query."
)


def recognize(value: Mapping[str, Any], *, is_inner: bool = False) -> str | None:
    """The rest of a sentence about an object in which no order was found; None: it is of no known kind.

    Args:
        value: the object, its own lists and objects decoded.
        is_inner: it is already one of an array that its source declares.
    """
    for path, event in ((".", value), (".payload.", value.get("payload"))):
        if isinstance(event, Mapping) and "after" in event and ("op" in event or "before" in event):
            return (
                f"the objects are Debezium change events, with the orders under `{path}after`. Unwrap them with"
                f" Debezium's ExtractNewRecordState; or, if no order was deleted, `jq -c '{path}after // empty' FILE`."
            )
    if any(_is_extended(field) for field in value.values()):
        return MONGO
    if not is_inner and (keys := _array_of_objects(value, ())):
        array = "".join(f".{key if _NAME.fullmatch(key) else _quoted(key)}" for key in keys)
        return (
            f"the orders seem to be in the array `{array}`, and only an array under a single key is read by itself."
            f" Declare `json_records = {_quoted('.'.join(keys), None)}` for its source (docs/sources.md), or write one"
            f" order a line: `jq -c '{array}[]' FILE`."
        )
    return None


def _is_extended(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and bool(_EXTENDED.fullmatch(next(iter(value))))


def _array_of_objects(value: Mapping[str, Any], above: Sequence[str]) -> list[str] | None:
    """The keys above the first array of objects; those nearest to the top first."""
    if len(above) >= _DEPTH:
        return None
    for key, field in value.items():
        if isinstance(field, list) and field and isinstance(field[0], Mapping):
            return [*above, key]
    inner = (_array_of_objects(field, [*above, key]) for key, field in value.items() if isinstance(field, Mapping))
    return next((keys for keys in inner if keys), None)


def _quoted(text: str, most: int | None = _SHOWN) -> str:
    return json.dumps(text[:most], ensure_ascii=False)
