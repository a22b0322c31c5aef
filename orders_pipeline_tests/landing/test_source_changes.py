"""Every change of an order in the source table is seen. Columns that no order has change nothing."""

from pathlib import Path

import pytest

from orders_pipeline.landing.source_columns import SourceColumn
from orders_pipeline.landing.source_table import snapshot
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.source_tables import DAY, ORDERS, copied_rows, etags, execute, settings_of


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
