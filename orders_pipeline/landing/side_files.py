"""Side files of other tools (`versions.is_side_file`) in the ledger, from releases that still loaded them."""

from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import Connection

from orders_pipeline.landing.ingest import Ingest
from orders_pipeline.ledger import files, keys
from orders_pipeline.ledger.versions import FileVersion, Status, is_side_file

if TYPE_CHECKING:
    from orders_pipeline.resources import S3Resource

SIDE_FILE: Final = "side_file"  # why the ledger ignores a version
WHY: Final = "a part of its name below the landing prefix begins with _ or ., as the side files of other tools do"


def active_keys(connection: Connection, s3: "S3Resource") -> list[str]:
    """The keys of active side files. They stay active until they are retracted."""
    found = keys.active_with_side_names(connection, s3.bucket)
    return [key for key in found if is_side_file(key, s3.prefix)]


def reported(connection: Connection, s3: "S3Resource") -> list[FileVersion]:
    """Side files that are quarantined or failing, and not active."""
    found = keys.unloaded_with_side_names(connection, s3.bucket)
    return [version for version in found if is_side_file(version.key, s3.prefix)]


def ignore_reported(ingest: Ingest, s3: "S3Resource") -> None:
    """Take side files off the reports that an earlier release quarantined or left failing."""
    versions = reported(ingest.connection, s3)
    with ingest.transaction():
        for version in versions:
            ingest.log.info("%s is left out: %s.", version.key, WHY)
            files.settle(
                ingest.connection, version, Status.IGNORED, SIDE_FILE, f"Left out: {WHY}.", ingest.run_id, attempts=0
            )
