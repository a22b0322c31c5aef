"""The check ids_look_intact: ids that look damaged are named, and count as written."""

from decimal import Decimal

from orders_pipeline_tests.support.checks import evaluate
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

CHECK = "ids_look_intact"


def test_damaged_ids_are_named_with_their_file_and_money_and_count_as_written(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "\t00777,ann,1.00,2026-03-04", "2,8.0,2.00,2026-03-04", "3,9,4.00,2026-03-04")
    pipeline.land_rows("b.csv", "1001,ann,1.00,2026-03-04", "1.0,ann,much,2026-03-04")  # a reject counts nowhere

    found = pipeline.sync().failed_checks[CHECK]

    assert found.startswith("WARN: Ids look damaged in 1 of 2 files: landing/a.csv: 2 rows, for example ")
    assert "'\\t00777', '8.0'." in found
    assert pipeline.query("SELECT amount FROM ledger.findings WHERE kind = :kind", kind=CHECK) == [(Decimal("3.00"),)]
    assert {*pipeline.orders()} == {"\t00777", "2", "3", "1001"}


def test_intact_ids_pass_and_so_does_a_landing_zone_without_files(pipeline: Pipeline) -> None:
    assert evaluate(pipeline, "raw_orders", CHECK).description == "No file with orders has landed yet."
    pipeline.land_rows("a.csv", "00777,ann@example.com,1.00,2026-03-04")
    pipeline.sync()

    assert evaluate(pipeline, "raw_orders", CHECK).description == "All ids in 1 file look intact."


def test_a_day_of_the_source_table_is_looked_at_too(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date timestamp)")
    pipeline.execute("INSERT INTO orders VALUES ('1.23457E+12', 'ann', 5, '2026-03-04')")

    assert "1.23457E+12" in pipeline.sync().failed_checks[CHECK]


def test_a_retracted_file_is_named_no_longer(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", "1001.0,ann,1.00,2026-03-04")
    assert CHECK in pipeline.sync().failed_checks

    assert call("retract", key).exit_code == 0

    assert CHECK not in pipeline.sync().failed_checks
    assert pipeline.query("SELECT count(*) FROM ledger.findings WHERE settled_at IS NULL") == [(0,)]
