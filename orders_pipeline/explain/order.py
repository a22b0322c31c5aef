"""What became of every row of an order, and which one counts: values, and what follows from them. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from orders_pipeline.explain.day import When
from orders_pipeline.explain.steps import SYNC, VERIFY, Step, on_key, once
from orders_pipeline.explain.tables import State, Table
from orders_pipeline.schema import COUNTS, REJECTED, VOID

_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)  # when the rows of the source table landed, for their rank


@dataclass(frozen=True)
class Row:
    """A row that has the order's id. `file`: its key, or its full name in another bucket. `outcome`: one of
    `schema.OUTCOMES`. `amount`: exact, if it could be read; `written`: as it came. `landed_at`: when its bytes landed,
    None for a row of the source table. `gone`: why the version of its file is not active; None: it is. `is_latest`: it
    is the version of the order that holds."""

    file: str
    source: str
    row_number: int
    outcome: str
    reason: str | None
    customer_id: str | None
    amount: Decimal | None
    written: str | None
    day: date | None
    updated_at: datetime | None
    landed_at: datetime | None
    text: str | None
    gone: str | None
    is_latest: bool

    @property
    def is_version(self) -> bool:
        """Whether it takes part when the latest version of the order is chosen."""
        return self.gone is None and self.outcome in (COUNTS, VOID)

    @property
    def is_reject(self) -> bool:
        """Whether an active file has it, and it was refused."""
        return self.gone is None and self.outcome == REJECTED


@dataclass(frozen=True)
class Order:
    """An order id, and every row that has it and could be found: the one that counts, then the other versions from the
    latest to the earliest, then all others.

    `day`: of the latest version that has one; `tables`: how far that is built. `opened`: how many raw objects
    were read to find the rows, of `objects` that count. `damaged`: files whose objects cannot be read. `vacuumed`: how
    many earlier versions of files may have had it, and are no longer in the lake. `unread`: how many versions of files
    have never been read, so that no one knows their ids; `newer_unread`: those files among its own of which a newer
    version is one of them."""

    order_id: str
    rows: Sequence[Row]
    day: date | None
    when: When | None
    tables: Sequence[Table]
    opened: int
    objects: int
    damaged: Sequence[str]
    vacuumed: int
    unread: int
    newer_unread: Sequence[str] = ()

    @property
    def latest(self) -> Row | None:
        """The version that holds; None: there is none."""
        return next((row for row in self.rows if row.is_latest), None)

    @property
    def versions(self) -> list[Row]:
        """All versions, the latest first."""
        return [row for row in self.rows if row.is_version]

    @property
    def why(self) -> str:
        """Why the version that holds is the latest."""
        if (first := self.latest) is None:
            return "no row of it is an order that can be used"
        if len(self.versions) == 1:
            return "it is the only version of the order"
        return _why(first, self.versions[1])

    @property
    def is_well(self) -> bool:
        """Whether the order is in the tables as it was last written, or was deleted."""
        is_built = all(table.state is State.CURRENT for table in self.tables)
        is_open = self.damaged or self.newer_unread or any(row.is_reject for row in self.rows)
        return self.latest is not None and is_built and not is_open

    @property
    def next(self) -> list[Step]:
        """What to do, the most urgent first. Empty if all is well."""
        return once(self._steps())

    def _steps(self) -> Iterator[Step]:
        if self.damaged:
            yield VERIFY
            yield SYNC
        for name in self.newer_unread:
            yield Step("See why the newer version of its file is not loaded.", on_key("explain --file", name))
        for row in self.rows:
            if row.is_reject:
                yield Step("Correct the rejected row and upload its file again.", on_key("explain --file", row.file))
        if any(table.state is not State.CURRENT for table in self.tables):
            yield Step("See why its day is not built.", f"orders-pipeline explain {self.day}")
        if not self.rows:
            yield Step("See the files that are not loaded.", "orders-pipeline status")


def in_order(rows: Sequence[Row]) -> list[Row]:
    """The rows as `Order` has them."""
    versions = sorted((row for row in rows if row.is_version), key=_rank, reverse=True)
    others = [row for row in rows if not row.is_version]
    return [*sorted(versions, key=lambda row: not row.is_latest), *sorted(others, key=lambda row: row.gone is not None)]


def _why(first: Row, second: Row) -> str:
    if _time(first) != _time(second):
        what = "updated_at" if first.updated_at else "landing"
        return f"its {what} ({_shown(first)}) is later than {_shown(second)} of the next"
    if first.file != second.file:
        return "of the versions of the same time, its key is the last one by bytes"
    return "it is the last row of its file with this id"


def _rank(row: Row) -> tuple[datetime, bytes, int]:
    """The rule of `transforms.latest`, to show the rows in that order."""
    return _time(row), row.file.encode(), row.row_number


def _time(row: Row) -> datetime:
    time = row.updated_at or row.landed_at
    return _NEVER if time is None else time


def _shown(row: Row) -> str:
    time = row.updated_at or row.landed_at
    return "a row of the source table" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"
