"""The message for a file in which most rows cannot be read: the most frequent reason, its first rows, what to do."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from orders_pipeline.formats.encodings import csv_reader
from orders_pipeline.formats.envelopes import MONGO
from orders_pipeline.schema import REASON, REASONS, ROW_NUMBER, TEXT, UNREADABLE_REASONS
from orders_pipeline.sources.declaration import PLAIN, Source
from orders_pipeline.text import printable

_EXAMPLES: Final = 3
_LONGEST_VALUE: Final = 40  # characters of a value that are shown
# Values that a message may show: an amount or a date. An id or a whole row may be personal data.
_SHOWN: Final = {
    "amount_not_decimal": "amount",
    "order_date_unreadable": "order_date",
    "order_date_unclear": "order_date",
}

_DAY: Final = r"(\d{1,2})[./-](\d{1,2})[./-](?:\d{4}|\d{2})(?!\d)"
_MONTHS: Final = "jan|feb|mar|m\u00e4r|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_KINDS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "amount_not_decimal": (
        (r"[^\d,.]*\d+,\d{1,2}[^\d,.]*|[^\d,]*\d{1,3}(?:[. '\u00a0\u202f]\d{3})+,\d+[^\d,.]*",
         'The amounts have a decimal comma. Declare `decimal = ","`, and `thousands` if they have separators.'),
        (r"[^\d,.]*\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?[^\d,.]*",
         'The amounts have thousands separators. Declare them, like `thousands = ","`.'),
        (r"[^\w\s.,+-]\s*[+-]?\d[\d.]*|[+-]?\d[\d.]*\s*[^\w\s.,+-]|[A-Z]{3}\s*\d[\d.]*|\d[\d.]*\s*[A-Z]{3}",
         'The amounts have a currency in them. Declare it, like `currency = "EUR"`, or send numbers alone.'),
        (r"[+-]?\d+(?:\.\d+)?[eE][+-]?\d+", "The amounts have an exponent. Write 1000.00 for 1e3."),
        (r"[+-]?\d+\.\d{3,}", "The amounts have more than 2 decimals. Round them before you export them."),
    ),
    "order_date_unreadable": (
        (r"\d{10}|\d{13}", "The dates are seconds or milliseconds since 1970. Write 2026-03-05T14:30:00Z."),
        (r"\d{8}", 'The dates have no hyphens. Declare `date_formats = ["%Y%m%d"]`.'),
        (rf"(?i).*\b(?:{_MONTHS})[a-z]*\b.*",
         'The dates have names of months. Declare `date_formats`, like ["%d-%b-%Y"] for 05-Mar-2026.'),
    ),
}  # fmt: skip
_DAY_FIRST: Final = 'The dates are written day first. Declare `date_formats`, like ["%d.%m.%Y"] for 31.03.2026.'
_MONTH_FIRST: Final = 'The dates are written month first. Declare `date_formats`, like ["%m/%d/%Y"] for 03/31/2026.'
_EITHER_FIRST: Final = (
    'The dates are written day first or month first, and nothing shows which. Declare `date_formats`: ["%d/%m/%Y"] or'
    ' ["%m/%d/%Y"].'
)
_DECLARED_BY: Final = {
    "amount": ("decimal", "thousands", "amount_unit"),
    "order_date": ("date_formats", "date_from_key"),
}
_NOT_UTF8: Final = "Save the file as UTF-8, or declare its `encoding` for its source (docs/sources.md)."
_EXTENDED_JSON: Final = re.compile(r'"\$(?:oid|date|number[A-Z]\w*)"')


@dataclass
class Unreadable:
    """The rows of a file that cannot be read, counted by reason, and the first few of each. `source`: the file's."""

    source: Source = PLAIN
    rows: int = 0
    width: int = 0  # how many fields a row has to have
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)  # row number, value or text

    @property
    def count(self) -> int:
        return self.reasons.total()

    def add(self, batch: pl.DataFrame) -> None:
        """Count the unreadable rows of a batch of validated rows."""
        self.rows += batch.height
        self.width = sum(not name.startswith("_") for name in batch.columns)
        found = batch.filter(pl.col(REASON).is_in(UNREADABLE_REASONS))
        self.reasons.update(found[REASON].to_list())
        for reason in found[REASON].unique():
            known = self.examples.setdefault(reason, [])
            value = pl.col(_SHOWN[reason]) if reason in _SHOWN else pl.col(TEXT)
            rows = found.filter(pl.col(REASON) == reason).head(_EXAMPLES - len(known))
            known += rows.select(ROW_NUMBER, value).rows()

    def message(self, place: str) -> str:
        """What was found, and what to do. `place`: what a row number refers to, `line` or `row`."""
        reason, count = self.reasons.most_common(1)[0]
        examples = self.examples[reason]
        values = [(number, _value(reason, text, self.width, self.source.delimiter)) for number, text in examples]
        shown = ", ".join(f"{place} {number}{value}" for number, value in values)
        advice = _advice(reason, [text for _, text in examples], self.source)
        return (
            f"{self.count} of {self.rows} rows cannot be read, so the file as a whole seems to be wrong. Most often"
            f" ({count} rows): {REASONS[reason]}. First seen in {shown}. {advice}"
        )


def _value(reason: str, text: str, width: int, delimiter: str | None) -> str:
    if reason == "field_count":
        return f" ({_fields(text, width, delimiter)} fields instead of {width})"
    if reason not in _SHOWN:
        return ""
    value = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
    return f" ({_SHOWN[reason]} '{printable(value)}')"


def _fields(text: str, width: int, declared: str | None) -> int:
    """How many fields a row has. If several delimiters split it, the count closest to `width` is used."""
    counts = []
    for delimiter in declared or ",;\t|":
        try:
            counts += [len(row) for row in csv_reader([text], delimiter)]
        except csv.Error:
            continue
    return min(set(counts) - {1, width} or {1}, key=lambda count: abs(count - width))


def _advice(reason: str, texts: Sequence[str], source: Source) -> str:
    """What to do about values, by their kind."""
    if reason == "nested_value" and all(map(_EXTENDED_JSON.search, texts)):
        return f"{MONGO[0].upper()}{MONGO[1:]}"
    if reason == "not_utf8":
        return _NOT_UTF8 if source.encoding == PLAIN.encoding else _declared(source, ["encoding"])
    column = _SHOWN.get(reason)
    if column and (declared := [name for name in _DECLARED_BY[column] if name in source.reading]):
        return _declared(source, declared)
    values = [text.strip() for text in texts]
    if column and (kind := _kind(reason, values)):
        return kind
    return "Correct the file and upload it again."


def _declared(source: Source, fields: Sequence[str]) -> str:
    named = " and ".join(f"`{name}`" for name in fields)
    return f"Its source {source.name!r} declares {named}: correct that (`orders-pipeline sources apply`), or the file."


def _kind(reason: str, values: Sequence[str]) -> str | None:
    """What to do about values of a known kind; None: the kind is unknown."""
    for pattern, advice in _KINDS.get(reason, ()):
        if all(re.fullmatch(pattern, value) for value in values):
            return advice
    days = [re.match(_DAY, value) for value in values] if reason == "order_date_unreadable" else [None]
    first = max((int(day[1]) for day in days if day), default=0)
    second = max((int(day[2]) for day in days if day), default=0)
    if not all(days):
        return None
    if max(first, second) <= 12:
        return _EITHER_FIRST
    return _DAY_FIRST if first > 12 else _MONTH_FIRST
