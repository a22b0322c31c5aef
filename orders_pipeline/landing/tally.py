"""What the ledger records about the rows of a file, collected batch by batch."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl

from orders_pipeline.column_types import polars_schema
from orders_pipeline.landing import suspects
from orders_pipeline.landing.advice import Unreadable
from orders_pipeline.landing.change_log import Deletions
from orders_pipeline.landing.suspects import total
from orders_pipeline.ledger.records import Amounts, IdRange, RawObject, Suspects
from orders_pipeline.schema import AMOUNT, BLANK, COUNTS, CURRENCY, DAY, MERGED, OUTCOME, REJECTED, VOID
from orders_pipeline.sources.declaration import Source
from orders_pipeline.sources.values import plain_texts
from orders_pipeline.validation import AMOUNT_TEXT

_COLUMNS: Final = frozenset(polars_schema("raw_orders"))
_NOTHING: Final = Decimal("0.00")
_MOST_CURRENCIES: Final = 20


class Tally:
    """The rows of a file by outcome, and what they hold. `source`: by which they were validated."""

    def __init__(self, source: Source) -> None:
        self.rows = 0
        self.unreadable = Unreadable(source)
        self.deletions = Deletions(source)
        self._source = source
        self._clean_rows = self._void_rows = self._merged_rows = self._blank_rows = 0
        self._amounts = dict.fromkeys((COUNTS, VOID, REJECTED), _NOTHING)
        self._currencies: set[str] = set()
        self._suspects = Suspects()
        self._days: set[date] = set()
        self._ids: IdRange | None = None
        self._unused_columns: tuple[str, ...] = ()

    def add(self, batch: pl.DataFrame) -> None:
        """Count a batch of validated rows."""
        self.rows += batch.height
        self._unused_columns = unused(batch.columns)
        self.unreadable.add(batch)
        self.deletions.add(batch)
        clean = batch.filter(pl.col(DAY).is_not_null())
        self._clean_rows += clean.height
        self._days.update(clean[DAY].unique())
        self._currencies.update(clean[CURRENCY].unique().drop_nulls().sort().head(_MOST_CURRENCIES))
        self._suspects += suspects.find(clean, self._source)
        self._amounts[COUNTS] += total(clean[AMOUNT])
        if clean.height == batch.height and self._source.lines != "sum":
            self._add_ids(clean)
            return
        void = batch.filter(pl.col(OUTCOME) == VOID)
        self._void_rows += void.height
        self._amounts[VOID] += total(self._readable_amounts(void))
        self._amounts[REJECTED] += total(self._readable_amounts(batch.filter(pl.col(OUTCOME) == REJECTED)))
        if self._source.lines == "sum":
            self._add_lines(clean, batch)
        self._add_ids(
            pl.concat([clean, void.filter(pl.col("order_id").str.strip_chars() != "")]) if void.height else clean
        )

    def made(self, path: str) -> RawObject:
        """The raw object that holds these rows."""
        return RawObject(
            path,
            self.rows,
            self._clean_rows,
            tuple(sorted(self._days)),
            self._ids,
            self._unused_columns,
            void_rows=self._void_rows,
            merged_rows=self._merged_rows,
            blank_rows=self._blank_rows,
            amounts=Amounts(self._amounts[COUNTS], self._amounts[VOID], self._amounts[REJECTED]),
            currencies=tuple(sorted(self._currencies)[:_MOST_CURRENCIES]),
            suspects=self._suspects,
            bytes_hash=self._source.bytes_hash,
            rows_hash=self._source.rows_hash,
        )

    def _add_lines(self, clean: pl.DataFrame, batch: pl.DataFrame) -> None:
        """Count merged and blank rows. What the lines of summed orders are worth beyond the sums is that of dropped
        lines, and counts as void."""
        merged = batch.filter(pl.col(OUTCOME) == MERGED)
        self._merged_rows += merged.height
        self._blank_rows += batch.filter(pl.col(OUTCOME) == BLANK).height
        lines = pl.concat([self._readable_amounts(clean), self._readable_amounts(merged)])
        self._amounts[VOID] += total(lines) - total(clean[AMOUNT])

    def _readable_amounts(self, rows: pl.DataFrame) -> pl.Series:
        plain = plain_texts(self._source).get("amount", pl.col("amount").str.strip_chars())
        text = rows.select(text=plain)["text"]
        return text.filter(text.str.contains(AMOUNT_TEXT).fill_null(value=False))

    def _add_ids(self, versions: pl.DataFrame) -> None:
        if not versions.height:
            return
        ids, size = pl.col("order_id"), pl.col("order_id").str.len_bytes()
        ends = [ids.min(), ids.max(), ids.filter(size == size.min()).min(), ids.filter(size == size.max()).max()]
        found = IdRange(*versions.select(end.alias(str(number)) for number, end in enumerate(ends)).row(0))
        self._ids = found if self._ids is None else _union(self._ids, found)


def unused(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns of a file that belong to no order."""
    return tuple(name for name in columns if name not in _COLUMNS)


def _union(one: IdRange, other: IdRange) -> IdRange:
    def short(text: str) -> tuple[int, str]:
        return len(text.encode()), text

    return IdRange(
        min(one.first, other.first),
        max(one.last, other.last),
        min(one.first_short, other.first_short, key=short),
        max(one.last_short, other.last_short, key=short),
    )
