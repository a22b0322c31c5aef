"""Notices for `sync`, `status` and the sensor: no errors, but perhaps not what the sender meant."""

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import Connection

from orders_pipeline.landing import side_files
from orders_pipeline.ledger import archive, keys
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.settings import Settings
from orders_pipeline.text import shortened

if TYPE_CHECKING:
    from orders_pipeline.resources import S3Resource

_NAMED_BY: Final = {"s3_bucket", "landing_prefix"}


def of_landing_zone(connection: Connection, s3: "S3Resource", settings: Settings, *, is_settled: bool) -> list[str]:
    """The notices about the landing zone. `is_settled`: a complete listing showed nothing pending."""
    found = [starts_later(settings), nothing_landed(connection, s3, settings) if is_settled else None]
    waiting = archive.archived(connection)
    found.append(archived(waiting) if waiting else None)
    found.append(_active_side_files(side_files.active_keys(connection, s3)))
    return [sentence for sentence in found if sentence]


def starts_later(settings: Settings) -> str | None:
    """The notice for a first day that is yet to come: no day is due, so every table stays empty without an error."""
    if settings.start_date <= settings.today():
        return None
    return (
        f"ORDERS_START_DATE is {settings.start_date}, after today: no day is built before then, and no order counts."
        " Set it to the first day that you want to see."
    )


def nothing_landed(connection: Connection, s3: "S3Resource", settings: Settings) -> str | None:
    """The notice for a complete listing without anything pending, if nothing was ever loaded from there: the landing
    zone may be new, or a wrong one. The embedded bucket is never wrong."""
    if not settings.model_fields_set & _NAMED_BY or keys.knows_any(connection, s3.bucket, s3.prefix):
        return None
    return (
        f"No file has landed under s3://{s3.bucket}/{s3.prefix} yet. If some should have, check ORDERS_S3_BUCKET and"
        " ORDERS_LANDING_PREFIX: keys are case-sensitive."
    )


def archived(versions: Sequence[FileVersion]) -> str:
    """The notice about all archived files; there is at least one."""
    example = versions[0]
    return (
        f"Archived on S3 and not readable: {shortened([version.key for version in versions])}"
        f" ({len(versions)} in all). Their orders are in no table, or come from an earlier version. Restore them, for"
        f" example `aws s3api restore-object --bucket {quote(example.bucket)} --key {quote(example.key)}"
        " --restore-request Days=7`. They are loaded within an hour after that, or at once by `orders-pipeline sync`."
        " If you do not need one, `orders-pipeline retract KEY...` takes it off this list, and removes the orders of"
        " its earlier versions too."
    )


def _active_side_files(found: Sequence[str]) -> str | None:
    if not found:
        return None
    return (
        f"Loaded files look like side files of other tools ({shortened(found)}): a part of the name begins with _ or a"
        " dot. If they hold no orders, remove them: `orders-pipeline retract KEY...` also accepts patterns like"
        " 'landing/_temporary/*'."
    )
