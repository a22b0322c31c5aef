"""Columns that no order has: kept with the rows, used by nothing, and told of when a source first brings them."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy.engine import Connection

from orders_pipeline.ledger import active
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import TABLE

_NAMED: Final = 20  # columns
_FILES_COMPARED: Final = 5

Columns = Callable[[ActiveFile], Iterable[str]]


def new_columns(connection: Connection, loaded: Sequence[ActiveFile], columns: Columns) -> list[str]:
    """A remark for each source whose files of a batch bring columns that its files before did not bring.

    A source is a folder of the landing zone, folders that differ in digits alone (dates) being one; or the source
    table. Compared are its latest files that count, before the batch becomes active. `columns` tells the unused columns
    of a file that counts already.
    """
    brought: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for file in loaded:
        for name in file.raw.unused_columns:
            brought[file.version.bucket, _source(file.version.key)].setdefault(name, file.version.key)
    remarks = []
    for (bucket, source), names in sorted(brought.items()):
        before = active.latest_of_source(connection, bucket, source, _FILES_COMPARED)
        known = {name for file in before for name in columns(file)}
        if new := [name for name in names if name not in known]:
            listed = ", ".join(new[:_NAMED]) + (", ..." if len(new) > _NAMED else "")
            said = "the source table" if bucket == TABLE else source
            remarks.append(f"New columns of {said}, kept and not used: {listed} (first in {names[new[0]]}).")
    return remarks


def _source(key: str) -> str:
    return re.sub("[0-9]", "#", key[: key.rfind("/") + 1])
