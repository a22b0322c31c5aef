"""How senders write: the sources of a `sources.toml`, validated whole.

A declaration is no guess: what it does not say keeps its plain meaning. `Source()` is the plain source, for everything
that no one declared.
"""

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orders_pipeline.errors import SourcesError
from orders_pipeline.sources import field_types, patterns

# What each group of fields takes to apply to files that were loaded before: the file's bytes again, from S3; its rows
# again, from the raw object; nothing, since no row reads differently.
_BYTES: Final = (
    *("columns", "format", "encoding", "may_look_like_utf8", "delimiter", "skip_lines", "json_records"),
    *("date_from_key", "order_id_prefix", "customer_id_prefix", "customer_default"),
)
_ROWS: Final = (
    *("decimal", "thousands", "amount_unit", "date_formats", "timezone"),
    *("keep", "drop", "deletes", "currency", "currency_column", "lines"),
)
# Nothing but the files of a source with keys has to do with these.
_OF_FILES: Final = (
    *("format", "encoding", "may_look_like_utf8", "delimiter", "skip_lines", "json_records"),
    "date_from_key",
)
_OF_FORMATS: Final = {
    "encoding": ("csv", "json"),
    "may_look_like_utf8": ("csv", "json"),
    "delimiter": ("csv",),
    "skip_lines": ("csv",),
    "json_records": ("json",),
}
_MESSAGES: Final = {  # where pydantic's own would not help the author of a TOML file
    "extra_forbidden": "there is no such field",
    "tuple_type": "write a list of texts like ['paid', 'refunded']",
    "dict_type": "write a table like { Status = ['paid'] }",
    "string_type": "write a text in quotes",
}


class Source(BaseModel):
    """How one sender writes. Every field but `name` and one of `keys` and `table` is optional."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: field_types.Name = "[defaults]"
    keys: field_types.Text | None = None  # a pattern of whole keys
    table: field_types.Text | None = None  # ORDERS_SOURCE_TABLE
    columns: field_types.Columns = {}
    format: Literal["csv", "json", "parquet"] | None = None  # None: the bytes decide
    encoding: field_types.Encoding = "utf-8"
    may_look_like_utf8: bool = False  # text in another encoding whose bytes are UTF-8 too, by chance
    delimiter: field_types.Delimiter | None = None  # of CSV; None: the header shows it
    skip_lines: Annotated[int, Field(ge=0, le=1_000)] = 0  # lines of a CSV file before the header
    json_records: field_types.KeyPath | None = None  # the keys above the array of orders in JSON
    date_from_key: field_types.DateInKey | None = None  # instead of a column order_date
    order_id_prefix: field_types.Text | None = None
    customer_id_prefix: field_types.Text | None = None
    customer_default: field_types.Text | None = None  # the customer of orders without one
    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'", "_"] | None = None
    amount_unit: Literal["major", "minor"] = "major"
    date_formats: field_types.DateFormats = ()
    timezone: field_types.TimeZone | None = None  # of times without offset
    keep: field_types.Conditions = {}  # rows with another value are dropped
    drop: field_types.Conditions = {}  # rows with one of these values are dropped
    deletes: field_types.Conditions = {}  # rows with one of these values delete their order
    currency: field_types.Currency | None = None
    currency_column: field_types.Text | None = None
    lines: Literal["last", "sum", "refuse"] = "last"  # what several rows of one file with the same order_id are
    ignore: field_types.Patterns = ()  # patterns of keys that are left out
    frozen_after: field_types.Days | None = None
    expected: field_types.Deliveries | None = None  # when it delivers
    max_reject_share: field_types.Share | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands: both are {self.decimal!r}; say both, like ',' and '.'")
        if self.may_look_like_utf8 and self.encoding == "utf-8":
            raise ValueError("may_look_like_utf8: declare the other encoding too, like encoding = 'cp1252'")
        if self.date_from_key and "order_date" in self.columns:
            raise ValueError("date_from_key: columns names a column for the same date; one says it all")
        return self

    @cached_property
    def bytes_hash(self) -> str | None:
        """What a file has to be read again for, from S3, if it changes. None: as if nothing was declared."""
        return self._hash(_BYTES, nested=sorted(name for name in self.condition_columns if "." in name))

    @cached_property
    def rows_hash(self) -> str | None:
        """What the rows of a file have to be validated again for, if it changes. None: as if nothing was declared."""
        return self._hash(_ROWS)

    @property
    def reading(self) -> dict[str, Any]:
        """The fields on which the outcome of a row depends, as JSON has them. `Source.of_reading` takes them back."""
        return self.model_dump(mode="json", include={*_BYTES, *_ROWS}, exclude_defaults=True)

    @classmethod
    def of_reading(cls, fields: Mapping[str, Any]) -> "Source":
        """A source with the `reading` of another.

        Raises:
            ValueError: the fields are none that this release knows.
        """
        return cls.model_validate(dict(fields))

    @property
    def declared_format(self) -> str | None:
        """The format of its files. Lines to skip may be anything, so a file that has some is CSV."""
        return self.format or ("csv" if self.skip_lines else None)

    @property
    def declares_lines(self) -> bool:
        """Whether it says what several rows of one order are, be it what holds for every source."""
        return "lines" in self.model_fields_set

    def prefix_of(self, column: str) -> str | None:
        """What the values of an order's column begin with in every table; None: nothing is put before them."""
        return {"order_id": self.order_id_prefix, "customer_id": self.customer_id_prefix}.get(column)

    @property
    def condition_columns(self) -> list[str]:
        """The columns whose values decide what becomes of a row, besides those of an order."""
        currency = [self.currency_column] if self.currency_column else []
        return list(dict.fromkeys([*self.deletes, *self.keep, *self.drop, *currency]))

    def _hash(self, names: Sequence[str], nested: Sequence[str] = ()) -> str | None:
        """`nested`: names of columns that a raw object has only if they were declared."""
        fields = self.model_dump(mode="json", include={*names}, exclude_defaults=True)
        if nested:
            fields["nested"] = nested
        if not fields:
            return None
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


PLAIN: Final = Source()


@dataclass(frozen=True)
class Sources:
    """All sources of a declaration. `undeclared` reads what no other source names."""

    declared: tuple[Source, ...] = ()
    undeclared: Source = PLAIN

    @cached_property
    def by_keys(self) -> list[Source]:
        """The sources of keys. The first one whose pattern fits a key applies."""
        of_keys = [source for source in self.declared if source.keys is not None]
        return sorted(of_keys, key=lambda source: -patterns.literals(source.keys or ""))

    @cached_property
    def of_table(self) -> Source:
        """The source of the source table, without what concerns files alone."""
        source = next((source for source in self.declared if source.table is not None), self.undeclared)
        plain = {name: getattr(PLAIN, name) for name in _OF_FILES}
        return Source.model_construct(
            source.model_fields_set, **{name: plain.get(name, value) for name, value in source}
        )

    def of_key(self, key: str) -> Source:
        """The source of an object of the landing zone."""
        fitting = (source for source in self.by_keys if patterns.matches(source.keys or "", key))
        return next(fitting, self.undeclared)

    def of(self, bucket: str, key: str) -> Source:
        """The source of a version: of an object, or (without a bucket) of a day of the source table."""
        return self.of_key(key) if bucket else self.of_table

    @cached_property
    def ignored(self) -> list[str]:
        """Every pattern of keys that are left out. Such a key is left out only if its own source has the pattern."""
        return sorted({pattern for source in (*self.declared, self.undeclared) for pattern in source.ignore})

    @property
    def remarks(self) -> list[str]:
        """What holds where a declaration leaves something open."""
        return [
            f"{source.name}: no currency is declared, so the minor units of its amounts are hundredths."
            for source in (self.undeclared, *self.declared)
            if source.amount_unit == "minor" and not (source.currency or source.currency_column)
        ]

    def ignores(self, key: str) -> bool:
        """Whether a key is to be left out, as its source declares."""
        return bool(self.ignored) and any(patterns.matches(pattern, key) for pattern in self.of_key(key).ignore)


UNDECLARED: Final = Sources()


@lru_cache(maxsize=8)
def parse(toml: str) -> Sources:
    """The sources of a declaration. A field that a source leaves out is taken from `[defaults]`.

    Raises:
        SourcesError: the declaration cannot be used. The message names every source and field that is wrong.
    """
    try:
        document = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise SourcesError(f"The declaration is not TOML: {error}.") from error
    problems = [f"{name}: there is no such table" for name in document.keys() - {"source", "defaults"}]
    defaults, tables = document.get("defaults", {}), document.get("source", [])
    if not isinstance(defaults, dict) or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise SourcesError("The declaration needs tables written as [defaults] and [[source]].")
    problems += [f"[defaults] {name}: say it for each source" for name in ("name", "keys", "table") if name in defaults]
    sources: list[Source] = []
    own: list[set[str]] = []
    for number, table in enumerate([defaults, *tables]):
        named = "[defaults]" if table is defaults else f"source {table.get('name', f'number {number}')!r}"
        if table is not defaults:
            problems += _gaps(named, table)
        try:
            sources.append(Source.model_validate({**defaults, **table}))
            own.append({*table})
        except ValidationError as error:
            problems += [f"{named} {problem}" for problem in _problems(error, {} if table is defaults else defaults)]
    if not problems:
        undeclared, *declared = sources
        for source, fields in zip(sources, own, strict=True):
            problems += _of_another_format(source, fields)
        problems += _conflicts(declared, own[1:])
    if problems:
        raise SourcesError(f"The declaration cannot be used: {'; '.join(dict.fromkeys(problems))}.")
    return Sources(tuple(declared), undeclared)


def _gaps(named: str, table: Mapping[str, Any]) -> Iterator[str]:
    if "name" not in table:
        yield f"{named} has no name"
    if ("keys" in table) == ("table" in table):
        yield f"{named} needs either keys or table"


def _problems(error: ValidationError, inherited: Mapping[str, Any]) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        place = ".".join(str(part) for part in problem["loc"] if part != "[key]")
        message = _MESSAGES.get(problem["type"], problem["msg"]).removeprefix("Value error, ")
        if not problem["loc"]:  # of fields that do not fit together, which the message names
            yield message
        elif problem["loc"][0] not in inherited:  # otherwise reported with [defaults]
            yield f"{place}: {message}"


def _of_another_format(source: Source, own: Collection[str]) -> Iterator[str]:
    """The fields that a source has itself, and that say nothing about files of its format."""
    named = source.name if source.name == "[defaults]" else f"source {source.name!r}"
    for name, formats in _OF_FORMATS.items():
        if name in own and source.declared_format not in (None, *formats):
            yield f"{named} {name}: it says nothing about {source.declared_format} files, and it has no others"


def _conflicts(declared: Sequence[Source], own: Sequence[Collection[str]]) -> Iterator[str]:
    """What does not fit together. `own`: the fields that each source has itself, not from `[defaults]`."""
    names = [source.name for source in declared]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the name {name!r} is there twice"
    if len([source for source in declared if source.table is not None]) > 1:
        yield "more than one source has a table, and there is one source table"
    for source, fields in zip(declared, own, strict=True):
        if source.currency_column and not source.currency and source.currency_column in source.columns.values():
            yield f"source {source.name!r} currency_column: {source.currency_column!r} is another column of the order"
        if "expected" in fields and source.table is not None:
            yield f"source {source.name!r} expected: only a source with keys can have it"
        if "frozen_after" in fields and source.table is None:
            yield f"source {source.name!r} frozen_after: only a source with a table can have it"
        if source.table is not None and (of_files := [name for name in _OF_FILES if name in fields]):
            yield f"source {source.name!r} {of_files[0]}: only a source with keys can have it"
        kept = {name.strip().casefold() for name in source.keep}
        if both := [name for name in source.drop if name.strip().casefold() in kept]:
            inherited = "" if {"keep", "drop"} <= {*fields} else ", one of them in [defaults]"
            yield f"source {source.name!r} keep and drop: both name {both[0]!r}{inherited}; one says it all"
    of_keys = [source for source in declared if source.keys is not None]
    for one, other in combinations(of_keys, 2):
        mine, theirs = one.keys or "", other.keys or ""
        if patterns.literals(mine) == patterns.literals(theirs) and patterns.can_share_a_key(mine, theirs):
            yield (
                f"sources {one.name!r} and {other.name!r} keys: a key can fit both {mine!r} and {theirs!r}, which are"
                " equally exact; make one of them longer"
            )
