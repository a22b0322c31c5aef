"""How `orders-pipeline inspect` shows what would become of a file."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from orders_pipeline.cli.lines import aligned, folded, labelled, short
from orders_pipeline.landing.inspected_rows import Rejects, Row, Rows
from orders_pipeline.landing.inspection import Inspection, Recognised
from orders_pipeline.schema import REASONS
from orders_pipeline.settings import read_settings
from orders_pipeline.sources.draft import remarks, toml, written
from orders_pipeline.text import counted, printable

_DAYS: Final = 31  # that are shown; `--json` has all
_LONGEST: Final = 16  # characters of an id
_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def as_json(found: Inspection) -> dict[str, Any]:
    """An object with the keys that docs/sources.md lists."""
    fields = dataclasses.asdict(dataclasses.replace(found, draft=None))
    return {"loads": found.loads, **fields, "draft": draft(found)}


def draft(found: Inspection) -> str | None:
    """A `[[source]]` to start from, as TOML. None: nothing in the file looks like a table of orders."""
    if found.draft is None:
        return None
    folder, _, name = found.name.rpartition("/")
    landing_prefix = read_settings().landing_prefix
    is_key = found.name.startswith(landing_prefix) and folder != landing_prefix.rstrip("/")
    sender = folder.rpartition("/")[2] if is_key else name.partition(".")[0]
    return toml(found.draft, sender, f"{folder}/*" if is_key else f"{landing_prefix}*{name}")


def table(found: Inspection) -> Iterator[str]:
    """Lines of up to 80 characters."""
    yield from labelled("file", found.name)
    yield from labelled("source", found.source if found.source != "[defaults]" else "none: nothing is declared for it")
    yield from labelled("result", "would be loaded" if found.loads else f"would be {found.status}: {found.message}")
    if found.recognised:
        yield from labelled("read as", _recognised(found.recognised))
    if found.columns is not None:
        pairs = [f"{column} = {short(name, 40)}" for column, name in found.columns.items()]
        yield from labelled("columns", ", ".join(pairs) or "none")
        yield from labelled("unused", ", ".join(short(name, 40) for name in found.unused_columns) or "none")
    if found.rows:
        yield from _outcomes(found.rows)
        yield from _by_day(found.rows)
    if found.first_rows:
        place = found.recognised.rows_are if found.recognised else "row"
        yield from _rows(found.first_rows, place, is_loaded=found.loads)
        yield from _rejects(found.rejects, place)
    if found.draft and found.would_help:
        yield ""
        yield "A declaration may help. These are guesses; --draft prints them with reasons:"
        for field, value in found.would_help.items():
            yield from (f"  {line}" for line in written(field, value))
        if not found.loads:
            yield from (f"  {line}" for line in remarks(found.draft))


def _recognised(how: Recognised) -> str:
    parts = [
        how.format or "nothing known",
        how.compression and f"compressed with {how.compression}",
        how.encoding,
        how.delimiter and f"delimiter {_DELIMITERS.get(how.delimiter, repr(how.delimiter))}",
        how.header_line and f"header in line {how.header_line}",
    ]
    return ", ".join(part for part in parts if part)


def _outcomes(rows: Rows) -> Iterator[str]:
    named = [f"{count:,} {outcome}" for outcome, count in rows.by_outcome.items() if count]
    yield from labelled("rows", f"{rows.total:,}" + (f" = {' + '.join(named)}" if named else ""))
    money = [f"{amount:,} {outcome}" for outcome, amount in rows.amounts.items() if amount]
    yield from labelled("money", ", ".join(money) or "none")
    if rows.superseded:
        replaced = counted(rows.superseded, "row")
        worth = f"worth {rows.superseded_amount:,}"
        yield from labelled("replaced", f"{replaced} by another version of the order in the file, {worth}")
    if rows.currencies:
        yield from labelled("currencies", ", ".join(map(printable, rows.currencies)))


def _by_day(rows: Rows) -> Iterator[str]:
    if not rows.days:
        yield from labelled("days", "none: no row counts")
        return
    amounts = [f"{day.amount:,}" for day in rows.days]
    wide = max(7, *map(len, amounts))
    yield ""
    yield f"day         {'rows':>12}  {'orders':>12}  {'revenue':>{wide}}"
    for day, amount in list(zip(rows.days, amounts, strict=True))[:_DAYS]:
        note = "" if day.is_in_range else "  not in the tables today"
        yield f"{day.day}  {day.rows:>12,}  {day.orders:>12,}  {amount:>{wide}}{note}"
    if len(rows.days) > _DAYS:
        yield f"and {len(rows.days) - _DAYS:,} more days (--json has all)"


def _rows(rows: Sequence[Row], place: str, *, is_loaded: bool) -> Iterator[str]:
    yield ""
    yield "The first rows:" if is_loaded else "The first rows, of which nothing counts as the file is quarantined:"
    lines = [
        (str(row.row_number), row.order_id, row.customer_id, row.amount, str(row.day or ""), row.reason or row.outcome)
        for row in rows
    ]
    shown = [[short(text or "", 22 if number == 5 else _LONGEST) for number, text in enumerate(line)] for line in lines]
    shown.insert(0, [place, "order_id", "customer_id", "amount", "day", "outcome"])
    yield from aligned(shown, right=(0, 3))


def _rejects(rejects: Sequence[Rejects], place: str) -> Iterator[str]:
    if not rejects:
        return
    yield ""
    yield "Rejected:"
    for kind in rejects:
        yield from folded(f"{kind.rows:,} {kind.reason}: {REASONS.get(kind.reason, kind.reason)}", "  ", "    ")
        value = "" if kind.value is None else f": {short(kind.value, 50)!r}"
        yield f"    first in {place} {kind.row_number}{value}"
