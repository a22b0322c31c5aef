"""The log of a run says what was loaded and built: files, days, rows and money."""

import logging
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orders_pipeline import run_tags
from orders_pipeline_tests.support.driver import Pipeline


def logged(pipeline: Pipeline, run_id: str) -> list[str]:
    """What the run logged itself, at INFO and above."""
    entries = pipeline.instance.all_logs(run_id)
    return [entry.user_message for entry in entries if not entry.is_dagster_event and entry.level >= logging.INFO]


def test_a_run_logs_its_files_days_rows_and_money(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id int, customer_id text, amount numeric, order_date timestamptz)")
    pipeline.execute("INSERT INTO orders VALUES (1, 'tom', 5.25, '2026-03-04 12:00+00')")
    pipeline.land_rows("a.csv", "10,ann,1001.10,2026-03-04 09:00:00", "11,,2.00,2026-03-04", "12,bob,3.00,2026-03-05")

    arrival = pipeline.run("s3_arrival")
    march = run_tags.of_range(date(2026, 3, 4), date(2026, 3, 5))
    pipeline.run("stale_days", partition="2026-03-04")
    days = pipeline.run("stale_days", tags=march)

    never = "never built, or object missing"
    assert sorted(logged(pipeline, arrival.run_id)) == sorted(
        [  # steps may run in another order
            "Loaded table:orders/2026-03-04: 1 row, 1 of them clean and worth 5.25, 0 rejected.",
            "Loaded landing/a.csv: 3 rows, 2 of them clean and worth 1,004.10, 1 rejected.",
            "Loaded 1 file and 1 day of the source table with 4 rows. Days changed: 2026-03-04 to 2026-03-05.",
            f"Rebuilt cleaned_orders: 2 days: {never} (2026-03-04 to 2026-03-05); 3 rows worth 1,009.35.",
            f"2026-03-04 shows 1,006.35 (2 orders) instead of 0.00 (0 orders): {never}.",
            f"2026-03-05 shows 3.00 (1 order) instead of 0.00 (0 orders): {never}.",
            f"Rebuilt daily_revenue: 2 days: {never} (2026-03-04 to 2026-03-05); 2 rows worth 1,009.35.",
            "Listed 1 rejected row of 2 files.",
        ]
    )
    assert logged(pipeline, days.run_id) == [
        f"Rebuilt daily_orders: 1 day: {never} (2026-03-05); 1 row worth 3.00.",
        "Already current: 2026-03-04.",
        f"Rebuilt daily_revenue_partitioned: 1 day: {never} (2026-03-05); 1 row worth 3.00.",
        "Already current: 2026-03-04.",
    ]


def test_the_console_has_no_debug_lines_and_the_ui_has_all_events(capfd: pytest.CaptureFixture[str]) -> None:
    configured = yaml.safe_load((Path(__file__).parents[2] / "dagster.yaml").read_text())["python_logs"]

    @dg.op
    def speaks(context: dg.OpExecutionContext) -> None:
        context.log.info("Loaded a file.")

    @dg.job
    def speaking() -> None:
        speaks()

    with dg.instance_for_test(overrides={"python_logs": configured}) as instance:
        run = speaking.execute_in_process(instance=instance)
        stored = instance.all_logs(run.run_id)
    console = capfd.readouterr().err

    assert "Loaded a file." in console
    assert "DEBUG" not in console
    assert {entry.level for entry in stored if entry.is_dagster_event} == {logging.DEBUG}
