"""Whole pipelines, brought up to date: what lands is in the tables, once, whatever the order."""

from orders_pipeline_tests.support.driver import Pipeline


def test_files_and_the_source_table_end_up_in_all_tables(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id int, customer_id text, amount numeric, order_date timestamptz)")
    pipeline.execute("INSERT INTO orders VALUES (1, 'tom', 5.25, '2026-03-04 12:00+00')")
    pipeline.land_rows("a.csv", "10,ann,1.10,2026-03-04 09:00:00", "11,,2.00,2026-03-04", "12,bob,3.00,2026-03-05")

    synced = pipeline.sync()

    assert synced.is_complete
    assert pipeline.revenue() == {"2026-03-04": ("6.35", 2), "2026-03-05": ("3.00", 1)}
    assert pipeline.spend() == {
        ("2026-03-04", "ann"): "1.10",
        ("2026-03-04", "tom"): "5.25",
        ("2026-03-05", "bob"): "3.00",
    }
    assert pipeline.rejected() == [("landing/a.csv", 3, "customer_id_missing", "11,,2.00,2026-03-04")]
    assert pipeline.orders() == pipeline.orders("daily_orders")
    assert pipeline.orders()["1"] == ("tom", "5.25", "2026-03-04 12:00:00")


def test_a_second_sync_runs_nothing(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "10,ann,1.10,2026-03-04")
    pipeline.sync()

    assert pipeline.sync().runs == 0
