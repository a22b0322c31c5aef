"""Places on S3, and how they may be written in the environment and on the command line. Any other spelling would match
nothing, or create a local folder of that name, so it is refused with a message that shows what to write. No I/O."""

import re
from dataclasses import dataclass
from typing import Final

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?://)?")  # a single letter is a drive of Windows
_BUCKET_ARN: Final = re.compile(r"arn:aws[\w-]*:s3:::")
_ACCESS_POINT: Final = re.compile(r"arn:aws[\w-]*:s3[\w-]*:[\w-]*:\d+:")  # is a bucket to S3
_BUCKET_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,255}")  # as AWS's client takes it: old names have capitals
_QUOTES: Final = "\"'"
_ADDRESS: Final = re.compile(r"s3://((?:arn:aws[\w-]*:s3[\w-]*:[\w-]*:\d+:accesspoint/)?[^/]+)/(.*)", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """A folder of a bucket, its prefix with the final slash (the whole bucket: empty); or, without a slash, one key."""

    bucket: str
    prefix: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and not one key."""
        return not self.prefix or self.prefix.endswith("/")

    def holds(self, bucket: str, key: str) -> bool:
        """Whether a key is in this place."""
        return bucket == self.bucket and (key.startswith(self.prefix) if self.is_folder else key == self.prefix)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def place(value: str) -> Place:
    """The place that a full name means: `s3://bucket/folder/`, or `s3://bucket/key`. Nothing in the key is decoded.

    Raises:
        ValueError: it is no such name; the message says what to write.
    """
    if found := _ADDRESS.fullmatch(value):
        return Place(found[1], found[2])
    advice = f" Write {f'{value}/'!r} for the whole bucket." if re.fullmatch(r"s3://[^/]+", value) else ""
    raise ValueError(f"{value!r} is no full name like 's3://bucket/folder/' or 's3://bucket/folder/file.csv'.{advice}")


def landing_prefix(value: str) -> str:
    """A key prefix with its final slash; the root of the bucket, `/`, is the empty one.

    Raises:
        ValueError: it is no prefix of keys; the message says what to write.
    """
    _refuse_decoration(value)
    if found := _BUCKET_ARN.match(value) or _SCHEME.match(value):
        bucket, _, path = value[found.end() :].strip("/").partition("/")
        raise ValueError(
            f"{value!r} is an address, not a key prefix. Write {_folder(path)!r} here and"
            f" {bucket or 'the bucket'!r} in ORDERS_S3_BUCKET."
        )
    if value.startswith("/") and value != "/":
        raise ValueError(f"{value!r} begins with a slash, but keys do not. Write {_folder(value)!r}.")
    return value.removeprefix("/") if value == "/" else f"{value.removesuffix('/')}/"


def bucket(value: str) -> str:
    """A bucket's bare name, or the ARN of an access point.

    Raises:
        ValueError: it is neither; the message says what to write.
    """
    _refuse_decoration(value)
    if _ACCESS_POINT.match(value):
        return value
    address = _BUCKET_ARN.match(value) or _SCHEME.match(value)
    name, _, path = value[address.end() if address else 0 :].strip("/").partition("/")
    if not _BUCKET_NAME.fullmatch(name):
        raise ValueError(f"{value!r} is not a bucket name like 'my-bucket': lower-case letters, digits, dots, hyphens.")
    if name == value:
        return value
    where = f" here and {_folder(path)!r} in ORDERS_LANDING_PREFIX" if path else ""
    without = f", without {address[0]}" if address else ", without slashes"
    raise ValueError(f"{value!r} is not a plain bucket name. Write {name!r}{where or without}.")


def endpoint(value: str) -> str:
    """The URL of an S3 server.

    Raises:
        ValueError: it is no URL of HTTP; the message says what to write.
    """
    _refuse_decoration(value)
    if not re.match(r"https?://[^/]", value):
        raise ValueError("it does not begin with http:// or https:// and a host. Write it like 'http://minio:9000'.")
    return value


def lake(value: str) -> str:
    """`s3://bucket/prefix`, or a folder.

    Raises:
        ValueError: it is an address of another kind; the message says what to write.
    """
    _refuse_decoration(value)
    found = _BUCKET_ARN.match(value) or _SCHEME.match(value)
    if found is None or re.match(r"s3://[^/]", value):
        return value
    path = value[found.end() :].strip("/") or "my-bucket/lake"
    if found[0].lower().startswith(("s3", "arn")):
        raise ValueError(f"{value!r} is not an address like 's3://bucket/lake'. Write {f's3://{path}'!r}.")
    if found[1].lower() == "file":
        raise ValueError(f"{value!r} is a URL. Write a folder as its plain path: {f'/{path}'!r}.")
    raise ValueError(f"{value!r} is neither on S3 nor a folder. Write 's3://bucket/lake', or the path of a folder.")


def _folder(path: str) -> str:
    """What to write for the prefix of a path."""
    return f"{path.strip('/')}/" if path.strip("/") else "/"


def _refuse_decoration(value: str) -> None:
    """Files of variables keep what a shell would take away."""
    bare = value.strip().strip(_QUOTES).strip()
    if not bare:
        raise ValueError(f"{value!r} is blank. Set a value, or unset the variable.")
    if value != value.strip() or (value[0] == value[-1] and value[0] in _QUOTES):
        raise ValueError(f"{value!r} has spaces or quotes around it. Write {bare} without them.")
