"""Lines of up to 80 characters: labels with texts beside them, and tables."""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from orders_pipeline.text import printable

WIDTH: Final = 80
_MARGIN: Final = 12


def labelled(label: str, text: str) -> list[str]:
    """A label, and a text beside it."""
    return folded(printable(text), label.ljust(_MARGIN), " " * _MARGIN)


def folded(text: str, first: str, further: str) -> list[str]:
    """A text between margins: that of the first line, and that of all others."""
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=further, break_on_hyphens=False)


def short(text: str, longest: int) -> str:
    """A text that no terminal obeys, cut if it is longer."""
    shown = printable(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    """Rows of a table, their cells two spaces apart. `right`: the columns that are figures."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(size) if number in right else cell.ljust(size)
            for number, (cell, size) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in rows
    ]


def moment(time: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
