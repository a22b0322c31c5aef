"""Files that are a log of changes, as database replication writes them: a row of theirs may delete an order.

That order must not count, and to leave out the row alone would let the row count that inserted it, here or in another
file. So a log that deletes is refused as a whole.
"""

from collections.abc import Callable
from typing import Final

import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.schema import NULL_TEXTS, ROW_NUMBER

# Columns that tools add, in lower case. What they say of a row is compared in lower case too.
# Debezium's flattened events; Fivetran; Hudi; PeerDB; Datastream.
_FLAGS: Final = ("__deleted", "_fivetran_deleted", "_hoodie_is_deleted", "_peerdb_is_deleted", "_metadata_deleted")
_TIMES: Final = ("_ab_cdc_deleted_at", "_sdc_deleted_at")  # Airbyte; Stitch: any time says "deleted"
# Debezium; Qlik; Delta; Snowflake; Hudi.
_OPERATIONS: Final = ("__op", "header__change_oper", "_change_type", "metadata$action", "_hoodie_operation")
# AWS DMS; GoldenGate. These names are common ones: they count only where all values are operations of a log.
_COMMON: Final = ("op", "op_type", "operation")
_TRUE: Final = ("true", "t", "1", "1.0", "y", "yes")
_DELETE: Final = ("d", "delete")
_OTHERS: Final = (
    *("i", "u", "c", "r", "b", "t", "insert", "update", "create", "read", "upsert", "truncate"),
    *("update_preimage", "update_postimage"),
)
_NOTHING: Final = tuple(text.lower() for text in NULL_TEXTS)


class Deletions:
    """What the rows of a file say of deleted orders, batch by batch."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}  # by column, the first row that deletes
        self._no_operations: set[str] = set()

    def add(self, batch: pl.DataFrame) -> None:
        for name in batch.columns:
            column = _written(name).casefold()
            if column not in (*_FLAGS, *_TIMES, *_OPERATIONS, *_COMMON):
                continue
            said = pl.col(name).str.strip_chars().str.to_lowercase()
            values = batch.select(ROW_NUMBER, said=said).filter(~pl.col("said").is_in(_NOTHING))
            if column in _COMMON and not values["said"].is_in((*_DELETE, *_OTHERS)).all():
                self._no_operations.add(name)
            if column not in _TIMES:
                values = values.filter(pl.col("said").is_in(_TRUE if column in _FLAGS else _DELETE))
            if values.height:
                self._first.setdefault(name, values[ROW_NUMBER][0])

    def refuse(self, place: Callable[[], str]) -> None:
        """Raise what a log that deletes calls for; `place` tells what row numbers count.

        Raises:
            QuarantineError: a row says that its order was deleted.
        """
        found = {name: number for name, number in self._first.items() if name not in self._no_operations}
        for name, number in found.items():
            raise QuarantineError(
                "format_unsupported",
                f"The file is a log of changes: its column {_written(name)} says in {place()} {number} that an order"
                " was deleted. The orders that are left cannot be told from it. Land a full export of the table"
                " instead; or, if the column means something else, rename it.",
            )


def _written(name: str) -> str:
    """A column's name as the file has it: a batch has an `x` before an underscore."""
    return name.removeprefix("x") if name.startswith("x_") else name
