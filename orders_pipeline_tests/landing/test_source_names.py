"""Columns and tables of the source may have any name."""

from pathlib import Path

import pytest

from orders_pipeline.landing.source_table import snapshot
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.source_tables import DAY, ORDERS, copied_rows, etags, execute, quoted, settings_of

NAMES = [
    "t",
    "day",
    "o",
    "orders",
    "a.b",
    "%",
    "%(x)s",
    ":x",
    'a "quoted" one',
    "Upper",
    "select",
    "hash",
    "[1]",
    "ROW",
]


@pytest.mark.parametrize("first", ["t", "[1]", "{a}", "PAR1"])
def test_a_column_may_have_any_name(pipeline: Pipeline, first: str) -> None:
    names = [first, *(name for name in NAMES if name != first)]
    execute(
        f"CREATE TABLE orders ({', '.join(f'{quoted(name)} text' for name in names)}, {ORDERS})",
        f"INSERT INTO orders (order_id, customer_id, amount, order_date, {quoted(first)})"
        f" VALUES ('1', 'ann', 10, '{DAY}', 'x'), ('2', 'ann', 20, '{DAY}', 'y')",
    )
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("30.00", 2)}

    execute("UPDATE orders SET amount = 1000 WHERE order_id = '1'")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1020.00", 2)}


@pytest.mark.parametrize("name", ["t", "a=b", "order_id", 'a "quoted" one', "%(x)s", "select"])
def test_a_column_of_an_order_may_have_any_name(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    url = environment["ORDERS_DATABASE_URL"]
    settings = settings_of(url).model_copy(update={"column_aliases": {name: "order_id"}})
    execute(
        f"CREATE TABLE orders ({ORDERS.replace('order_id', quoted(name))}, note text)",
        f"INSERT INTO orders VALUES ('1', 'ann', 10, '{DAY}', 'x')",
    )
    with snapshot(settings) as seen:
        before = etags(seen)
    execute(f"UPDATE orders SET {quoted(name)} = '2'")

    with snapshot(settings) as seen:
        assert etags(seen).keys() == before.keys()
        assert etags(seen) != before


def test_a_table_and_its_schema_may_have_any_name(environment: dict[str, str], tmp_path: Path) -> None:
    tables = ["t", "select", "Upper Case", "%(x)s", ":x", 'a "quoted" one', "pg_class"]
    for schema in ("public", "Upper", 'sch."ema', "%s"):
        execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        for table in tables:
            written = f"{quoted(schema)}.{quoted(table)}"
            execute(f"CREATE TABLE {written} ({ORDERS})", f"INSERT INTO {written} VALUES ('1', 'ann', 10, '{DAY}')")

            rows = copied_rows(environment["ORDERS_DATABASE_URL"], tmp_path, written)

            assert [row["order_id"] for row in rows] == ["1"], written


@pytest.mark.parametrize(
    "function",
    [
        "to_char(timestamp, text) RETURNS text",
        "isfinite(timestamp) RETURNS boolean",
        "count() RETURNS bigint",
    ],
)
def test_functions_of_the_users_are_not_taken_for_those_of_postgres(
    environment: dict[str, str], tmp_path: Path, function: str
) -> None:
    """Not even where the user's schemas come first in the search_path, as a view may need it."""
    execute(
        f"CREATE TABLE orders ({ORDERS})",
        f"INSERT INTO orders VALUES ('1', 'ann', 10, '{DAY}')",
        "CREATE SCHEMA ours",
        f"CREATE FUNCTION ours.{function} LANGUAGE sql AS 'SELECT NULL::{function.rpartition(' ')[2]}'",
        "CREATE FUNCTION ours.net(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1 - 1'",
        "CREATE FUNCTION ours.price(numeric) RETURNS numeric LANGUAGE plpgsql AS 'BEGIN RETURN net($1); END'",
        "CREATE VIEW ours.prices AS SELECT order_id, customer_id, ours.price(amount) AS amount, order_date FROM orders",
    )
    url = f"{environment['ORDERS_DATABASE_URL']}&options=-csearch_path%3Dours,pg_catalog,public"

    rows = copied_rows(url, tmp_path, "prices")
    assert [(row["order_id"], row["amount"]) for row in rows] == [("1", "9.00")]
    with snapshot(settings_of(url, "prices")) as seen:
        assert list(etags(seen)) == [f"table:orders/{DAY}"]
