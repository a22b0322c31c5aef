"""Columns of the source table: a name is a name, whatever it is, and a value has one text, whatever its type."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from orders_pipeline.definitions import postgres
from orders_pipeline.landing.source_columns import SourceColumn
from orders_pipeline.landing.source_table import Snapshot, snapshot
from orders_pipeline.settings import Settings
from orders_pipeline_tests.support.driver import Pipeline

DAY = "2026-03-04"
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
ORDERS = "order_id text, customer_id text, amount numeric(18,2), order_date timestamp"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def execute(*statements: str) -> None:
    """Each statement as it is: in SQLAlchemy's own texts a colon begins a parameter."""
    with postgres.engine().begin() as transaction:
        cursor: Any = transaction.connection.cursor()
        for statement in statements:
            cursor.execute(statement)


def settings_of(url: str, table: str = "orders") -> Settings:
    return Settings(source_url=SecretStr(url), source_table=table)


def etags(seen: Snapshot | None) -> dict[str, str]:
    assert seen is not None
    return {version.key: version.etag for version in seen.versions()}


def copied_rows(url: str, folder: Path, table: str = "orders") -> list[dict[str, str]]:
    """What is copied of all days of a table."""
    with snapshot(settings_of(url, table)) as seen:
        assert seen is not None
        files = seen.copy_days([version.key for version in seen.versions()], folder)
    return [row for path in files.values() for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]


# Names


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


# Values

TYPES = """
CREATE DOMAIN short AS char(12);
CREATE DOMAIN code AS short CHECK (VALUE <> '');
CREATE DOMAIN number AS numeric(12,3);
CREATE DOMAIN float AS float8;
CREATE TYPE size AS ENUM ('A1', 'B2');
"""
TEXTS = {
    "A1": [
        ("text", "A1"),
        ("varchar(9)", "A1"),
        ("char(12)", "A1"),
        ("bpchar", "A1  "),
        ("short", "A1"),
        ("code", "A1"),
        ("name", "A1"),
        ("size", "A1"),
        ("bytea", "A1"),
        ("json", '"A1"'),
        ("jsonb", '"A1"'),
    ],
    "1001": [
        ("text", "1001"),
        ("smallint", "1001"),
        ("bigint", "1001"),
        ("numeric", "1001.00"),
        ("numeric(12,2)", "1001"),
        ("number", "1001"),
        ("float4", "1001"),
        ("float8", "1001.0"),
        ("float", "1.001e3"),
        ("money", "1001.00"),
        ("char(6)", "1001"),
        ("json", "1001.00"),
        ("json", "1.001e3"),
        ("jsonb", "1001.0"),
        ("jsonb", '"1001"'),
        ("bytea", "1001"),
    ],
    "1000000000000000": [("float8", "1e15"), ("numeric", "1e15"), ("json", "1E+15"), ("jsonb", "1e15")],
    "0": [("float8", "-0"), ("float4", "-0.0"), ("numeric", "0.00"), ("json", "-0"), ("jsonb", "-0.0"), ("money", "0")],
    "0.1": [("float4", "0.1"), ("float8", "0.1"), ("numeric", "0.10"), ("json", "1e-1"), ("jsonb", "0.100")],
    "true": [("boolean", "t"), ("json", "true"), ("jsonb", "true"), ("text", "true")],
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8": [
        ("uuid", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
        ("char(40)", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    ],
    "10.0.0.1": [("inet", "10.0.0.1"), ("text", "10.0.0.1")],
    "é": [("bytea", "é"), ("text", "é"), ("json", r'"\u00e9"')],
    "": [("json", "null"), ("jsonb", "null"), ("text", ""), ("char(3)", " ")],
    # None of these has a text: they are shown as Postgres prints them, and no other row suffers from it.
    r'"\u0000"': [("json", r'"\u0000"')],
    r'"\ud800"': [("json", r'"\ud800"')],
    r"\xff41": [("bytea", r"\xff41")],
    "1e999999": [("json", "1e999999")],
}


def test_a_value_has_one_text_whatever_its_type(environment: dict[str, str], tmp_path: Path) -> None:
    cases = [(text, kind, value) for text, values in TEXTS.items() for kind, value in values]
    columns = [f"column_{number} {kind}" for number, (_, kind, _) in enumerate(cases)]
    execute(TYPES, f"CREATE TABLE values_of_types ({', '.join(columns)})")
    bound = ", ".join(f"CAST(:v{number} AS {kind})" for number, (_, kind, _) in enumerate(cases))
    with postgres.engine().begin() as transaction:
        values = {f"v{number}": value for number, (_, _, value) in enumerate(cases)}
        transaction.execute(sa.text(f"INSERT INTO values_of_types VALUES ({bound})"), values)
    found = []
    for number, (_, kind, value) in enumerate(cases):
        execute(
            "DROP VIEW IF EXISTS orders",
            f"CREATE VIEW orders AS SELECT column_{number} AS order_id, 'ann'::text AS customer_id, 1::int AS amount,"
            f" date '{DAY}' AS order_date FROM values_of_types",
        )
        (row,) = copied_rows(environment["ORDERS_DATABASE_URL"], tmp_path)
        found.append((row["order_id"], kind, value))

    assert found == cases


def test_an_amount_is_taken_as_it_is_written(environment: dict[str, str], tmp_path: Path) -> None:
    kinds = {"numeric(18,3)": "1.500", "numeric": "1.50", "money": "1.50", "float8": "1.5", "float4": "1.5"}
    for kind, text in kinds.items():
        execute(
            "DROP TABLE IF EXISTS orders",
            f"CREATE TABLE orders (order_id text, customer_id text, amount {kind}, order_date date)",
            f"INSERT INTO orders VALUES ('1', 'ann', '1.50', '{DAY}')",
        )
        assert [row["amount"] for row in copied_rows(environment["ORDERS_DATABASE_URL"], tmp_path)] == [text], kind


@pytest.mark.parametrize(
    ("kind", "values", "parquet"),
    [
        ("char(12)", "'A1'", None),
        ("float8", "1e15", pa.array([1e15])),
        ("bytea", "'A1'", pa.array([b"A1"])),
        ("numeric(12,2)", "12", pa.array([Decimal(12)], pa.decimal128(5, 0))),
        ("boolean", "true", pa.array([True])),
    ],
)
def test_an_order_of_the_table_and_of_a_file_counts_once(
    pipeline: Pipeline, tmp_path: Path, kind: str, values: str, parquet: Any
) -> None:
    execute(
        f"CREATE TABLE orders (order_id {kind}, customer_id {kind}, amount numeric(12,2), order_date date)",
        f"INSERT INTO orders VALUES ({values}, {values}, 10, '{DAY}')",
    )
    if parquet is None:
        pipeline.land_rows("a.csv", f"A1,A1,10.00,{DAY}")
    else:
        path = tmp_path / "a.parquet"
        pq.write_table(
            pa.table({"order_id": parquet, "customer_id": parquet, "amount": ["10.00"], "order_date": [DAY]}), path
        )
        pipeline.land("a.parquet", path.read_bytes())

    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("10.00", 1)}
    assert len(pipeline.spend()) == 1


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [("numeric", "1.0", "1.00"), ("interval", "1 day", "24 hours"), ("json", "1", "1.0")],
)
def test_a_change_that_equality_does_not_see_is_seen(
    environment: dict[str, str], kind: str, before: str, after: str
) -> None:
    execute(
        f"CREATE TABLE orders (order_id text, customer_id text, amount {kind}, order_date date)",
        f"INSERT INTO orders VALUES ('1', 'ann', '{before}', '{DAY}')",
    )
    settings = settings_of(environment["ORDERS_DATABASE_URL"])
    with snapshot(settings) as seen:
        first = etags(seen)
    execute(f"UPDATE orders SET amount = '{after}'")

    with snapshot(settings) as seen:
        assert etags(seen) != first


@pytest.mark.parametrize("column", ["customer_id", "amount", "order_date", "updated_at"])
def test_a_value_that_two_rows_of_a_day_swap_is_a_change(environment: dict[str, str], column: str) -> None:
    """Many pairs, for a sum of mere row hashes saw some of them."""
    execute(
        f"CREATE TABLE orders ({ORDERS}, updated_at timestamptz)",
        f"INSERT INTO orders SELECT n, 'c' || n, n, date '{DAY}' - n / 2 + n % 2 * interval '1 hour',"
        f" timestamp '{DAY}' + n * interval '1 minute' FROM generate_series(2, 41) AS n",
    )
    settings = settings_of(environment["ORDERS_DATABASE_URL"])
    with snapshot(settings) as seen:
        first = etags(seen)
    execute(
        f"UPDATE orders SET {column} = other.{column} FROM orders AS other"
        " WHERE other.order_id::int / 2 = orders.order_id::int / 2 AND other.order_id <> orders.order_id"
    )

    with snapshot(settings) as seen:
        second = etags(seen)
    assert [key for key in first if second[key] == first[key]] == []
    assert len(first) == 20


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("order_id bigint", "1", "4294967296"),
        ("amount bigint", "7", "4294967302"),
        ("order_date timestamp", f"'{DAY} 00:00'", f"timestamp '{DAY}' + 4294967297 * interval '1 microsecond'"),
        ("order_date timestamptz", f"'{DAY} 00:00'", f"timestamptz '{DAY}' + 4294967297 * interval '1 microsecond'"),
    ],
)
def test_a_change_that_a_hash_of_32_bits_does_not_see_is_seen(
    environment: dict[str, str], kind: str, before: str, after: str
) -> None:
    column = kind.partition(" ")[0]
    others = {"order_id": "text", "customer_id": "text", "amount": "numeric", "order_date": "date"}
    values = {"order_id": "'1'", "customer_id": "'ann'", "amount": "10", "order_date": f"'{DAY}'"} | {column: before}
    columns = ", ".join(kind if name == column else f"{name} {type_}" for name, type_ in others.items())
    execute(f"CREATE TABLE orders ({columns})", f"INSERT INTO orders VALUES ({', '.join(values.values())})")
    settings = settings_of(environment["ORDERS_DATABASE_URL"])
    with snapshot(settings) as seen:
        first = etags(seen)
    execute(f"UPDATE orders SET {column} = {after}")

    with snapshot(settings) as seen:
        assert etags(seen).keys() == first.keys()
        assert etags(seen) != first


def test_texts_that_a_collation_takes_for_equal_are_told_apart() -> None:
    """Pure, for not every Postgres is built with collations of this kind."""
    kinds = ["text", "varchar", "bpchar", ""]
    told = [SourceColumn("a", "order_id", kind, kind, False, is_deterministic=False).fingerprinted for kind in kinds]
    assert told == ['("a"::text) COLLATE "C"'] * len(kinds)


# Columns that no order has


@pytest.mark.parametrize("busy", ["now() - order_date", "random()", "nextval('counter')"])
def test_a_column_that_no_order_has_may_differ_each_time(pipeline: Pipeline, busy: str) -> None:
    execute(
        "CREATE SEQUENCE counter",
        f"CREATE TABLE written ({ORDERS})",
        f"INSERT INTO written VALUES ('1', 'ann', 10, '{DAY}'), ('2', 'bob', 20, '{DAY}')",
        f"CREATE VIEW orders AS SELECT *, {busy} AS busy FROM written",
    )
    assert pipeline.sync().is_complete
    assert pipeline.sync().runs == 0

    execute("UPDATE written SET amount = 11 WHERE order_id = '1'")
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("31.00", 2)}


@pytest.mark.parametrize("other", ["9 - amount", "-random()", "'x' || customer_id"])
def test_a_column_that_no_order_has_does_not_decide_which_of_two_orders_wins(
    environment: dict[str, str], tmp_path: Path, other: str
) -> None:
    """Of rows with one id the last counts."""
    execute(
        f"CREATE TABLE written ({ORDERS})",
        f"INSERT INTO written SELECT '1', 'c' || n, n, '{DAY}' FROM generate_series(9, 1, -1) AS n",
        f"CREATE VIEW orders AS SELECT {other} AS other, * FROM written",
    )

    rows = copied_rows(environment["ORDERS_DATABASE_URL"], tmp_path)

    assert [row["customer_id"] for row in rows] == [f"c{n}" for n in range(1, 10)]
    assert all(row["other"] for row in rows)
