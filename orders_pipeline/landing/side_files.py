"""Keys of the landing zone that are left out: side files of other tools (`versions.is_side_file`), and keys that their
source ignores. The ledger may know some, from an earlier release or declaration."""

from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import Connection

from orders_pipeline.landing.ingest import Ingest
from orders_pipeline.ledger import declarations, files, keys
from orders_pipeline.ledger.versions import FileVersion, Status, is_side_file

if TYPE_CHECKING:
    from orders_pipeline.resources import S3Resource
    from orders_pipeline.sources.declaration import Sources

SIDE_FILE: Final = "side_file"  # why the ledger ignores a version
WHY: Final = "a part of its name below the landing prefix begins with _ or ., as the side files of other tools do"


def why_left_out(key: str, prefix: str, sources: "Sources") -> str | None:
    """Why a key is left out; None: it is not."""
    if is_side_file(key, prefix):
        return WHY
    return f"the source {sources.of_key(key).name!r} ignores it" if sources.ignores(key) else None


def active_keys(connection: Connection, s3: "S3Resource") -> list[str]:
    """The active keys that are left out. They stay active until they are retracted."""
    sources = declarations.current(connection)
    found = keys.active_with_side_names(connection, s3.bucket, sources.ignored)
    return [key for key in found if why_left_out(key, s3.prefix, sources)]


def reported(connection: Connection, s3: "S3Resource") -> list[FileVersion]:
    """Quarantined and failing versions of keys that are left out and not active."""
    sources = declarations.current(connection)
    found = keys.unloaded_with_side_names(connection, s3.bucket, sources.ignored)
    return [version for version in found if why_left_out(version.key, s3.prefix, sources)]


def ignore_reported(ingest: Ingest, s3: "S3Resource") -> None:
    """Take versions off the reports that were quarantined or left failing before their keys were left out. One that its
    source ignores is forgotten: it is new if a later declaration names it."""
    versions = reported(ingest.connection, s3)
    with ingest.transaction():
        for version in versions:
            why = why_left_out(version.key, s3.prefix, ingest.sources)
            ingest.log.info("%s is left out: %s.", version.key, why)
            if why != WHY:
                files.forget(ingest.connection, version.bucket, version.key, Status.QUARANTINED)
                files.forget_unread(ingest.connection, version.bucket, version.key)
                continue
            files.settle(
                ingest.connection, version, Status.IGNORED, SIDE_FILE, f"Left out: {WHY}.", ingest.run_id, attempts=0
            )
