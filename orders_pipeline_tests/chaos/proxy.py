"""A proxy between the pipeline and S3 that fails, or refuses, when it is told to."""

import http.client
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
# What S3 says when it fails, by its own error codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
ANSWERS = {"InternalError": 500, "ServiceUnavailable": 503, "SlowDown": 503, "ExpiredToken": 400}
FAULTS = (*ANSWERS, "reset", "short body")


class Proxy:
    """Passes requests on to a server; from the n-th on, for as long as it is told to, answers with a fault. `refuses`:
    whether the sender of a request (`GET /bucket/key?query`) lacks the right to it."""

    def __init__(self, server: str) -> None:
        self.upstream = urlsplit(server).netloc
        self.refuses: Callable[[str], bool] = lambda _request: False
        self.fail("none", first=0, times=0)

    def fail(self, fault: str, *, first: int, times: int | None = None) -> None:
        """Let a fault begin with the n-th request from now, counted from 0; `times`: None for ever."""
        self.fault = fault
        self.failing = range(first, first + (1 << 60 if times is None else times))
        self.requests: list[str] = []
        self._numbers = itertools.count()

    def heal(self) -> None:
        """Pass everything on."""
        self.fail("none", first=0, times=0)

    def takes(self, request: str) -> bool:
        """Count a request; whether it is one to fail."""
        self.requests.append(request)
        return next(self._numbers) in self.failing


@contextmanager
def proxy_to(server: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy and its endpoint URL."""
    proxy = Proxy(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            faulty = proxy.takes(f"{self.command} {self.path}")
            if faulty and proxy.fault == "reset":
                # A linger of zero seconds makes close() send RST.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            if faulty and proxy.fault in ANSWERS:
                self._answer(
                    ANSWERS[proxy.fault], {"Content-Type": "application/xml"}, ERROR.format(code=proxy.fault).encode()
                )
                return
            if proxy.refuses(f"{self.command} {self.path}"):
                self._answer(403, {"Content-Type": "application/xml"}, ERROR.format(code="AccessDenied").encode())
                return
            status, headers, content = self._ask(body)
            self._answer(status, headers, content, short=faulty)

        def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            upstream = http.client.HTTPConnection(proxy.upstream, timeout=30)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            found = answer.status, dict(answer.getheaders()), answer.read()
            upstream.close()
            return found

        def _answer(self, status: int, headers: dict[str, str], content: bytes, *, short: bool = False) -> None:
            self.send_response(status)
            length = headers.pop("Content-Length", str(len(content))) if self.command == "HEAD" else str(len(content))
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if short else content)
            if short:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Silence."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield proxy, f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        served.server_close()
