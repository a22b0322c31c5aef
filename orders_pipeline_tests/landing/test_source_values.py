"""A value of the source table has one text, whatever its type."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from orders_pipeline.definitions import postgres
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.source_tables import DAY, copied_rows, execute

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
