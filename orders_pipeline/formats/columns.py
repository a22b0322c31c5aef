"""Match the columns of a file to those of an order, and name the other columns."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.encodings import csv_text, printable
from orders_pipeline.formats.options import LONGEST_COLUMN_NAME, MOST_COLUMNS, Reading
from orders_pipeline.schema import ORDER_COLUMNS, REQUIRED_COLUMNS

_SHOWN: Final = 60  # characters of a name in a message


def own_column(written: str) -> str | None:
    """The column of an order with exactly this name, in any case; None: there is none."""
    name = bare(written).casefold()
    return name if name in ORDER_COLUMNS else None


def order_columns(header: Sequence[str], reading: Reading) -> list[str | None]:
    """The column of an order that each name of a header stands for; None: it stands for none.

    A declared name replaces the column's own one. An alias is ignored if its column is there under its own name."""
    declared = {bare(name).casefold(): column for column, name in reading.columns.items()}
    own = {own_column(written) for written in header}
    found = []
    for written in header:
        name, column = bare(written).casefold(), own_column(written)
        alias = reading.aliases.get(name)
        plain = column or (None if alias in own else alias)
        other = None if plain in reading.given or column in reading.columns else plain
        found.append(declared.get(name, other))
    return found


def unused_name(written: str, number: int) -> str:
    """The name of an unused column: its own, with an `x` before a leading underscore (reserved for the origin of a
    row), before `*` and `^` (patterns to Polars), and before the name of an order's column, which another column has
    been declared to be. A column without a name is called by its `number`."""
    name = bare(written)
    is_reserved = name.startswith(("_", "^", "*")) or own_column(name)
    return printable(f"x{name}" if is_reserved else name) or f"column_{number}"


def column_names(header: Sequence[str], reading: Reading) -> list[str]:
    """Column names of a header: an order's columns by their own names, others by `unused_name`."""
    columns = zip(order_columns(header, reading), header, strict=True)
    return [column or unused_name(written, number) for number, (column, written) in enumerate(columns, start=1)]


def missing_columns(names: Sequence[str], reading: Reading) -> list[str]:
    """The columns of an order that a file must have and that are not among these."""
    wanted = [name for name in ORDER_COLUMNS if name in REQUIRED_COLUMNS or name in reading.columns]
    return [name for name in wanted if name not in names and name not in reading.given]


def other_names(reading: Reading) -> str:
    """What to do about names of columns that are not known."""
    if reading.columns:
        return f"Correct the file, or `columns` of the source {reading.source!r} (`orders-pipeline sources apply`)."
    return "Rename the columns of the file, or map their names with ORDERS_COLUMN_ALIASES or a declared source."


def required(names: Sequence[str], written: Sequence[str], reading: Reading) -> list[str]:
    """The names with extra ones made unique. `written`: each name as the file has it.

    Raises:
        QuarantineError: a required column is missing, a column of an order is there twice, or names are too many or
            too long.
    """
    if missing := missing_columns(names, reading):
        found = ", ".join(csv_text([name])[:_SHOWN] for name in names[:20]) or "nothing"
        declared = [f"{reading.columns[name]} ({name})" if name in reading.columns else name for name in missing]
        raise QuarantineError(
            "column_missing", f"No column {', '.join(declared)}. Found: {found}. {other_names(reading)}"
        )
    _require_needed(names, written, reading)
    for column in ORDER_COLUMNS:
        if names.count(column) > 1:
            raise _twice(
                column, [as_written for name, as_written in zip(names, written, strict=True) if name == column]
            )
    if len(names) > MOST_COLUMNS:
        raise QuarantineError("too_many_columns", f"More than {MOST_COLUMNS} columns: is that an export of orders?")
    if too_long := next((name for name in names if len(name) > LONGEST_COLUMN_NAME), None):
        raise QuarantineError(
            "header_unreadable",
            f"A column's name has more than {LONGEST_COLUMN_NAME} characters; it begins {too_long[:_SHOWN]!r}.",
        )
    unique: dict[str, None] = {}
    for name in names:
        spellings = (f"{name}_{number}" for number in count(2))
        unique[name if name not in unique else next(free for free in spellings if free not in unique)] = None
    return list(unique)


def _require_needed(names: Sequence[str], written: Sequence[str], reading: Reading) -> None:
    """Check that each column that decides which rows count is there once. JSON files name an order's columns, however
    they are written."""
    there = Counter(bare(name).casefold() for name in written)
    of_orders = {bare(reading.columns.get(name, name)).casefold() for name in names if name in ORDER_COLUMNS}
    there.update(of_orders - there.keys())
    for name in reading.needed:
        alias = reading.aliases.get(bare(name).casefold())
        if alias in names and own_column(name) is None:
            raise QuarantineError(
                "column_missing",
                f"The column {name} is read as {alias} (ORDERS_COLUMN_ALIASES). Name it {alias} in the source"
                f" {reading.source!r} too, or declare `columns` there (`orders-pipeline sources apply`).",
            )
        found = there[bare(name).casefold()]
        if found != 1:
            raise QuarantineError(
                "column_twice" if found else "column_missing",
                f"{'More than one' if found else 'No'} column {name}, whose values decide which rows count. Correct the"
                f" file, or the source {reading.source!r} (`orders-pipeline sources apply`).",
            )


def _twice(column: str, written: Sequence[str]) -> QuarantineError:
    shown = [repr(printable(name.strip())[:_SHOWN]) for name in written]
    if own_column(written[0]):  # aliases are ignored beside it, so all of them are the name itself
        advice = "Remove or rename all but one."
    else:
        shown = [f"{name} (an alias of {column})" for name in shown]
        advice = "Remove one from the file, or its alias from ORDERS_COLUMN_ALIASES."
    return QuarantineError("column_twice", f"More than one column {column}: {' and '.join(shown)}. {advice}")


def bare(written: str) -> str:
    """A name without spaces around it and without byte order marks, which editors do not show."""
    return written.replace("\ufeff", "").strip()
