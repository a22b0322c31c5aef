"""Reads what the backlog depends on from the ledger and S3. The source table is not queried: that takes a scan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.engine import Connection

from orders_pipeline.backlog import Backlog, Known, backlog
from orders_pipeline.landing import notices, side_files
from orders_pipeline.landing.discover import table_trouble
from orders_pipeline.ledger import active, declarations, entries, staleness
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.ledger.versions import TABLE, FileVersion
from orders_pipeline.resources import S3Resource
from orders_pipeline.schema import UPSTREAM
from orders_pipeline.settings import Settings


@dataclass(frozen=True)
class LandingZone:
    """What a complete listing showed: all keys, those of side files, and the versions that the ledger had not
    settled."""

    keys: frozenset[str]
    side_keys: frozenset[str]
    unsettled: Sequence[FileVersion]


@dataclass(frozen=True)
class Survey:
    """The whole backlog, and what else is to be known of the landing zone and the source table."""

    backlog: Backlog
    listed: LandingZone
    table_error: str | None  # why the last query of the source table failed
    side_files: int  # keys in the landing zone that are left out
    notices: list[str]  # for your information: no work


def of_page(connection: Connection, page: Sequence[FileVersion]) -> Known:
    """What is known of listed versions."""
    unsettled = entries.unsettled(connection, page)
    connection.rollback()
    return Known(unsettled=unsettled)


def of_ledger(connection: Connection, settings: Settings, tables: Iterable[str], *buckets: str) -> Known:
    """What the ledger knows without a listing: of the days of some tables, and of failing files in some buckets or, if
    none is named, in all."""
    calendar = Calendar.of(settings)
    return Known(
        failing=entries.failing(connection, *buckets),
        redeclared_table=entries.redeclared(connection, TABLE),
        outdated=[file.version for file in active.outdated(connection, calendar.zone)],
        zone=calendar.zone,
        stale_rejects=[item for items in active.stale_files(connection, "rejected_orders") for item in items],
        days={table: staleness.due_days(connection, table, calendar) for table in tables},
    )


def survey(connection: Connection, s3: S3Resource, settings: Settings, listed: LandingZone | None = None) -> Survey:
    """Survey the landing zone and the ledger. `listed`: by an earlier listing, instead of a new one. Of its files, only
    those that were not settled then are looked up again.

    Raises:
        ServiceUnavailableError: S3 did not answer.
    """
    listed = listed or _list(connection, s3)
    known = replace(
        of_ledger(connection, settings, UPSTREAM),
        unsettled=of_page(connection, listed.unsettled).unsettled,
        vanished=entries.vanished(connection, s3.bucket, listed.keys),
        reported_side_files=[version.key for version in side_files.reported(connection, s3)],
    )
    left = backlog(known)
    return Survey(
        backlog=left,
        listed=listed,
        table_error=table_trouble(connection),
        side_files=len(listed.side_keys - {*side_files.active_keys(connection, s3)}),
        notices=notices.of_landing_zone(connection, s3, settings, is_settled=not left.load),
    )


def _list(connection: Connection, s3: S3Resource) -> LandingZone:
    keys, side_keys, unsettled = set[str](), set[str](), list[FileVersion]()
    sources = declarations.current(connection)
    for page in s3.list_pages():
        unsettled += [version for version, _ in of_page(connection, page).unsettled]
        keys.update(version.key for version in page)
        side_keys.update(version.key for version in page if version.is_side_file or sources.ignores(version.key))
    return LandingZone(frozenset(keys), frozenset(side_keys), unsettled)
