"""The lake: a folder or an S3 prefix of Parquet objects that are written once and never changed.

Object names are relative to the lake's root. An object that exists may be unused: only the ledger records which objects
count. The name of an object ends with its checksum, so that damage is noticed before the object is read.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import polars as pl
from botocore.exceptions import FlexibleChecksumError, NoCredentialsError

from orders_pipeline.errors import ObjectChangedError
from orders_pipeline.storage.checksum import Checksum
from orders_pipeline.storage.s3 import outages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SOURCES = "sources"  # applied declarations: kept for ever, and no objects of orders
_UNFINISHED = ".unfinished"
_FOLDERS = ("raw_orders", "cleaned_orders", "daily_orders", _UNFINISHED)
_CHECKS_AT_ONCE = 16
_CHUNK = 1 << 20
_UNREADABLE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EIO}  # not the whole lake, but one of its files


class Lake(Protocol):
    """A store of Parquet objects."""

    @property
    def uri(self) -> str:
        """The lake's root."""

    def write(self, folder: str, writer: Callable[[Path], object]) -> str:
        """Let `writer` fill a local file, store it as a new object in the folder, and return the object's name."""

    def scan(self, names: Sequence[str], **options: Any) -> pl.LazyFrame:
        """The rows of objects, read when you collect them."""

    def metadata(self, name: str) -> dict[str, str]:
        """The key-value metadata in an object's footer."""

    def objects(self, *folders: str) -> Iterator[str]:
        """The name of every object in these folders; without folders, of every object of orders, unfinished ones too.
        Leaves out objects of others."""

    def damaged(self, names: Iterable[str]) -> list[str]:
        """The names among these whose object is gone, or is not the one that was written: cut, altered or exchanged.
        Of objects that release 0.2 wrote, only whether their end is that of a Parquet file. An opened lake verifies
        each object once."""

    def delete(self, name: str) -> None:
        """Remove an object. A missing one is no error."""


def open_lake(uri: str, client: "Callable[[], S3Client]") -> Lake:
    """The lake at `s3://bucket/prefix` or in a folder. Calls `client` only for S3."""
    return S3Lake(uri, client()) if uri.startswith("s3://") else FolderLake(uri)


@dataclass(frozen=True)
class FolderLake:
    """Objects as files: written under a draft name, flushed to disk, renamed; then the new name is flushed too."""

    uri: str
    _verified: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def write(self, folder: str, writer: Callable[[Path], object]) -> str:
        draft = Path(self.uri) / _UNFINISHED / uuid4().hex
        for parent in (Path(self.uri) / folder, draft.parent):
            _make_folder(parent)
        try:
            writer(draft)
            with draft.open("rb+") as written:
                os.fsync(written.fileno())
            name = _name(folder, Checksum.of_file(draft))
            target = Path(self.uri) / name
            draft.replace(target)
            _flush_folder(target.parent)
        finally:
            draft.unlink(missing_ok=True)
        return name

    def scan(self, names: Sequence[str], **options: Any) -> pl.LazyFrame:
        return pl.scan_parquet([Path(self.uri) / name for name in names], glob=False, **options)

    def metadata(self, name: str) -> dict[str, str]:
        return pl.read_parquet_metadata(Path(self.uri) / name)

    def objects(self, *folders: str) -> Iterator[str]:
        root = Path(self.uri)
        found = (path for folder in folders or _FOLDERS for path in (root / folder).rglob("*") if path.is_file())
        return (path.relative_to(root).as_posix() for path in found)

    def damaged(self, names: Iterable[str]) -> list[str]:
        return _damaged(names, self._verified, self._is_damaged)

    def _is_damaged(self, name: str) -> bool:
        written, path = Checksum.in_name(name), Path(self.uri) / name
        try:
            if written is None:
                return not path.is_file() or _lacks_footer(self, name)
            return path.stat().st_size != written.size or Checksum.of_file(path) != written
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
            return True

    def delete(self, name: str) -> None:
        (Path(self.uri) / name).unlink(missing_ok=True)


def _name(folder: str, checksum: Checksum) -> str:
    return f"{folder}/{uuid4().hex}{checksum.suffix}"


def _damaged(names: Iterable[str], verified: set[str], is_damaged: Callable[[str], bool]) -> list[str]:
    """The damaged objects among these. Adds the others to `verified`, and does not look at them again."""
    unknown = [name for name in dict.fromkeys(names) if name not in verified]
    with ThreadPoolExecutor(_CHECKS_AT_ONCE) as threads:
        found = [name for name, damaged in zip(unknown, threads.map(is_damaged, unknown), strict=True) if damaged]
    verified.update(set(unknown).difference(found))
    return found


def _lacks_footer(lake: Lake, name: str) -> bool:
    """Whether the end of an object is not that of a Parquet file."""
    try:
        lake.metadata(name)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return True
    return False


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably: they survive a power failure."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    """Flush the list of a folder's names to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True)
class S3Lake:
    """Objects on S3, where a PUT is atomic."""

    uri: str
    client: "S3Client"
    _verified: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def write(self, folder: str, writer: Callable[[Path], object]) -> str:
        with tempfile.TemporaryDirectory(prefix="orders-lake-") as spool:
            draft = Path(spool) / "object"
            writer(draft)
            checksum = Checksum.of_file(draft)
            name = _name(folder, checksum)
            verified = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": checksum.for_s3}  # by S3, which keeps it
            with self._outages(f"put {self.uri}/{name}"):
                self.client.upload_file(str(draft), self._bucket, self._key(name), ExtraArgs=verified)
        return name

    def scan(self, names: Sequence[str], **options: Any) -> pl.LazyFrame:
        return pl.scan_parquet(
            [f"{self.uri}/{name}" for name in names],
            glob=False,
            storage_options=self._storage,
            credential_provider=self._credentials,
            **options,
        )

    def metadata(self, name: str) -> dict[str, str]:
        uri, options = f"{self.uri}/{name}", self._storage
        return pl.read_parquet_metadata(uri, storage_options=options, credential_provider=self._credentials)

    def objects(self, *folders: str) -> Iterator[str]:
        root, pages = self._key(""), self.client.get_paginator("list_objects_v2")
        for folder in folders or _FOLDERS:
            with self._outages(f"list {self.uri}/{folder}"):
                for page in pages.paginate(Bucket=self._bucket, Prefix=self._key(f"{folder}/")):
                    for item in page.get("Contents", []):
                        yield item["Key"].removeprefix(root)

    def damaged(self, names: Iterable[str]) -> list[str]:
        return _damaged(names, self._verified, self._is_damaged)

    def _is_damaged(self, name: str) -> bool:
        written, bucket, key = Checksum.in_name(name), self._bucket, self._key(name)
        try:
            with self._outages(f"check {self.uri}/{name}"):
                head = self.client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
                if written is None:
                    return _lacks_footer(self, name)
                if head["ContentLength"] != written.size:
                    return True
                if head.get("ChecksumCRC32") == written.for_s3:  # computed by S3 when it stored the object
                    return False
                content = self.client.get_object(Bucket=bucket, Key=key)["Body"]
                with suppress(FlexibleChecksumError):  # S3 returned other bytes than it stored
                    return Checksum.of(content.iter_chunks(_CHUNK)) != written
        except ObjectChangedError:
            pass
        return True

    def delete(self, name: str) -> None:
        with self._outages(f"delete {self.uri}/{name}"):
            self.client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def _outages(self, action: str) -> AbstractContextManager[None]:
        return outages(action, self._bucket, "ORDERS_LAKE_URI")

    @property
    def _bucket(self) -> str:
        return urlsplit(self.uri).netloc

    def _key(self, name: str) -> str:
        root = urlsplit(self.uri).path.strip("/")
        return f"{root}/{name}" if root else name

    @property
    def _storage(self) -> dict[str, str]:
        endpoint = self.client.meta.endpoint_url
        plain = {"aws_allow_http": "true"} if endpoint.startswith("http://") else {}
        return {"aws_endpoint_url": endpoint, "aws_region": self.client.meta.region_name, **plain}

    def _credentials(self) -> tuple[dict[str, str], int | None]:
        """The client's credentials, for Polars. The client finds them in the usual AWS ways."""
        with self._outages("find credentials for S3"):
            found = self.client._get_credentials()  # type: ignore[attr-defined]  # botocore has no public name for it
            if found is None:
                raise NoCredentialsError
            frozen = found.get_frozen_credentials()
        keys = {"aws_access_key_id": frozen.access_key, "aws_secret_access_key": frozen.secret_key}
        return keys | ({"aws_session_token": frozen.token} if frozen.token else {}), None
