"""A receiver of alerts on 127.0.0.1, which answers as it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orders_pipeline_tests.support.servers import free_port

SECRET_PATH = "/services/T0SECRET/B0SECRET"  # noqa: S105


@dataclass
class Receiver:
    """What came in. `status`: what it answers; `headers` go with it.

    `silence`: it does not answer before this is set, but for the beginning that `drips` byte by byte."""

    port: int
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drips: bytes = b""
    silence: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)  # method, path, body
    keys: list[str] = field(default_factory=list)  # of each request, by which a receiver can drop what it has

    def __post_init__(self) -> None:
        self.silence.set()

    @property
    def url(self) -> str:
        """Where it listens; all of it but the host is a secret."""
        return f"http://127.0.0.1:{self.port}{SECRET_PATH}"

    @property
    def told(self) -> list[str]:
        """The texts of the alerts that came in whole."""
        return [
            body["text"]
            for method, path, body in self.requests
            if (method, path) == ("POST", SECRET_PATH) and "text" in body
        ]

    @property
    def failures(self) -> list[str]:
        """The alerts of runs and checks that failed."""
        return [text for text in self.told if "failed: " in text.splitlines()[0]]


@contextmanager
def receiving(receiver: Receiver) -> Iterator[None]:
    """It listens, for as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.keys.append(self.headers.get("Idempotency-Key", ""))
            receiver.requests.append((self.command, self.path, json.loads(body or b"{}")))
            if not receiver.silence.is_set():
                self._keep_silent()
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def _keep_silent(self) -> None:
            self.wfile.write(receiver.drips)
            while receiver.drips and not receiver.silence.wait(0.02):
                self.wfile.write(b"x")
            receiver.silence.wait()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is no error."""

    with Server(("127.0.0.1", receiver.port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            receiver.silence.set()
            server.shutdown()
            thread.join()


def closed() -> Receiver:
    """One that does not listen yet: connections to it are refused."""
    return Receiver(free_port())
