"""One budget of memory for all files that are read at once: the batches of rows that are validated and written at the
same time fit into it. What is held between batches is bounded for each file."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

import polars as pl

_BYTES_OF_A_CELL: Final = 16  # of an empty one, too


class Budget:
    """So many bytes, shared by threads. A thread takes one share at a time, so none waits for ever."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._changed = Condition()

    @contextmanager
    def share(self, size: int) -> Iterator[None]:
        """Wait for so many bytes, and hold them. Whoever needs more than all waits for all."""
        taken = min(size, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= taken)
            self._free -= taken
        try:
            yield
        finally:
            with self._changed:
                self._free += taken
                self._changed.notify_all()


BATCHES: Final = Budget(96 << 20)  # working on a batch takes several times its own size


def size_of(batch: pl.DataFrame) -> int:
    """The bytes of a batch of rows."""
    return int(batch.estimated_size()) + _BYTES_OF_A_CELL * batch.height * batch.width
