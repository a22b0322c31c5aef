"""Why S3 refused or did not answer, and what to do: one sentence for each mistake in a setting. No I/O.

The sentences name the bucket and no object, so that all files that meet the same mistake say the same."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from boto3.exceptions import Boto3Error
from botocore import exceptions as botocore
from botocore.exceptions import ClientError

from orders_pipeline.text import printable

_NOT_FOUND: Final = {"404", "NoSuchKey", "NotFound", "412", "PreconditionFailed"}
_DENIED: Final = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem", "UnauthorizedAccess"}
_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "RequestExpired"}
_OTHER_REGION: Final = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "301",
    "IllegalLocationConstraintException",
}
_OF_PROXIES: Final = {"502", "503", "504"}
_RIGHTS: Final = {
    "ListObjectsV2": ("list", "s3:ListBucket"),
    "GetObject": ("read objects of", "s3:GetObject"),
    "HeadObject": ("read objects of", "s3:GetObject and s3:ListBucket"),
    "PutObject": ("write to", "s3:PutObject"),
    "CreateMultipartUpload": ("write to", "s3:PutObject"),
    "UploadPart": ("write to", "s3:PutObject"),
    "DeleteObject": ("delete objects of", "s3:DeleteObject"),
}
_GIVE: Final = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role"
_ENDPOINT: Final = "ORDERS_S3_ENDPOINT_URL"


def is_not_found(error: ClientError) -> bool:
    """Whether S3 says that there is no such version of an object."""
    return error.operation_name != "ListObjectsV2" and code_of(error) in _NOT_FOUND


def code_of(error: ClientError) -> str:
    """S3's code; the HTTP status, if what answered has no code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def problem(error: Exception, bucket: str, variable: str) -> str | None:
    """What is wrong and what to do; None: it is no mistake in a setting.

    Args:
        bucket: the one that was asked for.
        variable: what is set to it.
    """
    if isinstance(error, Boto3Error) and isinstance(error.__context__, ClientError):  # of an upload
        error = error.__context__
    found = (
        _of_answer(error, bucket, variable) if isinstance(error, ClientError) else _of_client(error, bucket, variable)
    )
    return None if found is None else printable(found)


def _of_answer(error: ClientError, bucket: str, variable: str) -> str | None:
    code = code_of(error)
    if code == "NoSuchBucket":
        case = "" if bucket == bucket.lower() else " Names of buckets are in lower case."
        return f"There is no bucket {bucket!r}. Create it, or correct {variable}.{case}"
    if code == "InvalidBucketName":
        return f"{bucket!r} cannot be the name of a bucket. Correct {variable}."
    if code == "InvalidAccessKeyId":
        return "S3 does not know the access key id. Correct AWS_ACCESS_KEY_ID, or the AWS profile that is used."
    if code == "SignatureDoesNotMatch":
        return (
            "The secret key does not fit the access key id. Correct AWS_SECRET_ACCESS_KEY, or the AWS profile that is"
            " used."
        )
    if code in _EXPIRED:
        return "The AWS credentials have expired. Log in again, or renew AWS_SESSION_TOKEN."
    if code == "RequestTimeTooSkewed":
        return "The clock of this machine differs too much from that of S3. Set it right."
    if code in _DENIED:
        return _denied(error, bucket, variable)
    if code in _OTHER_REGION:
        region = _region(error)
        where = f"in the region {region}" if region else "in another region"
        return f"The bucket {bucket!r} is {where}. Set AWS_DEFAULT_REGION to it, or correct {_ENDPOINT}."
    if (code.isdigit() or not code) and error.operation_name != "HeadObject" and code not in _OF_PROXIES:
        return f"What answered is no S3 server (status {code or 'unknown'}). Correct {_ENDPOINT}."
    return None


def _denied(error: ClientError, bucket: str, variable: str) -> str:
    verb, right = _RIGHTS.get(error.operation_name, ("use", "the rights"))
    said = str(error.response.get("Error", {}).get("Message", "")).strip().rstrip(".")
    quoted = f" ({said})" if " " in said and said.lower() != "access denied" else ""
    return (
        f"The AWS credentials may not {verb} the bucket {bucket!r}{quoted}. Grant {right} (docs/security.md), or"
        f" correct {variable} or the credentials."
    )


def _region(error: ClientError) -> str | None:
    said: Mapping[str, Any] = error.response.get("Error", {})
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    expected = re.search(r"expecting '([\w-]+)'", str(said.get("Message", "")))
    found = said.get("Region") or headers.get("x-amz-bucket-region") or (expected and expected[1])
    return str(found) if found else None


def _of_client(error: Exception, bucket: str, variable: str) -> str | None:
    if isinstance(error, botocore.NoCredentialsError):
        return f"S3 needs credentials, and none are set. Set {_GIVE}."
    if isinstance(error, botocore.PartialCredentialsError):
        return f"The AWS credentials are incomplete: {error.kwargs['cred_var']} is missing. Set {_GIVE}."
    if isinstance(error, botocore.ProfileNotFound):
        return (
            f"There is no AWS profile {error.kwargs['profile']!r}. Correct AWS_PROFILE: `aws configure list-profiles`"
            " shows those that exist."
        )
    if isinstance(error, botocore.ParamValidationError) and "bucket name" in str(error):
        return f"{bucket!r} cannot be the name of a bucket. Correct {variable}."
    if isinstance(error, botocore.NoRegionError):
        return "S3 needs a region, and none is set. Set AWS_DEFAULT_REGION."
    if isinstance(error, botocore.SSLError):
        said = str(error.kwargs["error"])
        place = _host(error)
        return f"The TLS connection to {place} failed: {said}. Correct {_ENDPOINT} (http or https), or AWS_CA_BUNDLE."
    if isinstance(error, botocore.EndpointConnectionError | botocore.ConnectTimeoutError | botocore.ReadTimeoutError):
        return _unreachable(error)
    return None


def _unreachable(error: botocore.BotoCoreError) -> str:
    place = _host(error)
    if ".amazonaws.com" in place:
        return f"AWS cannot be reached at {place}. Check the network, its proxy, and AWS_DEFAULT_REGION."
    if re.search("resolve|Name or service not known|nodename", str(error.kwargs.get("error", ""))):
        return f"There is no host {urlsplit(place).hostname!r}. Correct {_ENDPOINT}."
    return f"No S3 server answers at {place}. Start it, or correct {_ENDPOINT}."


def _host(error: botocore.BotoCoreError) -> str:
    """Scheme, host and port of what was asked."""
    url = urlsplit(str(error.kwargs.get("endpoint_url", "")))
    return f"{url.scheme}://{url.netloc}"
