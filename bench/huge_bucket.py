"""An S3 server whose bucket has as many objects as you like: it answers listings only, and stores nothing."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEYS = 200_000
PAGE = 1_000

LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>huge</Name><Prefix>landing/</Prefix>
<KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>
<NextContinuationToken>{last}</NextContinuationToken>{contents}</ListBucketResult>"""
OBJECT = (
    "<Contents><Key>landing/{number:06}.csv</Key><LastModified>2026-03-04T05:06:07.000Z</LastModified>"
    "<ETag>&quot;{number:032x}&quot;</ETag><Size>40</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
FAILURE = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>for a test</Message></Error>"


def key(number: int) -> str:
    """The key of an object."""
    return f"landing/{number:06}.csv"


class HugeBucket(ThreadingHTTPServer):
    """S3 as far as listing goes, with objects that exist in no memory. `fail` gives the error code that answers the
    n-th request for a page, if any."""

    daemon_threads = True

    def __init__(self, keys: int = KEYS) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys = keys
        self.asked: list[int] = []  # the number with which each page begins
        self.fail: Callable[[int], str | None] = lambda _: None

    def page(self, query: dict[str, list[str]]) -> str:
        """The page of the listing that a request asks for."""
        after = query.get("continuation-token") or query.get("start-after") or [""]
        first = int(after[0].removeprefix("landing/").removesuffix(".csv")) + 1 if after[0] else 0
        numbers = range(first, min(first + PAGE, self.keys))
        self.asked.append(first)
        return LISTING.format(
            count=len(numbers),
            more=str(first + PAGE < self.keys).lower(),
            last=key(first + PAGE - 1),
            contents="".join(OBJECT.format(number=number) for number in numbers),
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HugeBucket

    def do_GET(self) -> None:
        code = self.server.fail(len(self.server.asked))
        body = (FAILURE.format(code=code) if code else self.server.page(parse_qs(urlsplit(self.path).query))).encode()
        self.send_response(503 if code == "SlowDown" else 400 if code else 200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
