"""deploy/s3-policy.json: an S3 that refuses what the document does not allow serves all that the pipeline asks for, and
nothing in the document is there for no request. Requests are judged as they leave this process, Polars' own too."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import s3
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.storage import embedded
from orders_pipeline_tests.chaos.proxy import proxy_to
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.places import client_of

pytestmark = pytest.mark.e2e

POLICY = json.loads((Path(__file__).parents[2] / "deploy/s3-policy.json").read_text())


@dataclass
class Gate:
    """What the document says of each request; what it granted, and what it refused."""

    bucket: str
    granted: set[tuple[str, str]] = field(default_factory=set)  # the statement's name, the action
    refused: list[str] = field(default_factory=list)
    unlucky: str = "nothing"  # requests that hold this are refused besides

    def refuses(self, request: str) -> bool:
        """Whether the document lacks a right that the request needs."""
        grants = [self._grant(*right) for right in rights_of(request)]
        if None in grants or self.unlucky in request:
            self.refused.append(request)
            return True
        self.granted.update(grant for grant in grants if grant)
        return False

    def _grant(self, action: str, key: str, prefix: str) -> tuple[str, str] | None:
        resource = f"arn:aws:s3:::{self.bucket}" + (f"/{key}" if key else "")
        for statement in POLICY["Statement"]:
            places = [place.replace("my-bucket", self.bucket) for place in listed(statement["Resource"])]
            prefixes = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", ["*"])
            if (
                action in listed(statement["Action"])
                and any(fnmatchcase(resource, place) for place in places)
                and any(fnmatchcase(prefix, pattern) for pattern in prefixes)
            ):
                return statement["Sid"], action
        return None


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def rights_of(request: str) -> list[tuple[str, str, str]]:
    """The rights that S3 asks for: action, key, and the prefix by which it judges a listing. To be told that an object
    is missing, and not that it is forbidden, one needs the right to list it."""
    method, _, address = request.partition(" ")
    place = urlsplit(address)
    query = parse_qs(place.query, keep_blank_values=True)
    key = unquote(place.path).lstrip("/").partition("/")[2]
    if not key:
        return [("s3:ListBucket" if method == "GET" else f"{method} of a bucket", "", query.get("prefix", [""])[0])]
    if method in ("GET", "HEAD"):
        return [("s3:GetObject", key, ""), ("s3:ListBucket", "", key)]
    if method == "DELETE":
        return [("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", key, "")]
    return [("s3:PutObject", key, "")]


@pytest.fixture
def gate(pipeline: Pipeline, services: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The pipeline's S3, landing zone and lake, is behind the gate."""
    with proxy_to(embedded.s3_endpoint(services)) as (proxy, endpoint):
        found = Gate(bucket)
        proxy.refuses = found.refuses
        monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("ORDERS_LAKE_URI", f"s3://{bucket}/lake")
        yield found


def land(services: Path, bucket: str, key: str, *rows: str) -> None:
    """As a sender does, who has rights of its own."""
    content = "\n".join([HEADER, *rows, ""])
    client_of(services).put_object(Bucket=bucket, Key=f"landing/{key}", Body=content.encode())


def test_the_document_allows_what_the_pipeline_does_and_no_more(
    gate: Gate, pipeline: Pipeline, services: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    senders = client_of(services)
    land(services, bucket, "a.csv", "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    land(services, bucket, "it's +%.csv", "1,ann,2.00,2026-03-05")
    assert pipeline.sync().is_complete
    land(services, bucket, "a.csv", "3,bob,3.00,2026-03-04")
    config = {"ops": {"raw_orders": {"config": {"s3_keys": ["landing/a.csv", "landing/gone.csv"]}}}}
    assert not pipeline.run("s3_arrival", config=config).success  # no such key was there: nothing is loaded
    assert pipeline.sync().is_complete
    assert pipeline.orders() == pipeline.orders("daily_orders") != {}

    monkeypatch.setenv("ORDERS_VACUUM_AGE", "0s")
    for command in (["vacuum"], ["vacuum"], ["recover"], ["retry", "--loaded", "landing/a.csv"], ["status"]):
        called = CliRunner().invoke(main, command)
        assert called.exit_code == 0, called.output
    for item in senders.list_objects_v2(Bucket=bucket, Prefix="lake/")["Contents"]:  # a lake that is lost
        senders.delete_object(Bucket=bucket, Key=item["Key"])
    assert CliRunner().invoke(main, ["recover"]).exit_code == 0
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("3.00", 1), "2026-03-05": ("2.00", 1)}

    large = 9 << 20  # is put in parts
    s3.lake().write("raw_orders", lambda path: path.write_bytes(bytes(large)))
    assert gate.refused == []
    gate.unlucky = "partNumber=2"
    with pytest.raises(ServiceUnavailableError, match="may not write to the bucket"):
        s3.lake().write("raw_orders", lambda path: path.write_bytes(bytes(large)))
    assert gate.granted == {
        (statement["Sid"], action) for statement in POLICY["Statement"] for action in listed(statement["Action"])
    }
    assert "Uploads" not in senders.list_multipart_uploads(Bucket=bucket)


def test_what_the_pipeline_never_does_is_refused(gate: Gate, bucket: str, tmp_path: Path) -> None:
    client, file = s3.client(), tmp_path / "file"
    file.write_text("mine")
    attempts = [
        lambda: client.delete_object(Bucket=bucket, Key="landing/a.csv"),
        lambda: client.put_object(Bucket=bucket, Key="landing/a.csv", Body=b"mine"),
        lambda: s3.upload(file, "landing/a.csv"),
        lambda: client.get_object(Bucket=bucket, Key="payroll/march.csv"),
        lambda: client.put_object(Bucket=bucket, Key="lake.txt", Body=b"mine"),
        lambda: client.list_objects_v2(Bucket=bucket),
        lambda: client.list_objects_v2(Bucket=bucket, Prefix="payroll/"),
        lambda: client.delete_bucket(Bucket=bucket),
        lambda: client.list_buckets(),
    ]
    for number, attempt in enumerate(attempts, start=1):
        with pytest.raises(Exception, match=r"AccessDenied|Forbidden|403|may not write"):
            attempt()
        assert len(gate.refused) == number
