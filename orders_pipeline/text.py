"""How keys, ids, days and texts of others are shown to people, and how long they may be.

A sender can write a text of any length: an id, a value, a column's name. Whatever is shown, or stored to be shown (in
Dagster, in the ledger, in an alert), passes through `cut` or `examples`."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Final

EXAMPLES: Final = 5  # as many as a check names, and the ledger keeps
_NAMED: Final = 3
LONGEST_VALUE: Final = 300  # characters: of a value, an id, a cell of a table in the UI
LONGEST_MESSAGE: Final = 2_000  # characters
_LISTED_SPANS: Final = 6


def printable(text: str) -> str:
    """The text with escapes for what would break a line, turn its direction, or be obeyed by a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(number: int, noun: str) -> str:
    """A number of things, whose plural ends in s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def examples(values: Iterable[object], separator: str = ", ") -> str:
    """The first few values in one line, or "none". Long ones are cut."""
    listed = [cut(printable(cut(str(value)))) for value in islice(values, EXAMPLES + 1)]
    return separator.join(listed[:EXAMPLES]) + (f"{separator}..." if len(listed) > EXAMPLES else "") or "none"


def cut(text: str, most: int = LONGEST_VALUE) -> str:
    """The text, with an ellipsis for what is beyond so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shortened(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def list_days(days: Iterable[date]) -> str:
    """Days as people read them: runs of days joined, long lists summed up."""
    ordered = sorted(days)
    spans: list[list[date]] = []
    for day in ordered:
        if spans and day - spans[-1][-1] == timedelta(days=1):
            spans[-1][1:] = [day]
        else:
            spans.append([day])
    if len(spans) > _LISTED_SPANS:
        return f"{ordered[0]} to {ordered[-1]} with gaps"
    return ", ".join(" to ".join(str(day) for day in span) for span in spans) or "no day"
