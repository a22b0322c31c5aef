"""Damaged objects of the lake, those that are gone among them: what depends on them is done again without being asked,
and a finding stays until a person accepts it, because the disk or the program that caused it may do more damage."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from orders_pipeline.ledger import builds, findings
from orders_pipeline.ledger.findings import Finding, of_file
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.storage.lake import Lake
from orders_pipeline.text import printable

KIND: Final = "lake_is_intact"

_t: Final = landed_files.c


def intact_files(engine: Engine, lake: Lake, files: Sequence[ActiveFile]) -> list[ActiveFile]:
    """The files among these whose raw objects are undamaged. The others are reported, and will be read again."""
    damaged = set(lake.damaged(file.raw.path for file in files))
    if damaged:
        report_files(engine, [file for file in files if file.raw.path in damaged])
    return [file for file in files if file.raw.path not in damaged]


def intact_days(engine: Engine, lake: Lake, table: str, paths: Mapping[date, str]) -> dict[date, str]:
    """The days of a table among these whose objects are undamaged. The others are reported, and stale from now on."""
    damaged = set(lake.damaged(paths.values()))
    if damaged:
        report_days(engine, table, {day: path for day, path in paths.items() if path in damaged})
    return {day: path for day, path in paths.items() if path not in damaged}


def report_files(engine: Engine, files: Collection[ActiveFile]) -> None:
    """Have these active files read again, since their raw objects are damaged. Until then, nothing is built from
    them."""
    found = [_finding(of_file(one.version.bucket, one.version.key), one.version.key, one.raw.path) for one in files]
    examination = findings.examine(engine, KIND)
    is_damaged = _t.active, _t.path.in_({one.raw.path for one in files})
    with engine.begin() as transaction:
        in_order = sa.select(_t.id).where(*is_damaged).order_by(_t.bucket, _t.key).with_for_update()  # like `activate`
        ids = list(transaction.execute(in_order).scalars())
        transaction.execute(sa.update(landed_files).where(_t.id.in_(ids)).values(rules=0))
        findings.record(transaction, examination, found, examined=())


def report_days(engine: Engine, asset: str, paths: Mapping[date, str]) -> None:
    """Have these days of a table rebuilt, since their objects are damaged."""
    found = [_finding(f"{asset} {day}", f"{day} of {asset}", path) for day, path in paths.items()]
    examination = findings.examine(engine, KIND)
    with engine.begin() as transaction:
        builds.mark_missing(transaction, asset, paths.values())
        findings.record(transaction, examination, found, examined=())


def _finding(subject: str, of: str, path: str) -> Finding:
    return Finding(subject, path, f"the object of {printable(of)} was missing or damaged ({path})")
