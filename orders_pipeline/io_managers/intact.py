"""What a step reads, of undamaged objects only: what depends on damaged ones is reported, and left to a later run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.engine import Connection, Engine

from orders_pipeline.io_managers import plan
from orders_pipeline.io_managers.losers import Origin
from orders_pipeline.io_managers.plan import FilesBuild
from orders_pipeline.ledger import active, overlaps, staleness
from orders_pipeline.ledger.builds import Build
from orders_pipeline.ledger.damage import intact_days, intact_files
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class DaysToRead:
    """What a step that works per day reads. `parts`: the build in parts that memory can hold. `origins`: the files of
    each part; none for a table that reads no raw orders."""

    build: Build
    parts: Sequence[Build]
    origins: Sequence[Origin]


def files_to_read(engine: Engine, lake: Lake, asset: str, tags: Mapping[str, str]) -> FilesBuild:
    """What a step that works per file reads. Files without rejects are not opened."""
    with _snapshot(engine) as snapshot:
        build = plan.of_files(snapshot, asset, tags)
    with_rejects = [file for file in build.read if file.raw.rejects]
    intact = {file.version for file in intact_files(engine, lake, with_rejects)}
    return replace(build, read=[file for file in build.read if not file.raw.rejects or file.version in intact])


def days_to_read(engine: Engine, lake: Lake, asset: str, tags: Mapping[str, str]) -> DaysToRead:
    """What a step that works per day reads.

    Raises:
        MissingInputError: the upstream of a requested day was never built.
    """
    damaged: dict[date, str] = {}
    while True:  # until nothing is damaged: what depends on damaged objects is blocked, or is not due any more
        with _snapshot(engine) as snapshot:
            build = plan.of_days(snapshot, asset, tags, damaged)
            parts = list(plan.parts_of_days(snapshot, build))
            origins = [_origin(snapshot, part) for part in parts] if staleness.reads_raw(asset) else []
        if origins:
            files = {file.raw.path: file for origin in origins for file in (*origin.holding, *origin.sharing)}
            if len(intact_files(engine, lake, list(files.values()))) == len(files):
                return DaysToRead(build, parts, origins)
        else:
            intact = intact_days(engine, lake, UPSTREAM[asset], build.inputs)
            if intact == build.inputs:
                return DaysToRead(build, parts, [])
            damaged |= {day: path for day, path in build.inputs.items() if day not in intact}


def _origin(snapshot: Connection, part: Build) -> Origin:
    holding = active.holding(snapshot, part.inputs)
    return Origin(part.days, holding, overlaps.partners(snapshot, holding))


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as snapshot:
        yield snapshot
