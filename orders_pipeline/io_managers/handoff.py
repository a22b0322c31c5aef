"""The handoff of one step, from `load_input` to `handle_output`: what the step builds, and the rows to build it from.

Dagster calls an IO manager twice for a step. `load_input` asks the ledger once which days (or files) are due, and from
which input. `handle_output` records exactly those as built. If it asked the ledger again, it could record input that
the step never read. So `load_input` stores the answer here, under the step's context: Dagster passes the same context
to both calls, and a new one to each retry.

In between, the asset's function gets one lazy frame. If the work does not fit in memory, it is split into batches of
days or files. The frame then stands for one batch after the other, and the function's lazy result is collected for
each.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from weakref import WeakKeyDictionary

import narwhals as nw
import polars as pl
from polars.io.plugins import register_io_source
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.io_managers.losers import Origin
from orders_pipeline.io_managers.plan import FilesBuild
from orders_pipeline.ledger import identity
from orders_pipeline.ledger.builds import Build, BuiltDay
from orders_pipeline.ledger.identity import Identity
from orders_pipeline.ledger.staleness import Why
from orders_pipeline.schema import DAY, UPSTREAM
from orders_pipeline.ui.materialization import Output


@dataclass
class Handoff:
    """What one step builds. `asset`: the table. `server`: the Postgres that the plan was read from. `parts`: its
    batches, each with the rows to build it from. `origins`: the files of each part that raw orders are read for.
    `made`: by day, the output that Dagster shows."""

    asset: str
    build: Build | FilesBuild
    server: Identity
    parts: list[tuple[Build | FilesBuild, pl.LazyFrame]] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    made: dict[date, Output] = field(default_factory=dict)
    _current: int | None = None  # the part that the step's input stands for; None: all parts
    _started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """The seconds since the step began to load, to the millisecond."""
        return round(time.monotonic() - self._started, 3)

    @contextmanager
    def committing(self, engine: Engine) -> Iterator[Connection]:
        """A transaction that records what the step has built.

        Raises:
            ServiceUnavailableError: another Postgres answers than the one that the step read.
        """
        with engine.begin() as transaction:
            identity.require(transaction, self.server, self.asset)
            yield transaction

    def input(self) -> pl.LazyFrame:
        """The step's input: a frame that reads the rows of the current part each time it is collected."""
        if len(self.parts) == 1:
            return self.parts[0][1]
        # Pure: within one collection it is read once, though the plan may name it twice.
        return register_io_source(self._rows, schema=self.parts[0][1].collect_schema(), is_pure=True)

    def outputs(self, output: Any) -> Iterator[tuple[Any, pl.DataFrame]]:
        """The rows that the step returned, each frame with the build that it belongs to.

        `output`: what the asset's function returned. A Polars lazy frame is collected once for each part, and yields as
        many pairs. Any other frame holds the rows of all parts, and yields one pair.
        """
        together = not isinstance(output, pl.LazyFrame) or len(self.parts) < 2
        for part, build in enumerate([self.build] if together else [build for build, _ in self.parts]):
            self._current = None if together else part
            yield build, _collect(output)

    def outputs_by_day(self, output: Any, day: pl.Expr) -> Iterator[Mapping[date, pl.DataFrame]]:
        """The rows that the step returned, by day: one mapping for each part, with every day of the part (a day without
        rows has an empty frame). Fills `made`.

        Args:
            output: what the asset's function returned.
            day: an expression for the day of a row.
        """
        for build, made in self.outputs(output):
            rows = _by_day(made, day, build.days)
            self.made |= {day: Output.of(build.asset, rows[day]) for day in rows}
            yield rows

    def _rows(
        self, columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        """The source of `input`, called by Polars: the rows that meet the predicate, up to the limit, in one frame."""
        chosen = self.parts if self._current is None else [self.parts[self._current]]
        rows = pl.concat([rows for _, rows in chosen])
        rows = rows if predicate is None else rows.filter(predicate)
        rows = rows if columns is None else rows.select(columns)
        yield (rows if limit is None else rows.limit(limit)).collect(engine="streaming")


# Weak references: Python frees the context and its handoff when the step ends.
_HANDOFFS: Final[WeakKeyDictionary[Any, Handoff]] = WeakKeyDictionary()

# By table, why this process built each object that it committed last. All steps of a run share one process.
_REASONS: Final[dict[str, dict[str, Why]]] = {}


def start(step: Any, asset: str, build: Build | FilesBuild, server: Identity) -> Handoff:
    """A new handoff for a step, without parts. `step`: its context, as Dagster passes it. `build`: what the step plans
    to build of its table `asset`. `server`: where it read that."""
    _HANDOFFS[step] = handoff = Handoff(asset, build, server)
    return handoff


def of_step(step: Any) -> Handoff:
    """The handoff that `start` made for this step.

    Raises:
        KeyError: the step loaded no input through these IO managers.
    """
    return _HANDOFFS[step]


def remember(build: Build, built: Iterable[BuiltDay]) -> None:
    """Keep why these days were built, for a step of the same run that reads their objects (`reasons`)."""
    _REASONS[build.asset] = {day.path: build.due[day.day].why for day in built if day.path}


def reasons(build: Build) -> dict[date, Why]:
    """Why each day is built. If its upstream day was rebuilt by the same run: the reason for that, which says more."""
    upstream = _REASONS.get(UPSTREAM[build.asset], {})
    return {
        day: upstream.get(due.input, due.why) if due.why is Why.UPSTREAM else due.why for day, due in build.due.items()
    }


def _collect(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.collect(engine="streaming")
    lazy: Any = nw.from_native(frame).lazy()
    return pl.DataFrame(lazy.collect(backend="polars").to_native())


def _by_day(rows: pl.DataFrame, day: pl.Expr, wanted: list[date]) -> dict[date, pl.DataFrame]:
    """The rows of each wanted day; an empty frame if it has none. Rows of other days are left out."""
    parts = rows.with_columns(day.alias(DAY)).partition_by(DAY, as_dict=True, include_key=False)
    return {day: parts.get((day,), rows.clear()) for day in wanted}
