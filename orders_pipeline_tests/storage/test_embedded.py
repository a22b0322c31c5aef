"""Embedded servers: started on first need, once, shared, and their data outlives a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg2
import pytest

from orders_pipeline.errors import ServiceStartError, SettingsError
from orders_pipeline.storage import embedded


@pytest.fixture
def home() -> Iterator[Path]:
    """Not under pytest's folder: see conftest.services."""
    with TemporaryDirectory(prefix="orders-home-") as folder:
        yield Path(folder)
        embedded.stop(Path(folder))


def query(home: Path, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(embedded.postgres_url(home))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


_START = "import sys; from pathlib import Path; from orders_pipeline.storage import embedded; h = Path(sys.argv[1]);"
_START += "print(embedded.postgres_url(h), embedded.s3_endpoint(h))"


def test_two_processes_that_need_them_at_once_share_one_of_each(home: Path) -> None:
    starting = [
        subprocess.Popen([sys.executable, "-c", _START, str(home)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    urls = {process.communicate(timeout=60)[0] for process in starting}

    assert len(urls) == 1
    assert embedded.running(home) == ["postgres", "s3"]
    servers = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "moto.server" in " ".join(process.info["cmdline"] or [])
        and embedded.s3_endpoint(home).rsplit(":")[-1] in (process.info["cmdline"] or [])
    ]
    assert len(servers) == 1


def test_stop_stops_what_runs_and_says_so(home: Path) -> None:
    embedded.postgres_url(home)
    embedded.s3_endpoint(home)

    assert sorted(embedded.stop(home)) == ["postgres", "s3"]
    assert embedded.running(home) == []
    assert embedded.stop(home) == []


def test_a_session_stops_what_was_started_in_it_and_leaves_the_rest(home: Path) -> None:
    embedded.postgres_url(home)
    with embedded.session(home):
        embedded.s3_endpoint(home)

    assert embedded.running(home) == ["postgres"]


def test_data_survives_a_kill_of_postgres(home: Path) -> None:
    query(home, "CREATE TABLE kept AS SELECT 42 AS answer")
    server = postmaster(home)
    for process in [server, *server.children()]:
        process.send_signal(signal.SIGKILL)
    server.wait(10)

    assert query(home, "SELECT answer FROM kept") == [(42,)]


def test_a_pid_file_that_names_somebody_else_does_not_keep_it_from_starting(home: Path) -> None:
    query(home, "CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop(home)
    pid_file = home / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{home / 'postgres'}\n1\n5432\n{home / 'postgres'}\n\n  1 1\nready   \n")

    assert query(home, "SELECT answer FROM kept") == [(42,)]


def test_a_pid_file_cut_short_does_not_keep_it_from_starting(home: Path) -> None:
    query(home, "CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop(home)
    (home / "postgres" / "postmaster.pid").write_text("123")

    assert query(home, "SELECT answer FROM kept") == [(42,)]


def test_a_start_that_fails_shows_the_end_of_the_log(home: Path) -> None:
    query(home, "SELECT 1")
    embedded.stop(home)
    time.sleep(0.1)
    (home / "postgres" / "postgresql.conf").write_text("no_such_setting = on\n")

    with pytest.raises(ServiceStartError, match="no_such_setting") as caught:
        embedded.postgres_url(home)

    assert "ORDERS_DATABASE_URL" in str(caught.value)


def test_a_home_with_a_space_is_refused_with_a_reason(home: Path) -> None:
    with pytest.raises(SettingsError, match="space"):
        embedded.postgres_url(home / "my orders")


def test_an_s3_that_is_slow_to_answer_is_waited_for_and_not_replaced_by_an_empty_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = embedded.s3_endpoint(home)
    answers = [False, False, True]
    monkeypatch.setattr(embedded, "_answers", lambda _: answers.pop(0))

    assert embedded.s3_endpoint(home) == endpoint
    assert answers == []


def test_an_s3_that_answers_no_more_is_ended_before_another_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = embedded.s3_endpoint(home)
    hung = psutil.Process(json.loads((home / "s3.json").read_text())["pid"])
    answers = embedded._answers
    monkeypatch.setattr(embedded, "_answers", lambda there: there != endpoint and answers(there))
    monkeypatch.setattr(embedded, "_START_TIMEOUT", 5)

    assert embedded.s3_endpoint(home) != endpoint
    assert not hung.is_running()


def test_s3_forgets_its_objects_and_comes_back(home: Path) -> None:
    first = embedded.s3_endpoint(home)
    assert embedded.s3_endpoint(home) == first
    embedded.stop(home, ["s3"])

    assert embedded.s3_endpoint(home)
    assert embedded.running(home) == ["s3"]
