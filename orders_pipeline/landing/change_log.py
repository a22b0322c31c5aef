"""Files that are a log of changes, as database replication writes them. A row in them may delete an order.

Dropping only that row would keep the order alive: another row, here or in another file, inserted it. So a log with a
delete is refused as a whole, unless a source declares what the row means.
"""

import json
import re
from collections.abc import Callable
from typing import Final

import polars as pl

from orders_pipeline.errors import QuarantineError
from orders_pipeline.schema import COUNTS, NO_AMOUNT, NULL_TEXTS, OUTCOME, REASON, REJECTED, ROW_NUMBER
from orders_pipeline.sources.declaration import Source

# Columns that tools add, in lower case. Their values are compared in lower case too.
# Debezium's flattened events; Fivetran; Hudi; PeerDB; Datastream.
_FLAGS: Final = ("__deleted", "_fivetran_deleted", "_hoodie_is_deleted", "_peerdb_is_deleted", "_metadata_deleted")
_TIMES: Final = ("_ab_cdc_deleted_at", "_sdc_deleted_at")  # Airbyte; Stitch: any time means "deleted"
# Debezium; Qlik; Delta; Snowflake; Hudi.
_OPERATIONS: Final = ("__op", "header__change_oper", "_change_type", "metadata$action", "_hoodie_operation")
# AWS DMS; GoldenGate. The names are common: the column is an operation only if all its values are operations.
_COMMON: Final = ("op", "op_type", "operation")
_TRUE: Final = ("true", "t", "1", "1.0", "y", "yes")
_DELETE: Final = ("d", "delete")
_OTHERS: Final = (
    *("i", "u", "c", "r", "b", "t", "insert", "update", "create", "read", "upsert", "truncate"),
    *("update_preimage", "update_postimage"),
)
_NOTHING: Final = tuple(text.lower() for text in NULL_TEXTS)


class Deletions:
    """Finds the rows of a file that delete orders, and that its source does not declare to, batch by batch."""

    def __init__(self, source: Source) -> None:
        self._declared = {name.strip().casefold() for name in source.condition_columns}
        # Beside a line of its order, a row without an amount would be blank, and its order would live on.
        self._may_be_blank = pl.lit(source.lines == "sum") & pl.col(REASON).eq_missing(NO_AMOUNT)
        self._first: dict[str, tuple[int, str]] = {}  # by column, the first row that deletes, and its value there
        self._no_operations: set[str] = set()

    def add(self, batch: pl.DataFrame) -> None:
        for name in batch.columns:
            column = _written(name).casefold()
            if column not in (*_FLAGS, *_TIMES, *_OPERATIONS, *_COMMON):
                continue
            flag = pl.col(name).str.strip_chars().str.to_lowercase()
            values = batch.select(ROW_NUMBER, OUTCOME, REASON, name, flag=flag).filter(~pl.col("flag").is_in(_NOTHING))
            if column in _COMMON and not values["flag"].is_in((*_DELETE, *_OTHERS)).all():
                self._no_operations.add(name)
            if column not in _TIMES:
                values = values.filter(pl.col("flag").is_in(_TRUE if column in _FLAGS else _DELETE))
            # A row that a source declares to be a delete is void, or rejected if it cannot be one.
            outcomes = (COUNTS,) if column in self._declared else (COUNTS, REJECTED)
            values = values.filter(pl.col(OUTCOME).is_in(outcomes) | self._may_be_blank)
            if values.height:
                self._first.setdefault(name, (values[ROW_NUMBER][0], values[name][0].strip()))

    def refuse(self, place: Callable[[], str]) -> None:
        """Refuse a log that deletes orders. `place` returns what a row number refers to, `line` or `row`.

        Raises:
            QuarantineError: a row deletes its order.
        """
        found = {name: first for name, first in self._first.items() if name not in self._no_operations}
        for name, (number, value) in found.items():
            column = _written(name)
            raise QuarantineError(
                "format_unsupported",
                f"The file is a log of changes: its column {column} marks {place()} {number} as deleted. Declare a"
                f" source for it with {_condition(column, value)} (docs/sources.md), or upload a full export of the"
                " table instead. If the column means something else, rename it.",
            )


def _condition(column: str, value: str) -> str:
    """What to declare for a column. A time of deletion has no fixed values: only rows without one are kept."""
    key = json.dumps(column) if re.search(r"[^\w-]", column, re.ASCII) else column
    if column.casefold() in _TIMES:
        return f'`keep = {{ {key} = [""] }}`'
    return f"`deletes = {{ {key} = [{json.dumps(value, ensure_ascii=False)}] }}`"


def _written(name: str) -> str:
    """A column's name as in the file: a batch puts an `x` before a leading underscore."""
    return name.removeprefix("x") if name.startswith("x_") else name
