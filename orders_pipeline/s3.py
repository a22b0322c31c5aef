"""S3 clients, and what counts as an outage of S3."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
import botocore.utils
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from orders_pipeline import embedded
from orders_pipeline.errors import ObjectChangedError, ServiceUnavailableError, SettingsError
from orders_pipeline.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_THAT_VERSION: Final = {"404", "NoSuchKey", "NotFound", "412", "PreconditionFailed"}


_PATIENT: Final = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=10, read_timeout=60)
# For a sensor's tick, which Dagster gives a minute: S3 is away before that is over, not the sensor.
_HURRIED: Final = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=8)


def landing_client(settings: Settings, *, hurried: bool = False) -> "S3Client":
    """The client for the landing zone; the embedded server is started if no bucket is configured.

    `hurried`: one that gives up on a server that does not answer within half a minute.

    Raises:
        SettingsError: an endpoint without a bucket.
    """
    if settings.s3_bucket is not None:
        try:
            return client_for(settings.s3_endpoint_url, False, hurried)
        except (ValueError, BotoCoreError) as error:
            raise SettingsError(f"No S3 client from ORDERS_S3_ENDPOINT_URL and the AWS settings: {error}.") from error
    if settings.s3_endpoint_url is not None:
        raise SettingsError(
            "ORDERS_S3_ENDPOINT_URL is set without ORDERS_S3_BUCKET: name the bucket of the landing zone."
        )
    return client_for(embedded.s3_endpoint(settings.home), True, hurried)


@lru_cache(maxsize=8)
def client_for(endpoint: str | None, embedded_server: bool, hurried: bool = False) -> "S3Client":
    """The one S3 client of this process for an endpoint; credentials come the usual AWS way."""
    config = _HURRIED if hurried else _PATIENT
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_timestamp)
    session = boto3.Session(botocore_session=core)
    if not embedded_server:
        return session.client("s3", endpoint_url=endpoint, config=config)
    return session.client(
        "s3",
        endpoint_url=endpoint,
        config=config,
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106 - any word will do for our own server
        region_name="us-east-1",
    )


def read_timestamp(value: Any) -> datetime:
    """What botocore reads from a timestamp. Its own parser takes any format, and most of the time of a listing."""
    if isinstance(value, str) and value.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return botocore.utils.parse_timestamp(value)


@contextmanager
def outages(action: str) -> Iterator[None]:
    """Tell outages from answers: what S3 says of the object itself is not an outage."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _NOT_THAT_VERSION:
            raise ObjectChangedError(f"Could not {action}: the object changed or disappeared meanwhile.") from error
        raise ServiceUnavailableError(f"Could not {action}: S3 answered {code}: {error}") from error
    except (BotoCoreError, Boto3Error, HTTPClientError) as error:
        raise ServiceUnavailableError(f"Could not {action}: {error}") from error
