"""The source table by daily fingerprints: only what changed leaves it, and what is gone is taken back."""

import errno
from datetime import timedelta

import pytest

from orders_pipeline.landing.source_table import Snapshot
from orders_pipeline.runs import backoff
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.ticks import run_all


@pytest.fixture
def table(pipeline: Pipeline) -> Pipeline:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date timestamp)")
    pipeline.execute(
        "INSERT INTO orders VALUES ('1', 'ann', 1, '2026-03-04 10:00'), ('2', 'bob', 2, '2026-03-05 11:00'),"
        " ('3', 'bob', 3, '2026-03-06 11:00')"
    )
    pipeline.sync()
    return pipeline


def keys(pipeline: Pipeline) -> list[str]:
    return [key for (key,) in pipeline.query("SELECT key FROM ledger.landed_files WHERE active ORDER BY 1")]


def test_each_day_of_the_table_is_a_file(table: Pipeline) -> None:
    assert keys(table) == ["table:orders/2026-03-04", "table:orders/2026-03-05", "table:orders/2026-03-06"]
    assert table.revenue() == {"2026-03-04": ("1.00", 1), "2026-03-05": ("2.00", 1), "2026-03-06": ("3.00", 1)}


def test_an_update_and_a_delete_are_seen_without_updated_at(table: Pipeline) -> None:
    table.execute("UPDATE orders SET amount = 7 WHERE order_id = '2'")
    table.execute("DELETE FROM orders WHERE order_id = '3'")

    synced = table.sync()

    assert synced.is_complete
    assert table.revenue() == {"2026-03-04": ("1.00", 1), "2026-03-05": ("7.00", 1)}
    assert [str(day) for day in synced.rebuilt["daily_revenue"]] == ["2026-03-05", "2026-03-06"]


def test_a_day_that_comes_back_as_it_was_counts_again(table: Pipeline) -> None:
    table.execute("DELETE FROM orders WHERE order_id = '3'")
    table.sync()
    table.execute("INSERT INTO orders VALUES ('3', 'bob', 3, '2026-03-06 11:00')")
    table.sync()

    assert table.revenue()["2026-03-06"] == ("3.00", 1)


def test_a_row_that_moves_to_another_day_leaves_the_old_one(table: Pipeline) -> None:
    table.execute("UPDATE orders SET order_date = '2026-03-05 09:00' WHERE order_id = '1'")
    table.sync()

    assert table.revenue() == {"2026-03-05": ("3.00", 2), "2026-03-06": ("3.00", 1)}


def test_an_unchanged_table_costs_no_run(table: Pipeline) -> None:
    assert table.sync().runs == 0


def test_a_table_that_is_missing_altogether_retracts_nothing(table: Pipeline) -> None:
    table.execute("DROP TABLE orders")

    assert table.sync().runs == 0
    assert table.revenue()["2026-03-04"] == ("1.00", 1)


def test_an_emptied_table_is_taken_back(table: Pipeline) -> None:
    table.execute("DELETE FROM orders")
    table.sync()

    assert table.revenue() == {}


def test_without_updated_at_the_table_ranks_below_every_file(table: Pipeline) -> None:
    table.land_rows("a.csv", "1,ann,9.00,2026-03-04")
    table.sync()
    table.execute("UPDATE orders SET amount = 5 WHERE order_id = '1'")
    table.sync()

    assert table.revenue()["2026-03-04"] == ("9.00", 1)


def test_with_updated_at_the_later_version_wins(pipeline: Pipeline) -> None:
    pipeline.execute(
        'CREATE TABLE orders ("Order_ID" int, customer_id text, amount float8, order_date date, updated_at timestamptz)'
    )
    pipeline.execute("INSERT INTO orders VALUES (1, 'ann', 2.5, '2026-03-04', '2026-03-05 00:00+00')")
    header = f"{HEADER},updated_at"
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04,2026-03-04T23:59:59Z", header=header)
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-04": ("2.50", 1)}

    pipeline.land_rows("b.csv", "1,ann,3.00,2026-03-04,2026-03-05T00:00:01Z", header=header)
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-04": ("3.00", 1)}


def test_rows_that_cannot_be_used_are_rejected_with_their_day_of_the_table(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount float8, order_date text, note json)")
    pipeline.execute(
        "INSERT INTO orders VALUES ('1', 'ann', 1.005, '2026-03-04', '{}'), ('2', 'ann', 1, NULL, NULL),"
        " ('3', 'ann', 1, 'soon', NULL), ('4', 'ann', 1.25, '2026-03-04T23:00:00-05:00', NULL)"
    )
    pipeline.sync()

    assert [(source, reason) for source, _, reason, _ in pipeline.rejected()] == [
        ("table:orders/2026-03-04", "amount_not_decimal"),
        ("table:orders/none", "order_date_missing"),
        ("table:orders/none", "order_date_unreadable"),
    ]
    assert pipeline.revenue() == {"2026-03-05": ("1.25", 1)}
    assert pipeline.sync().runs == 0


def test_a_table_without_a_required_column_is_quarantined_and_retracts_nothing(table: Pipeline) -> None:
    table.execute("ALTER TABLE orders RENAME COLUMN order_date TO placed_at")

    assert table.sync().is_complete
    (aside,) = table.status().quarantined
    assert aside.key == "table:orders/none"
    assert "order_date" in aside.message
    assert table.revenue()["2026-03-04"] == ("1.00", 1)


def test_the_business_day_of_a_timestamptz_follows_the_zone(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_TIMEZONE", "America/New_York")
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date timestamptz)")
    pipeline.execute("INSERT INTO orders VALUES ('1', 'ann', 1, '2026-03-05 03:00+00')")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert keys(pipeline) == ["table:orders/2026-03-04"]


def test_another_table_in_another_schema_can_be_the_source(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", "shop.Web Orders")
    pipeline.execute("CREATE SCHEMA shop")
    pipeline.execute(
        'CREATE TABLE shop."Web Orders" (order_id text, customer_id text, amount numeric, order_date date)'
    )
    pipeline.execute("INSERT INTO shop.\"Web Orders\" VALUES ('1', 'ann', 1, '2026-03-04')")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}


def test_columns_that_change_names_are_a_change_of_every_day(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount int, net int, order_date date)")
    pipeline.execute("INSERT INTO orders VALUES ('1', 'ann', 5, 3, '2026-03-04')")
    pipeline.sync()
    pipeline.execute("ALTER TABLE orders RENAME amount TO gross")
    pipeline.execute("ALTER TABLE orders RENAME net TO amount")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("3.00", 1)}


def test_a_long_text_in_the_table_is_no_obstacle(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount int, order_date date, note text)")
    pipeline.execute("INSERT INTO orders VALUES ('1', 'ann', 5, '2026-03-04', repeat('x', 200000))")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("5.00", 1)}


def test_a_source_that_does_not_answer_blocks_no_file(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_SOURCE_URL", "postgresql://u:hunter2@127.0.0.1:1/shop")
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")

    synced = pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}
    assert not synced.is_complete
    (failing,) = synced.failing
    assert "ORDERS_SOURCE_URL" in failing.message
    assert "hunter2" not in failing.message
    assert [file.reason for file in pipeline.status().failing] == ["outage"]

    with monkeypatch.context() as patched:  # the table may also be gone by then
        patched.delenv("ORDERS_SOURCE_URL")
        assert pipeline.sync().is_complete
    assert not pipeline.sync().is_complete

    # It is asked again before the next morning, and then is no more waited for.
    run_all(pipeline, s3_arrival_sensor)
    pipeline.execute(
        "CREATE TABLE orders AS SELECT '2' order_id, 'bob' customer_id, 2.00 amount, date '2026-03-04' order_date"
    )
    monkeypatch.delenv("ORDERS_SOURCE_URL")
    assert run_all(pipeline, s3_arrival_sensor) == 0
    pipeline.execute("UPDATE ledger.landed_files SET next_attempt = now() WHERE status = 'failing'")
    monkeypatch.setattr(backoff, "_FIRST_PAUSE", timedelta())
    assert run_all(pipeline, s3_arrival_sensor) == 1
    assert pipeline.revenue() == {"2026-03-04": ("3.00", 2)}
    assert pipeline.status().failing == []


def test_an_s3_that_is_away_does_not_block_the_table(table: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The morning's run is the only one that asks it: what it misses would be there a day late."""
    table.execute("INSERT INTO orders VALUES ('4', 'ann', 4, '2026-03-07')")
    monkeypatch.setenv("ORDERS_S3_BUCKET", "no-such-bucket")

    assert not table.run("s3_arrival").success

    assert keys(table)[-1] == "table:orders/2026-03-07"


@pytest.mark.parametrize("step", ["copy_days", "versions"])
def test_a_table_whose_run_ends_before_all_of_it_is_taken_is_asked_again(
    table: Pipeline, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    table.execute("UPDATE orders SET amount = 7 WHERE order_id = '2'")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(Snapshot, step, fail)
        assert not table.run("s3_arrival").success
    assert [file.key for file in table.status().failing] == ["table:orders/all"]

    table.execute("UPDATE ledger.landed_files SET next_attempt = now() WHERE status = 'failing'")
    assert run_all(table, s3_arrival_sensor) == 1
    assert table.revenue()["2026-03-05"] == ("7.00", 1)
    assert table.status().failing == []


def test_a_run_that_died_while_nothing_had_changed_leaves_nothing_behind(table: Pipeline) -> None:
    ended = (
        "INSERT INTO ledger.landed_files"
        " (bucket, key, etag, size, last_modified, status, reason, attempts, next_attempt)"
        " VALUES ('', 'table:orders/all', '', 0, '0001-01-01Z', 'failing', 'outage', 0, now())"
    )
    table.execute(ended)

    assert table.sync().is_complete
    assert table.status().failing == []
    table.execute("DROP TABLE orders")
    table.execute(ended)
    assert table.sync().is_complete
    assert table.status().failing == []


def test_a_quarantined_day_that_is_gone_from_the_table_is_forgotten(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount text, order_date text)")
    pipeline.execute("INSERT INTO orders SELECT n::text, 'ann', 'much', '2026-03-04' FROM generate_series(1, 30) n")
    pipeline.sync()
    assert len(pipeline.status().quarantined) == 1
    pipeline.execute("DELETE FROM orders")

    assert pipeline.sync().is_complete
    assert pipeline.status().quarantined == []
