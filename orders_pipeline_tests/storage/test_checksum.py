"""The name of an object says which bytes it had when it was written."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.storage.checksum import Checksum
from orders_pipeline.storage.lake import FolderLake, Lake, S3Lake
from orders_pipeline_tests.support.driver import Pipeline

FRAME = pl.DataFrame({"order_id": [f"order {number}" for number in range(500)]})

Put = Callable[[str, bytes | None], None]


@pytest.fixture(params=["folder", "s3"])
def lake_and_put(request: pytest.FixtureRequest, pipeline: Pipeline, tmp_path: Path) -> tuple[Lake, Put]:
    """A lake, and what replaces the bytes of one of its objects."""
    if request.param == "folder":
        lake = FolderLake(str(tmp_path / "lake"))

        def put(name: str, content: bytes | None) -> None:
            path = Path(lake.uri) / name
            path.unlink()
            if content is not None:
                path.write_bytes(content)

        return lake, put
    client = s3.client()

    def put_on_s3(name: str, content: bytes | None) -> None:
        key = f"some/lake/{name}"
        if content is None:
            client.delete_object(Bucket=s3.bucket, Key=key)
        else:
            client.put_object(Bucket=s3.bucket, Key=key, Body=content)

    return S3Lake(f"s3://{s3.bucket}/some/lake", client), put_on_s3


def test_any_other_bytes_than_those_written_are_damage(lake_and_put: tuple[Lake, Put], tmp_path: Path) -> None:
    lake, put = lake_and_put
    FRAME.write_parquet(tmp_path / "written")
    content = (tmp_path / "written").read_bytes()

    def write() -> str:
        return lake.write("raw_orders", lambda path: shutil.copy(tmp_path / "written", path))

    places = [*range(0, len(content), len(content) // 9), len(content) - 1]
    damaged = {write(): content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in places}
    damaged |= {
        write(): content[:-1],
        write(): content + b"\0",
        write(): b"",
        write(): bytes(len(content)),
        write(): None,
    }
    intact = {write(): content, write(): bytes(bytearray(content))}

    for name, replacement in (damaged | intact).items():
        put(name, replacement)
    assert lake.damaged([*damaged, *intact, *damaged]) == list(damaged)


def test_an_object_of_release_0_2_is_damaged_if_it_has_no_footer(
    lake_and_put: tuple[Lake, Put], tmp_path: Path
) -> None:
    """Its name has no checksum."""
    lake, _ = lake_and_put
    FRAME.write_parquet(tmp_path / "written")
    content = (tmp_path / "written").read_bytes()
    names = {"raw_orders/good.parquet": content, "raw_orders/cut.parquet": content[:-10]}
    for name, old in names.items():
        if isinstance(lake, FolderLake):
            path = Path(lake.uri) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(old)
        else:
            s3.client().put_object(Bucket=s3.bucket, Key=f"some/lake/{name}", Body=old)

    assert lake.damaged([*names, "raw_orders/gone.parquet"]) == ["raw_orders/cut.parquet", "raw_orders/gone.parquet"]


def test_an_object_in_parts_is_verified_too(pipeline: Pipeline, tmp_path: Path) -> None:
    lake = S3Lake(f"s3://{s3.bucket}/some/lake", s3.client())
    content = os.urandom(9_000_000)
    name = lake.write("raw_orders", lambda path: path.write_bytes(content))
    head = s3.client().head_object(Bucket=s3.bucket, Key=f"some/lake/{name}", ChecksumMode="ENABLED")

    assert head["ChecksumCRC32"] == Checksum.of([content]).for_s3  # no second transfer is needed
    assert lake.damaged([name]) == []


def test_names_tell_their_checksum_and_older_ones_none() -> None:
    checksum = Checksum.of([b"123", b"", b"456789"])
    assert checksum == Checksum(9, 0xCBF43926)  # the check value of CRC-32
    assert Checksum.in_name(f"raw_orders/0d1c{checksum.suffix}") == checksum
    assert Checksum.in_name("raw_orders/4a5b0d1c.parquet") is None
