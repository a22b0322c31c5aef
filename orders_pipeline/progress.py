"""Progress of long work, for listeners in this process: the command line draws a bar from it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

Listener = Callable[[str, int, int], None]  # what is counted, how many are done, of how many

_listeners: Final[list[Listener]] = []


def report(what: str, done: int, total: int) -> None:
    """Report that `done` of `total` are done."""
    for listener in _listeners:
        listener(what, done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` with every report."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
