"""Versions that S3 has to restore from an archive before they can be read."""

from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.models import landed_files
from orders_pipeline.ledger.records import is_latest, is_version, version_of
from orders_pipeline.ledger.versions import ARCHIVED, FileVersion, Status

_UNTIL_RESTORED: Final = timedelta(hours=1)  # what S3 takes at best, and a HEAD each is little

_t: Final = landed_files.c


def is_archived(columns: Any) -> sa.ColumnElement[bool]:
    """Whether a row, of `landed_files` or a query of it, is of such a version."""
    return sa.and_(columns.status == Status.IGNORED, columns.reason == ARCHIVED)


def wait_for_restore(connection: Connection, version: FileVersion, run_id: str) -> bool:
    """Ignore a version that is archived, and look at it again in an hour. False: it counts, and was to be read again.
    Its attempts were none."""
    found = connection.execute(
        sa.update(landed_files)
        .where(*is_version(version), _t.active.is_(False))
        .values(
            status=Status.IGNORED,
            reason=ARCHIVED,
            message="Archived on S3: it is loaded after it has been restored.",
            attempts=0,
            next_attempt=sa.func.now() + _UNTIL_RESTORED,
            run_id=run_id,
            settled_at=sa.func.now(),
        )
        .returning(_t.id)
    )
    return found.one_or_none() is not None


def archived(connection: Connection) -> list[FileVersion]:
    """The latest versions that wait until S3 has restored them, by key."""
    query = sa.select(landed_files).where(is_archived(_t), is_latest()).order_by(_t.key)
    return [version_of(row) for row in connection.execute(query)]
