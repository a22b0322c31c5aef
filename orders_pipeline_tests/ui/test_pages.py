"""What the pages of assets show of open findings, and of files and days of the source table."""

from typing import Any

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import findings
from orders_pipeline_tests.support.driver import Pipeline, check_results, shown_of
from orders_pipeline_tests.support.source_tables import ORDERS

CHART = "Revenue of the last 90 days with orders"


def test_each_page_shows_the_open_findings_of_its_own_checks_and_what_to_do(pipeline: Pipeline) -> None:
    pipeline.land_rows("bad.csv", "1,,1.00,2026-03-04", "2,,2.00,2026-03-04", "3,ann,-5.00,2026-03-04")
    pipeline.land("broken.csv", "nonsense\n")
    first = pipeline.run("s3_arrival")
    pipeline.run("stale_days", partition="2026-03-04")
    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 7")
    failed = check_results(pipeline.run("stale_days", partition="2026-03-04"))["revenue_reconciles"]
    ids = {one.kind: one.id for one in recorded()}
    pipeline.land_rows("more.csv", "4,bob,1.00,2026-03-04")

    arrival = pipeline.run("s3_arrival")
    shown = {**shown_of(arrival), **shown_of(pipeline.run("stale_days", partition="2026-03-04"))}

    assert {asset: [record.data["id"] for record in of(its)] for (asset, _), its in shown.items()} == {
        "raw_orders": [ids["landed_files_are_readable"]],
        "cleaned_orders": [],
        "rejected_orders": [ids["few_rows_are_rejected"]],
        "daily_revenue": [ids["revenue_reconciles"]],
        "daily_orders": [ids["no_negative_amounts"]],
        "daily_revenue_partitioned": [ids["revenue_reconciles"]],
    }
    (rejects,) = of(shown["rejected_orders", None])
    assert rejects.data["money"] == "3.00"
    assert str(rejects.data["finding"]).startswith("few_rows_are_rejected: landing/bad.csv: 2 of 3")
    assert shown["rejected_orders", None]["What to do"].value == (
        "docs/operations.md: A day is wrong. To accept what is as it should be:"
        f" orders-pipeline accept {ids['few_rows_are_rejected']}"
    )
    assert "Open findings" not in shown_of(first)["rejected_orders", None]  # its checks come later
    assert failed.metadata["What to do"].value == "docs/operations.md: Revenue does not reconcile"
    assert "What to do" not in check_results(arrival)["order_ids_are_unique"].metadata
    assert shown["daily_revenue", None]["Marked in red"].value == "2026-03-04: see the open findings"
    assert "stroke='red'" in shown["daily_revenue", None][CHART].value


def test_days_of_the_source_table_are_not_shown_as_files(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.execute(f"CREATE TABLE orders ({ORDERS})")
    pipeline.execute("INSERT INTO orders VALUES ('2', 'bob', 2, '2026-03-05'), (NULL, 'bob', 2, '2026-03-05')")

    shown = shown_of(pipeline.run("s3_arrival"))["raw_orders", None]

    assert [record.data["file"] for record in shown["Files"].records] == ["landing/a.csv"]
    assert [record.data for record in shown["Days of the source table"].records] == [
        {"day": "2026-03-05", "rows": 2, "rejected": 1}
    ]
    sources = {record.data["source"]: record.data for record in shown["Sources"].records}
    assert sources["the source table"] == {
        "source": "the source table",
        "files": "1 day",
        "counts": "1",
        "rejected": "1",
        "last landed": "",
    }
    assert sources["landing/"]["files"] == "1"
    assert str(sources["landing/"]["last landed"]).startswith("20")


def of(shown: dict[str, Any]) -> list[Any]:
    """The rows of the table of open findings."""
    return shown["Open findings"].records if "Open findings" in shown else []


def recorded() -> list[findings.Recorded]:
    with postgres.ledger().connect() as connection:
        return findings.unsettled(connection)
