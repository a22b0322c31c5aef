"""The schemas come from migrations, agree with the code, and may be asked for by many at once."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from orders_pipeline.ledger import migrate as module
from orders_pipeline.ledger import staleness
from orders_pipeline.ledger.migrate import migrate
from orders_pipeline.ledger.models import metadata
from orders_pipeline.storage import embedded
from orders_pipeline.storage.postgres import engine_for


@pytest.fixture
def empty_database(services: Path) -> str:
    server = sa.make_url(embedded.postgres_url(services))
    name = f"empty_{uuid4().hex}"
    with engine_for(server.render_as_string(False)).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text(f"CREATE DATABASE {name}"))
    return server.set(database=name).render_as_string(False)


def differences(url: str) -> list[object]:
    with engine_for(url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_schemas": True, "version_table_schema": "ledger", "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))


def test_the_migrations_make_what_the_code_expects(empty_database: str) -> None:
    migrate(engine_for(empty_database))

    assert differences(empty_database) == []


def test_the_columns_that_others_rely_on(empty_database: str) -> None:
    migrate(engine_for(empty_database))
    query = sa.text(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'r'"
        " AND a.attnum > 0 ORDER BY c.relname, a.attnum"
    )
    with engine_for(empty_database).connect() as connection:
        columns = [tuple(row) for row in connection.execute(query)]

    assert columns == [
        ("daily_revenue", "order_date", "date"),
        ("daily_revenue", "revenue", "numeric(38,2)"),
        ("daily_revenue", "order_count", "bigint"),
        ("daily_revenue_partitioned", "order_date", "date"),
        ("daily_revenue_partitioned", "customer_id", "text"),
        ("daily_revenue_partitioned", "daily_spend", "numeric(38,2)"),
        ("rejected_orders", "source", "text"),
        ("rejected_orders", "row_number", "bigint"),
        ("rejected_orders", "reason", "text"),
        ("rejected_orders", "raw", "text"),
        ("rejected_orders", "bucket", "text"),
        ("rejected_orders", "rows", "bigint"),
    ]


def test_processes_that_start_at_once_all_find_it_done(empty_database: str) -> None:
    code = (
        "import sys; from orders_pipeline.storage.postgres import engine_for;"
        "from orders_pipeline.ledger.migrate import migrate; migrate(engine_for(sys.argv[1]))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, empty_database], stderr=subprocess.PIPE) for _ in range(4)]

    assert [process.communicate(timeout=60)[1] for process in started] == [b""] * 4
    assert [process.returncode for process in started] == [0] * 4
    assert differences(empty_database) == []


def test_older_code_works_on_a_ledger_that_newer_code_has_migrated(empty_database: str) -> None:
    engine = engine_for(empty_database)
    migrate(engine)
    with engine.begin() as transaction:
        transaction.execute(sa.text("UPDATE ledger.alembic_version SET version_num = 'from the future'"))
        transaction.execute(sa.text("ALTER TABLE ledger.order_days ADD COLUMN of_the_future text"))

    migrate(engine)

    with engine.begin() as connection:
        versions = connection.execute(sa.text("SELECT version_num FROM ledger.alembic_version")).scalars().all()
        assert versions == ["from the future"]
        staleness.bump_versions(connection, {date(2026, 3, 4)})
    with engine.connect() as connection:
        query = sa.text("SELECT day, of_the_future FROM ledger.order_days")
        assert [tuple(row) for row in connection.execute(query)] == [(date(2026, 3, 4), None)]


def test_a_migration_that_is_cut_short_leaves_nothing_behind(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module.command, "upgrade", die)
        with pytest.raises(KeyboardInterrupt):
            migrate(engine_for(empty_database))
    with engine_for(empty_database).connect() as connection:
        assert connection.execute(sa.text("SELECT to_regnamespace('ledger')")).scalar_one() is None

    migrate(engine_for(empty_database))
    assert differences(empty_database) == []


def test_the_figures_of_an_earlier_release_are_published(empty_database: str) -> None:
    engine = engine_for(empty_database)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA ledger"))
        config = module._config()
        config.attributes["connection"] = connection
        module.command.upgrade(config, "0003")
        connection.execute(
            sa.text(
                "INSERT INTO analytics.daily_revenue VALUES ('2026-03-05', -2.50, 2), ('2026-03-04', 1.00, 1);"
                "INSERT INTO ledger.built_days (asset, day, input, rows, rules, zone, run_id, built_at) VALUES"
                " ('daily_revenue', '2026-03-04', 'a', 1, 1, 'UTC', 'one', '2026-03-06Z'),"
                " ('daily_revenue', '2026-03-05', 'b', 1, 1, 'UTC', 'two', '2026-03-07Z'),"
                " ('daily_revenue', '2026-03-06', 'c', 0, 1, 'UTC', 'two', '2026-03-07Z'),"
                " ('cleaned_orders', '2026-03-04', '1', 1, 1, 'UTC', 'else', '2026-03-08Z')"
            )
        )

    migrate(engine)

    query = sa.text(
        "SELECT day::text, revenue::text, orders, cause, run_id, built_at::date::text FROM ledger.published"
    )
    with engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(query)] == [
            ("2026-03-04", "1.00", 1, "before this release", "one", "2026-03-06"),
            ("2026-03-05", "-2.50", 2, "before this release", "two", "2026-03-07"),
        ]
