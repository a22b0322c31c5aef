"""Unused columns: kept with the rows, used by nothing, and reported when a source first has them."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy.engine import Connection

from orders_pipeline.ledger import active
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.ledger.versions import TABLE
from orders_pipeline.sources.senders import THE_TABLE
from orders_pipeline.text import cut, printable

_NAMED: Final = 20  # columns
_SHOWN: Final = 60  # characters of a name
_FILES_COMPARED: Final = 5

Columns = Callable[[ActiveFile], Iterable[str]]


def new_columns(connection: Connection, loaded: Sequence[ActiveFile], columns: Columns) -> list[str]:
    """A remark for each source whose files in a batch have columns that its earlier files did not have.

    A source is a folder of the landing zone, or the source table. Folders that differ only in digits (dates) are one
    source. The batch is compared with the source's latest active files. `columns` returns the unused columns of an
    active file.
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
            listed = ", ".join(cut(printable(name), _SHOWN) for name in new[:_NAMED]) + (
                ", ..." if len(new) > _NAMED else ""
            )
            where = THE_TABLE if bucket == TABLE else source
            remarks.append(f"New columns of {where}, kept and not used: {listed} (first in {names[new[0]]}).")
    return remarks


def _source(key: str) -> str:
    return re.sub("[0-9]", "#", key[: key.rfind("/") + 1])
