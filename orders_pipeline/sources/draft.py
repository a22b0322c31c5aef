"""A draft of a declaration, from the beginning of a file. Every line is a guess for a person to check: landing never
applies any of it by itself."""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orders_pipeline.schema import NULL_TEXTS, REQUIRED_COLUMNS
from orders_pipeline.sources import conditions
from orders_pipeline.sources.declaration import PLAIN
from orders_pipeline.sources.formats_of_dates import guess_formats
from orders_pipeline.sources.names import guess_columns, names_items, status_column
from orders_pipeline.sources.sample import Sample
from orders_pipeline.text import printable

_FEW: Final = 10  # values of a status that are listed
_NUMBER: Final = re.compile(r"[+-]?\d{1,16}(?:\.\d{1,2}0*)?")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:([. '\u00a0\u202f\u2019])\d{3}(?:\1\d{3})*)),\d{1,2}")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:([,' \u00a0\u202f\u2019])\d{3})(?:\1\d{3})*(?:\.\d{1,2})?")
_WITH_CURRENCY: Final = re.compile(r"[^\d\s.,+-]+\s*[+-]?\d[\d.,]*|[+-]?\d[\d.,]*\s*[^\d\s.,+-]+")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass
class Draft:
    """The fields of a `[[source]]` with their values, why each is guessed, and what could not be."""

    fields: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    remarks: list[tuple[str, ...]] = field(default_factory=list)  # a sentence, and lines that may be what it asks for

    def add(self, name: str, value: Any, reason: str) -> None:
        """Guess a field."""
        self.fields[name], self.reasons[name] = value, reason

    def remark(self, sentence: str, *lines: str) -> None:
        """Leave something to a person. `lines`: of TOML, to choose from."""
        self.remarks.append((sentence, *lines))


def draft(sample: Sample) -> Draft:
    """What a declaration may have to say of files like this one. Fields that seem to need no word are left out."""
    found = Draft()
    columns = guess_columns(sample.names)
    if sample.encoding:
        found.add("encoding", sample.encoding, "the bytes are not UTF-8")
    if sample.delimiter not in (None, ","):
        found.add("delimiter", sample.delimiter, "it splits the header into most columns")
    if sample.skip_lines:
        found.add("skip_lines", sample.skip_lines, f"the header seems to be in line {sample.skip_lines + 1}")
    if sample.json_records:
        found.add("json_records", sample.json_records, "the first array of objects")
    values = {column: _values(sample, name) for column, name in columns.items()}
    _add_amounts(found, values.get("amount", []))
    _add_dates(found, values.get("order_date", []))
    _add_currency(found, sample)
    _add_lines(found, sample, columns)
    _add_columns(found, sample, columns)
    _remark_status(found, sample)
    return found


def toml(found: Draft, name: str, keys: str) -> str:
    """A draft as a `[[source]]`. `name`, `keys`: what to call the source, and which keys it is for."""
    lines = [
        "# A draft: every line is a guess. Check each of them, then try it with",
        "# `orders-pipeline inspect FILE --sources DRAFT`.",
        "[[source]]",
        f"name = {_value(_name(name))}",
        "# guess: the keys of this sender",
        f"keys = {_value(keys)}",
    ]
    for field_, value in found.fields.items():
        lines += [*_comment(f"guess: {found.reasons[field_]}"), *written(field_, value)]
    return "\n".join([*lines, *remarks(found)]) + "\n"


def remarks(found: Draft) -> list[str]:
    """What is left to a person, as comments of TOML."""
    return [
        line for sentence, *lines in found.remarks for line in (*_comment(sentence), *(f"# {one}" for one in lines))
    ]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(printable(text), 78, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)


def written(name: str, value: Any) -> list[str]:
    """A field as lines of TOML."""
    if isinstance(value, Mapping):
        return [f"{name}.{_key(key)} = {_value(one)}" for key, one in value.items()]
    return [f"{name} = {_value(value)}"]


def _add_amounts(found: Draft, amounts: Sequence[str]) -> None:
    odd = [amount for amount in amounts if not _NUMBER.fullmatch(amount)]
    with_comma = [match for amount in odd if (match := _DECIMAL_COMMA.fullmatch(amount))]
    with_thousands = [match for amount in odd if (match := _THOUSANDS.fullmatch(amount))]
    if with_comma and len(with_comma) >= len(with_thousands):
        found.add("decimal", ",", f"an amount is {_shown(with_comma[0][0])}")
        if grouped := [match for match in with_comma if match[1]]:
            found.add("thousands", grouped[0][1], f"an amount is {_shown(grouped[0][0])}")
    elif with_thousands:
        found.add("thousands", with_thousands[0][1], f"an amount is {_shown(with_thousands[0][0])}")
    elif priced := [amount for amount in odd if _WITH_CURRENCY.fullmatch(amount)]:
        found.remark(f"Amounts have a currency in them, as {_shown(priced[0])}. Say which:", 'currency = "USD"')
    if amounts and all(re.fullmatch(r"[+-]?\d+", amount) for amount in amounts):
        found.remark("If the amounts are in cents (all are whole numbers):", 'amount_unit = "minor"')


def _add_dates(found: Draft, dates: Sequence[str]) -> None:
    formats, is_clear = guess_formats(dates)
    if not formats:
        return
    if is_clear:
        found.add("date_formats", formats, f"a date is {_shown(dates[0])}")
        return
    found.remark(
        f"A date is {_shown(dates[0])}, and no date of the first rows shows which of these is meant:",
        *(line for format_ in formats for line in written("date_formats", [format_])),
    )


def _add_currency(found: Draft, sample: Sample) -> None:
    column = conditions.usual_currency_column(PLAIN, sample.names)
    if column is None:
        return
    counted = Counter(value.upper() for value in _values(sample, column))
    if not counted or not all(re.fullmatch("[A-Z]{3}", value) for value in counted):
        return
    most, _ = counted.most_common(1)[0]
    others = f"; rows in {_listed(sorted({*counted} - {most}))} are rejected" if len(counted) > 1 else ""
    found.add("currency", most, f"the first rows are mostly in it{others}" if others else "all first rows are in it")
    found.add("currency_column", column, "its name and values")


def _add_lines(found: Draft, sample: Sample, columns: Mapping[str, str]) -> None:
    if not {"order_id", "amount"} <= columns.keys():
        return
    places = [sample.names.index(columns[column]) for column in ("order_id", "amount")]
    amounts: dict[str, list[str]] = {}
    for row in sample.rows:
        order_id, amount = (row[place].strip() for place in places)
        if order_id:
            amounts.setdefault(order_id, []).append(amount)
    several = [sent for sent in amounts.values() if len(sent) > 1]
    if not several:
        return
    if any("" in sent for sent in several) or (names_items(sample.names) and any(len({*sent}) > 1 for sent in several)):
        found.add("lines", "sum", "an order has several rows with other amounts, or none")
    else:
        found.remark("An order has several rows. If they are its lines, and not versions of it:", 'lines = "sum"')


def _add_columns(found: Draft, sample: Sample, columns: Mapping[str, str]) -> None:
    other = {column: name for column, name in columns.items() if name.strip().casefold() != column}
    if other:
        found.add("columns", other, "by usual names")
    for column in REQUIRED_COLUMNS:
        if column not in columns:
            found.remark(f"No column is called like a usual {column}. Name it in `columns`.")
    if len(columns) < len(REQUIRED_COLUMNS) or other:
        found.remark(f"The columns of the file: {_listed(sample.names)}")
    customer = columns.get("customer_id")
    if customer is None or (sample.rows and len(_values(sample, customer)) < len(sample.rows)):
        found.remark("To count orders without a customer:", 'customer_default = "guest"')


def _remark_status(found: Draft, sample: Sample) -> None:
    column = status_column(sample.names)
    states = sorted({*_values(sample, column)}) if column else []
    if column and 0 < len(states) <= _FEW:
        found.remark("To count only some of these:", *written("keep", {column: states}))


def _values(sample: Sample, column: str) -> list[str]:
    """The values of a column, without missing ones."""
    place = sample.names.index(column)
    found = (row[place].strip() for row in sample.rows)
    return [value for value in found if value.upper() not in NULL_TEXTS]


def _name(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name or "sender"


def _value(value: Any) -> str:
    """A value as TOML, without anything that a terminal would obey."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, int):
        return str(value)
    quoted = json.dumps(value.encode(errors="replace").decode(), ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in quoted)


def _key(name: str) -> str:
    return name if _KEY.fullmatch(name) else _value(name)


def _shown(value: str) -> str:
    return _value(value if len(value) <= 40 else f"{value[:39]}…")


def _listed(names: Sequence[str]) -> str:
    shown: Iterator[str] = (_shown(name) for name in names[:40])
    return ", ".join(shown) + (", ..." if len(names) > 40 else "")
