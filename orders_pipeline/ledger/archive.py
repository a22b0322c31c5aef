"""Versions in an archive tier of S3, which cannot be read until someone restores them."""

from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import is_latest, is_version, version_of
from orders_pipeline.ledger.versions import ARCHIVED, FileVersion, Status

_UNTIL_RESTORED: Final = timedelta(hours=1)  # the least that S3 takes, and one HEAD an hour is cheap

_t: Final = landed_files.c


def is_archived(columns: Any) -> sa.ColumnElement[bool]:
    """Whether a row of `landed_files`, or of a query on it, is an archived version."""
    return sa.and_(columns.status == Status.IGNORED, columns.reason == ARCHIVED)


def wait_for_restore(connection: Connection, version: FileVersion, run_id: str) -> bool:
    """Ignore an archived version, and check it again in an hour. Its attempts do not count. False: it is active (it was
    being reprocessed), so it is left alone."""
    found = connection.execute(
        sa.update(landed_files)
        .where(*is_version(version), _t.active.is_(False))
        .values(
            status=Status.IGNORED,
            reason=ARCHIVED,
            message="Archived on S3: the file loads after you restore it.",
            attempts=0,
            next_attempt=sa.func.now() + _UNTIL_RESTORED,
            run_id=run_id,
            settled_at=sa.func.now(),
        )
        .returning(_t.id)
    )
    return found.one_or_none() is not None


def archived(connection: Connection) -> list[FileVersion]:
    """The latest versions that are archived, by key."""
    query = sa.select(landed_files).where(is_archived(_t), is_latest()).order_by(_t.key)
    return [version_of(row) for row in connection.execute(query)]
