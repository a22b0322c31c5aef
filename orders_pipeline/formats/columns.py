"""Match the columns of a file to those of an order, and name the other columns."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.encodings import csv_text, printable
from orders_pipeline.formats.options import LONGEST_COLUMN_NAME, MOST_COLUMNS
from orders_pipeline.schema import ORDER_COLUMNS, REQUIRED_COLUMNS

OTHER_NAMES: Final = "Rename the columns of the file, or map their names with ORDERS_COLUMN_ALIASES."

_SHOWN: Final = 60  # characters of a name in a message


def own_column(written: str) -> str | None:
    """The column of an order with exactly this name, in any case; None: there is none."""
    name = _bare(written).casefold()
    return name if name in ORDER_COLUMNS else None


def column_of(written: str, aliases: Mapping[str, str]) -> str | None:
    """The column of an order that a name refers to, directly or as an alias; None: there is none."""
    return own_column(written) or aliases.get(_bare(written).casefold())


def unused_name(written: str, number: int) -> str:
    """The name of an unused column: its own, with an `x` before a leading underscore (reserved for the origin of a row)
    and before `*` and `^` (patterns to Polars). A column without a name is called by its `number`."""
    name = _bare(written)
    return printable(f"x{name}" if name.startswith(("_", "^", "*")) else name) or f"column_{number}"


def column_names(header: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """Column names of a header: an order's columns by their own names, others by `unused_name`. An alias is ignored if
    its column is there under its own name."""
    own = {own_column(written) for written in header}
    names = []
    for number, written in enumerate(header, start=1):
        alias = aliases.get(_bare(written).casefold())
        column = own_column(written) or (None if alias in own else alias)
        names.append(column or unused_name(written, number))
    return names


def missing_columns(names: Sequence[str]) -> list[str]:
    """The columns of an order that are not among these."""
    return [name for name in REQUIRED_COLUMNS if name not in names]


def required(names: Sequence[str], written: Sequence[str]) -> list[str]:
    """The names with extra ones made unique. `written`: each name as the file has it.

    Raises:
        QuarantineError: a required column is missing, a column of an order is there twice, or names are too many or
            too long.
    """
    if missing := missing_columns(names):
        found = ", ".join(csv_text([name])[:_SHOWN] for name in names[:20]) or "nothing"
        raise QuarantineError("column_missing", f"No column {', '.join(missing)}. Found: {found}. {OTHER_NAMES}")
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


def _twice(column: str, written: Sequence[str]) -> QuarantineError:
    shown = [repr(printable(name.strip())[:_SHOWN]) for name in written]
    if own_column(written[0]):  # aliases are ignored beside it, so all of them are the name itself
        advice = "Remove or rename all but one."
    else:
        shown = [f"{name} (an alias of {column})" for name in shown]
        advice = "Remove one from the file, or its alias from ORDERS_COLUMN_ALIASES."
    return QuarantineError("column_twice", f"More than one column {column}: {' and '.join(shown)}. {advice}")


def _bare(written: str) -> str:
    """A name without spaces around it and without byte order marks, which editors do not show."""
    return written.replace("\ufeff", "").strip()
