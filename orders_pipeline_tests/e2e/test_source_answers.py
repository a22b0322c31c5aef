"""A source table that is absent, hides rows or is locked is reported; it retracts nothing, and files load meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.landing import source_table
from orders_pipeline.landing.source_name import parts_of, similar, written
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import tick

pytestmark = pytest.mark.e2e

DAY = "2026-03-04"
TABLE = "CREATE TABLE {} (order_id text, customer_id text, amount numeric(12,2), order_date date, tenant text)"


def make_table(pipeline: Pipeline, name: str = "orders") -> None:
    pipeline.execute(TABLE.format(name))
    pipeline.execute(f"INSERT INTO {name} VALUES ('1', 'ann', 1, '{DAY}', 'a'), ('2', 'bob', 2, '2026-03-05', 'b')")


def assert_reported(pipeline: Pipeline, *words: str) -> None:
    """A sync loads what landed and keeps what was taken; it, the status and the sensor tell of the table, each once."""
    before = pipeline.revenue()
    pipeline.land_rows("meanwhile.csv", "9,eve,9.00,2026-03-09")

    synced = CliRunner().invoke(main, ["sync"])

    assert synced.exit_code == 1, synced.output
    assert pipeline.revenue() == before | {"2026-03-09": ("9.00", 1)}
    status = pipeline.status()
    assert status.source_table_pending
    shown = CliRunner().invoke(main, ["status"]).output
    skipped = str(tick(pipeline, s3_arrival_sensor).skip_message)
    for said in (synced.output, status.source_table_error or "", shown, skipped):
        told = " ".join(said.split())
        assert [word for word in words if word not in told] == [], told
        assert told.count(words[0]) == 1, told


# Names


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("orders", ["orders"]),
        ("shop.Web Orders", ["shop", "Web Orders"]),
        ('"orders"', ["orders"]),
        ('"shop"."web.orders"', ["shop", "web.orders"]),
        ('shop."the ""best"" ones"', ["shop", 'the "best" ones']),
        ('"open', ['"open']),
        ('5" nails', ['5" nails']),
        ("shop.", ["shop", ""]),
    ],
)
def test_a_name_is_read_as_it_is_written_or_quoted_as_in_sql(text: str, parts: list[str]) -> None:
    assert parts_of(text) == parts
    assert parts_of(written(parts)) == parts


def test_similar_tables_are_those_of_another_case_or_schema_and_then_of_another_spelling() -> None:
    tables = [("public", "Orders"), ("shop", "orders"), ("shop", "order"), ("public", "customers"), ("a.b", "ORDERS")]

    assert similar(["orders"], tables) == ["public.Orders", "shop.orders", '"a.b".ORDERS', "shop.order"]
    assert similar(["ordres "], tables)[0] == "public.Orders"
    assert similar(["nothing like it"], tables) == []


@pytest.mark.parametrize(
    "name", ["Orders", "ordrs", "shop.orders", '"shop.orders"', "other.public.orders", "public.order"]
)
def test_a_table_that_is_named_and_not_there_is_an_error(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_table(pipeline)
    pipeline.sync()
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", name)

    assert_reported(pipeline, "There is no source table", "ORDERS_SOURCE_TABLE", name, "public.orders")


def test_a_database_that_is_named_and_has_no_table_is_an_error(
    pipeline: Pipeline, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_SOURCE_URL", environment["ORDERS_DATABASE_URL"])

    assert_reported(pipeline, "There is no source table", "ORDERS_SOURCE_URL", "ORDERS_SOURCE_TABLE")


@pytest.mark.parametrize(
    "made", ["CREATE SEQUENCE orders", "CREATE INDEX orders ON other (id)", "CREATE TYPE orders AS (i int)"]
)
def test_what_is_no_table_is_an_error(pipeline: Pipeline, made: str) -> None:
    pipeline.execute("CREATE TABLE other (id int)")
    pipeline.execute(made)

    assert_reported(pipeline, "Name a table or a view.", "ORDERS_SOURCE_TABLE")


@pytest.mark.parametrize(
    "name", ["Web.Orders", '"Web"."Orders"', 'Web."the ""best"" ones"', '"dotted.name"', '"Web"."dotted.name"']
)
def test_a_name_that_is_quoted_or_qualified_is_found(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    parts = parts_of(name)
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    pipeline.execute('CREATE SCHEMA "Web"')
    make_table(pipeline, quoted)
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", name)

    assert pipeline.sync().is_complete
    assert pipeline.revenue()[DAY] == ("1.00", 1)


@pytest.mark.parametrize("options", ["-csearch_path%3Dshop", "-c%20search_path%3Dshop,public", "--search_path%3Dshop"])
def test_a_search_path_of_the_url_is_followed(
    pipeline: Pipeline, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    make_table(pipeline)
    pipeline.execute("CREATE SCHEMA shop")
    make_table(pipeline, "shop.orders")
    pipeline.execute("UPDATE shop.orders SET amount = 100 WHERE order_id = '1'")
    monkeypatch.setenv("ORDERS_SOURCE_URL", f"{environment['ORDERS_DATABASE_URL']}&options={options}")

    assert pipeline.sync().is_complete
    assert pipeline.revenue()[DAY] == ("100.00", 1)


# Rows that are hidden

HIDING = {
    "a policy": ("other", []),
    "forced on the owner": ("reader", ["ALTER TABLE orders FORCE ROW LEVEL SECURITY"]),
    "below a view": (
        "other",
        [
            "ALTER TABLE orders RENAME TO hidden",
            "CREATE VIEW orders AS SELECT * FROM hidden",
            "ALTER VIEW orders OWNER TO {reader}",
        ],
    ),
}


@pytest.mark.parametrize("how", HIDING)
def test_a_table_that_hides_rows_is_an_error_and_retracts_nothing(
    pipeline: Pipeline, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    make_table(pipeline)
    owner, more = HIDING[how]
    with role(pipeline) as reader:
        if owner == "reader":
            pipeline.execute(f"ALTER TABLE orders OWNER TO {reader}")
        pipeline.execute(f"GRANT SELECT ON orders TO {reader}")
        url = sa.make_url(environment["ORDERS_DATABASE_URL"]).set(username=reader).render_as_string(False)
        monkeypatch.setenv("ORDERS_SOURCE_URL", url)
        assert pipeline.sync().is_complete
        assert len(pipeline.revenue()) == 2
        pipeline.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
        pipeline.execute(f"CREATE POLICY tenants ON orders FOR SELECT TO {reader} USING (tenant = 'a')")
        for statement in more:
            pipeline.execute(statement.format(reader=reader))

        assert_reported(pipeline, "row level security hides", "orders", "BYPASSRLS")


@contextmanager
def role(pipeline: Pipeline) -> Iterator[str]:
    """A user of the server that all tests share."""
    name = f"reader_{uuid4().hex}"
    pipeline.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    pipeline.execute(f"DROP OWNED BY {name}")
    pipeline.execute(f"DROP ROLE {name}")


# Locks


@contextmanager
def locked(pipeline: Pipeline, statement: str) -> Iterator[None]:
    """A statement of another session whose transaction stays open."""
    with pipeline.connect() as other:
        other.execute(sa.text(statement))
        yield


@pytest.mark.parametrize(
    "statement",
    ["LOCK TABLE orders IN ACCESS EXCLUSIVE MODE", "ALTER TABLE orders ADD COLUMN note text", "TRUNCATE orders"],
)
def test_a_locked_table_blocks_nothing(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    make_table(pipeline)
    pipeline.sync()
    monkeypatch.setattr(source_table, "_LOCK_SECONDS", 0.2)

    with locked(pipeline, statement):
        assert_reported(pipeline, "did not answer", "locked")
        assert CliRunner().invoke(main, ["recover"]).exit_code == 0

    assert pipeline.sync().is_complete
    assert not pipeline.status().source_table_pending


def test_a_status_does_not_ask_the_table(pipeline: Pipeline) -> None:
    """It tells what the last run found: a change since then is the next one's."""
    make_table(pipeline)
    pipeline.sync()
    pipeline.execute("UPDATE orders SET amount = 7 WHERE order_id = '1'")

    assert not pipeline.status().source_table_pending
    with locked(pipeline, "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"):
        assert not pipeline.status().source_table_pending
    assert pipeline.sync().runs > 0
    assert pipeline.revenue()[DAY] == ("7.00", 1)


@pytest.mark.parametrize("forbidden", ["SELECT ON Web.orders", "USAGE ON SCHEMA Web"])
def test_a_table_that_may_not_be_read_says_what_to_grant(
    pipeline: Pipeline, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    pipeline.execute("CREATE SCHEMA web")
    make_table(pipeline, "web.orders")
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", "web.orders")
    with role(pipeline) as reader:
        pipeline.execute(f"GRANT USAGE ON SCHEMA web TO {reader}; GRANT SELECT ON web.orders TO {reader}")
        url = sa.make_url(environment["ORDERS_DATABASE_URL"]).set(username=reader).render_as_string(False)
        monkeypatch.setenv("ORDERS_SOURCE_URL", url)
        pipeline.sync()
        pipeline.execute(f"REVOKE {forbidden} FROM {reader}")

        grant = f'GRANT USAGE ON SCHEMA "web" TO "{reader}"; GRANT SELECT ON "web"."orders" TO "{reader}";'
        assert_reported(
            pipeline, f'The source table "web"."orders" may not be read by the Postgres user {reader!r}', grant
        )

        pipeline.execute(grant)
        assert pipeline.sync().is_complete
