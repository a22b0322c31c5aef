"""From `load_input` to `handle_output` of one step: what the step set out to build, and the rows to build it from.

An IO manager is called twice for a step. At load it asks the ledger once which days (or files) are due, and from which
input; at output it records exactly those as built. To ask again at output could record what was never read. So the
answer is handed over here, keyed by the step's context: Dagster gives the same object to both calls, and a new one to
each retry.

Between the two calls the asset's function sees one lazy frame. Where there is more to build than memory holds, that
frame stands for one part (a few days or files) after the other, and the function's lazy result is collected for each.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from weakref import WeakKeyDictionary

import narwhals as nw
import polars as pl
from polars.io.plugins import register_io_source

from orders_pipeline.io_managers.plan import FilesBuild
from orders_pipeline.ledger.builds import Build
from orders_pipeline.schema import DAY
from orders_pipeline.ui.materialization import Output


@dataclass
class Handoff:
    """What one step read, or is to read, in parts. `made` describes what came out, by day."""

    build: Build | FilesBuild
    parts: list[tuple[Build | FilesBuild, pl.LazyFrame]] = field(default_factory=list)
    made: dict[date, Output] = field(default_factory=dict)
    _current: int | None = None  # the part that the step's input stands for; None: all of them
    _started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long ago the step began to load."""
        return round(time.monotonic() - self._started, 3)

    def input(self) -> pl.LazyFrame:
        """A frame that holds the rows of the current part when it is collected."""
        if len(self.parts) == 1:
            return self.parts[0][1]
        # Pure: within one collection it is read once, though the plan may name it twice.
        return register_io_source(self._rows, schema=self.parts[0][1].collect_schema(), is_pure=True)

    def outputs(self, output: Any) -> Iterator[tuple[Any, pl.DataFrame]]:
        """What the step made of its input, with the build that it belongs to; part by part where it is lazy."""
        together = not isinstance(output, pl.LazyFrame) or len(self.parts) < 2
        for part, build in enumerate([self.build] if together else [build for build, _ in self.parts]):
            self._current = None if together else part
            yield build, _collect(output)

    def outputs_by_day(self, output: Any, day: pl.Expr) -> Iterator[Mapping[date, pl.DataFrame]]:
        """The same for a build by day: for each part, the rows of each of its days. `day` finds the day of a row."""
        for build, made in self.outputs(output):
            rows = _by_day(made, day, build.days)
            self.made |= {day: Output.of(build.asset, rows[day]) for day in rows}
            yield rows

    def _rows(
        self, columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        """What Polars asks of a source: its rows, or those columns of them, that fit, up to a limit."""
        chosen = self.parts if self._current is None else [self.parts[self._current]]
        rows = pl.concat([rows for _, rows in chosen])
        rows = rows if predicate is None else rows.filter(predicate)
        rows = rows if columns is None else rows.select(columns)
        yield (rows if limit is None else rows.limit(limit)).collect(engine="streaming")


# Weak: a step's context, and what was handed over with it, go when the step is over.
_HANDOFFS: Final[WeakKeyDictionary[Any, Handoff]] = WeakKeyDictionary()


def start(step: Any, build: Build | FilesBuild) -> Handoff:
    """The hand-off of a step that sets out to build this, to be filled with parts. `step`: its context."""
    _HANDOFFS[step] = handoff = Handoff(build)
    return handoff


def of_step(step: Any) -> Handoff:
    """The hand-off that this step began when its input was loaded."""
    return _HANDOFFS[step]


def _collect(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.collect(engine="streaming")
    lazy: Any = nw.from_native(frame).lazy()
    return pl.DataFrame(lazy.collect(backend="polars").to_native())


def _by_day(rows: pl.DataFrame, day: pl.Expr, wanted: list[date]) -> dict[date, pl.DataFrame]:
    """The rows of each wanted day, none of them left out; rows of other days are not this build's business."""
    parts = rows.with_columns(day.alias(DAY)).partition_by(DAY, as_dict=True, include_key=False)
    return {day: parts.get((day,), rows.clear()) for day in wanted}
