"""S3 clients, and which errors are outages of S3."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

import boto3
import botocore.session
import botocore.utils
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from orders_pipeline.errors import ArchivedError, ObjectChangedError, ServiceUnavailableError, SettingsError
from orders_pipeline.settings import Settings
from orders_pipeline.storage import embedded, s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ARCHIVES: Final = {"GLACIER", "DEEP_ARCHIVE"}  # GLACIER_IR is read like any other class
MAY_BE_ARCHIVED: Final = _ARCHIVES | {"INTELLIGENT_TIERING"}

_PATIENT: Final = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=10, read_timeout=60)
# For sensor ticks, which Dagster ends after a minute: fail earlier, and report that S3 does not answer.
_HURRIED: Final = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=8)


def landing_client(settings: Settings, *, hurried: bool = False) -> "S3Client":
    """The client for the landing zone. Starts the embedded server if no bucket is configured.

    `hurried`: give up if the server does not answer within half a minute.

    Raises:
        SettingsError: an endpoint without a bucket, or settings that AWS's client refuses.
    """
    if settings.s3_bucket is not None:
        try:
            return client_for(settings.s3_endpoint_url, False, hurried)
        except (ValueError, BotoCoreError) as error:
            known = s3_errors.problem(error, settings.s3_bucket, "ORDERS_S3_BUCKET")
            places = "the AWS settings" if settings.s3_endpoint_url is None else "ORDERS_S3_ENDPOINT_URL"
            raise SettingsError(known or f"There is no S3 client for {places}: {str(error).rstrip('.')}.") from error
    if settings.s3_endpoint_url is not None:
        raise SettingsError(
            "ORDERS_S3_ENDPOINT_URL is set without ORDERS_S3_BUCKET: set it to the bucket of the landing zone."
        )
    return client_for(embedded.s3_endpoint(settings.home), True, hurried)


@lru_cache(maxsize=8)
def client_for(endpoint: str | None, embedded_server: bool, hurried: bool = False) -> "S3Client":
    """The S3 client of this process for an endpoint. It finds credentials in the usual AWS ways."""
    config = _HURRIED if hurried else _PATIENT
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_timestamp)
    core.get_component("event_emitter").register_first("before-parse.*.ListObjectsV2", _take_objects)
    session = boto3.Session(botocore_session=core)
    if not embedded_server:
        return session.client("s3", endpoint_url=endpoint, config=config)
    return session.client(
        "s3",
        endpoint_url=endpoint,
        config=config,
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106 - our own server accepts any
        region_name="us-east-1",
    )


def _take_objects(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take the objects out of a listing before botocore parses it: its generic parser would take most of a tick. A
    successful response that is not a listing becomes an error, so that it does not count as an empty listing."""
    try:
        with _no_collection():
            root = ElementTree.fromstring(response_dict["body"])  # noqa: S314 - botocore reads it in the same way
    except ElementTree.ParseError:
        root = ElementTree.Element("")
    namespace, _brace, name = root.tag.rpartition("}")
    if name != "ListBucketResult":
        if response_dict["status_code"] < 300:
            response_dict["status_code"] = 500
        return
    tag = f"{namespace}}}Contents" if namespace else "Contents"
    texts = ({child.tag.rpartition("}")[2]: child.text or "" for child in item} for item in root.findall(tag))
    customized_response_dict["Contents"] = [
        {name: read(text[name]) for name, read in _OBJECT.items() if name in text} for text in texts
    ]
    root[:] = [child for child in root if child.tag != tag]
    response_dict["body"] = ElementTree.tostring(root)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause garbage collection: thousands of new objects a page would make Python scan all of Dagster's each time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_timestamp(value: Any) -> datetime:
    """The same result as botocore's parser, which takes most of the time of a listing. Fast for the usual format."""
    if isinstance(value, str) and value.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return botocore.utils.parse_timestamp(value)


# The fields that are read of an object in a listing, and their parsers.
_OBJECT: Final[dict[str, Callable[[str], Any]]] = {
    "Key": str,
    "ETag": str,
    "Size": int,
    "LastModified": read_timestamp,
    "StorageClass": str,
}


def is_archived(head: Mapping[str, Any]) -> bool:
    """Whether an object must be restored before it can be read, according to the response to a HEAD."""
    in_archive = head.get("StorageClass") in _ARCHIVES or "ArchiveStatus" in head
    return in_archive and 'ongoing-request="false"' not in head.get("Restore", "")


@contextmanager
def outages(action: str, bucket: str, variable: str = "ORDERS_S3_BUCKET") -> Iterator[None]:
    """Separate outages from errors that concern the object itself. `variable`: what is set to the bucket.

    Raises:
        ObjectChangedError: the object is gone, or is another version.
        ArchivedError: the object must be restored first.
        ServiceUnavailableError: anything else. A mistake in a setting is the same sentence for every object.
    """
    try:
        yield
    except ClientError as error:
        if s3_errors.is_not_found(error):
            raise ObjectChangedError(
                f"Could not {action}: the object changed or disappeared in the meantime."
            ) from error
        code = s3_errors.code_of(error)
        if code == "InvalidObjectState":
            raise ArchivedError(f"Could not {action}: the object is archived.") from error
        said = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
        answered = s3_errors.problem(error, bucket, variable) or f"Could not {action}: S3 answered {code}: {said}."
        raise ServiceUnavailableError(answered) from error
    except (BotoCoreError, Boto3Error, HTTPClientError) as error:
        raise ServiceUnavailableError(
            s3_errors.problem(error, bucket, variable) or f"Could not {action}: {error}"
        ) from error
