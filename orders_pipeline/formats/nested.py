"""Names of columns within others: `Kunde.Id` is `Id` in the object `Kunde`, unless a column has that very name."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.columns import bare

# Which of some keys a name leads through, and what is left of the name below each; nothing: the key has that name.
Ways = list[tuple[int, str]]


def ways(keys: Sequence[str], name: str) -> Ways:
    """The ways of a name, in lower case. A key with the whole name wins over all others."""
    names = [bare(key).casefold() for key in keys]
    if whole := [(number, "") for number, key in enumerate(names) if key == name]:
        return whole
    return [(number, name[len(key) + 1 :]) for number, key in enumerate(names) if name.startswith(f"{key}.")]


def inner_ways(keys: Sequence[str], names: Sequence[str]) -> dict[str, Ways]:
    """The ways of declared names to columns within others."""
    found = {name: ways(keys, name.casefold()) for name in names}
    return {name: ways for name, ways in found.items() if any(rest for _, rest in ways)}


def values(value: Mapping[str, Any], ways_there: Ways) -> list[Any]:
    """The values in an object that a name stands for; None where a null is in place of an object on its way."""
    found: list[Any] = []
    keys = list(value)
    for number, rest in ways_there:
        inner = value[keys[number]]
        if not rest or inner is None:
            found.append(inner)
        elif isinstance(inner, dict):
            found += values(inner, ways(list(inner), rest))
    return found


def paths(fields: Sequence[Any], names: Sequence[str]) -> dict[str, list[int]]:
    """For declared names of columns within structures, the position of each in Arrow's fields, and of those within.

    Raises:
        QuarantineError: a name stands for several.
    """
    found = {}
    for name, ways_there in inner_ways([field.name for field in fields], names).items():
        places = _places(fields, ways_there)
        if len(places) > 1:
            raise QuarantineError("column_twice", f"More than one column {name} within others. Rename all but one.")
        if places:
            found[name] = places[0]
    return found


def _places(fields: Sequence[Any], ways_there: Ways) -> list[list[int]]:
    found: list[list[int]] = []
    for number, rest in ways_there:
        kind = fields[number].type
        if not rest:
            found.append([number])
        elif pa.types.is_struct(kind):
            inner = [kind.field(i) for i in range(kind.num_fields)]
            found += [[number, *place] for place in _places(inner, ways([field.name for field in inner], rest))]
    return found
