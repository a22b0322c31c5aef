"""Which days of a table a check compares."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.engine import Connection, Engine

from orders_pipeline.ledger import builds, staleness
from orders_pipeline.ledger.damage import intact_days
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.schema import PARTITIONED
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class Built:
    """The built days of a table that a check compares. `again`: those that the run does not cover. `stale`: the stale
    days among those that it does."""

    paths: Mapping[date, str]
    again: frozenset[date]
    rows: int
    stale: Sequence[date]


@dataclass(frozen=True)
class Scope:
    """What a run covers. `requested`: its partitions. `everything`: its checks compare all days."""

    run_id: str
    requested: Sequence[date]
    everything: bool

    def built(self, engine: Engine, lake: Lake, asset: str, calendar: Calendar, again: Collection[date]) -> Built:
        """The days of a table in the lake to compare. `again`: also these, if they are built. Days whose object is
        missing or damaged are stale from now on, and left out."""
        requested = self.requested if asset in PARTITIONED else ()
        with engine.connect() as connection:
            selected = self._select(connection, asset, requested, calendar)
            paths = builds.paths(connection, asset, {*selected, *again})
        paths = intact_days(engine, lake, asset, paths)
        with engine.connect() as connection:
            rows = builds.row_counts(connection, asset, paths)
            stale = staleness.due_days(connection, asset, calendar)
        return Built(
            paths=paths,
            again=frozenset(paths.keys() - set(selected)),
            rows=sum(rows.values()),
            stale=(stale.among(requested) if requested else stale).stale,
        )

    def built_by_run(self, connection: Connection, asset: str) -> list[date]:
        """The days of a table that the run built; none if its checks compare all days."""
        return [] if self.everything else builds.days_of_run(connection, asset, self.run_id)

    def _select(
        self, connection: Connection, asset: str, requested: Sequence[date], calendar: Calendar
    ) -> Sequence[date]:
        """The days that the run requested or built. If there are none: all days."""
        everything = builds.all_days(connection, asset, calendar)
        if requested:
            return [day for day in everything if day in requested]
        return self.built_by_run(connection, asset) or everything
