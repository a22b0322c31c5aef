"""Each mistake in a setting of S3 is a sentence of its own, once, with the next step."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.errors import ServiceUnavailableError, SettingsError
from orders_pipeline.storage import s3 as storage
from orders_pipeline.storage.lake import S3Lake
from orders_pipeline_tests.support.command import call


@contextmanager
def answering(status: int, body: str, kind: str = "application/xml") -> Iterator[str]:
    """The endpoint of a server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body.encode())

        do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815 - http.server looks for these names

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def refused(code: str, message: str, more: str = "") -> str:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>'


@pytest.fixture(autouse=True)
def _my_shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    settings = {
        "ORDERS_S3_BUCKET": "shop",
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    storage.client_for.cache_clear()
    yield
    storage.client_for.cache_clear()  # clients of other tests have found other credentials


def listed() -> str:
    with pytest.raises((ServiceUnavailableError, SettingsError)) as said:
        list(s3.list_pages())
    assert "hunter2" not in str(said.value)
    return str(said.value)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, refused("NoSuchBucket", "No"), "There is no bucket 'shop'. Create it, or correct ORDERS_S3_BUCKET."),
        (403, refused("InvalidAccessKeyId", "No"), "S3 does not know the access key id. Correct AWS_ACCESS_KEY_ID"),
        (403, refused("SignatureDoesNotMatch", "No"), "Correct AWS_SECRET_ACCESS_KEY"),
        (400, refused("ExpiredToken", "The token has expired."), "The AWS credentials have expired."),
        (403, refused("RequestTimeTooSkewed", "No"), "The clock of this machine"),
        (403, refused("AccessDenied", "Access Denied"), "may not list the bucket 'shop'. Grant s3:ListBucket"),
        (403, refused("AccessDenied", "User: x is not authorized"), "(User: x is not authorized). Grant s3:ListBucket"),
        (400, refused("AuthorizationHeaderMalformed", "expecting 'eu-north-1'"), "Set AWS_DEFAULT_REGION"),
        (400, refused("PermanentRedirect", "No", "<Region>eu-north-1</Region>"), "is in the region eu-north-1."),
        (400, refused("InvalidBucketName", "No"), "'shop' cannot be the name of a bucket. Correct ORDERS_S3_BUCKET."),
        (404, "not here", "What answered is no S3 server (status 404). Correct ORDERS_S3_ENDPOINT_URL."),
        (400, "This is a TLS port", "What answered is no S3 server (status 400)"),
        (
            405,
            refused("MethodNotAllowed", "Never."),
            "Could not list s3://shop/landing/: S3 answered MethodNotAllowed: Never.",
        ),
    ],
)
def test_each_answer_is_a_sentence_of_its_own(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, told: str
) -> None:
    with answering(status, body) as endpoint:
        monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", endpoint)
        said = listed()

    assert told in said
    assert "An error occurred" not in said
    assert said.count("ORDERS_S3_BUCKET") <= 1


def test_a_bucket_in_upper_case_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(404, refused("NoSuchBucket", "No")) as endpoint:
        monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("ORDERS_S3_BUCKET", "Shop")

        assert listed().endswith("correct ORDERS_S3_BUCKET. Names of buckets are in lower case.")


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("AWS_ACCESS_KEY_ID", "", "S3 needs credentials, and none are set. Set AWS_ACCESS_KEY_ID and"),
        ("AWS_SECRET_ACCESS_KEY", "", "AWS_SECRET_ACCESS_KEY is missing"),
        ("AWS_PROFILE", "nope", "There is no AWS profile 'nope'. Correct AWS_PROFILE"),
        ("ORDERS_S3_ENDPOINT_URL", "http://no-such-host.invalid:9000", "There is no host 'no-such-host.invalid'."),
        ("ORDERS_S3_ENDPOINT_URL", "http://127.0.0.1:1", "No S3 server answers at http://127.0.0.1:1"),
    ],
)
def test_each_missing_or_wrong_setting_is_a_sentence_of_its_own(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, told: str
) -> None:
    monkeypatch.setattr(storage, "_PATIENT", storage._HURRIED)
    monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    if value:
        monkeypatch.setenv(setting, value)
    else:
        monkeypatch.delenv(setting)

    assert told in listed()


def test_an_upload_and_the_lake_say_what_is_wrong_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("order_id\n")
    with answering(404, refused("NoSuchBucket", "No")) as endpoint:
        monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", endpoint)

        shown = call("land", str(file))
        with pytest.raises(ServiceUnavailableError) as said:
            S3Lake("s3://lake/orders", s3.client()).write("raw_orders", lambda path: path.write_bytes(b"x"))

    assert shown.output == "Error: There is no bucket 'shop'. Create it, or correct ORDERS_S3_BUCKET.\n"
    assert str(said.value) == "There is no bucket 'lake'. Create it, or correct ORDERS_LAKE_URI."
