"""What a sender writes is bounded wherever it is kept or shown: long ids, keys and names, very many rejects."""

import pytest
from dagster import serialize_value

from orders_pipeline.errors import QuarantineError
from orders_pipeline.io_managers import lake, plan
from orders_pipeline.ledger import findings
from orders_pipeline.ledger.findings import Finding
from orders_pipeline.text import LONGEST_MESSAGE
from orders_pipeline_tests.support.checks import evaluate
from orders_pipeline_tests.support.driver import HEADER, Pipeline

DAY = "2026-03-04"
LONG = "x" * 1_000


@pytest.fixture
def few_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file, three rejects are listed one by one."""
    for module in (lake, plan):
        monkeypatch.setattr(module, "MOST_REJECTS", 3)


@pytest.mark.usefixtures("few_rejects")
def test_the_first_rejects_of_a_file_are_listed_and_the_others_counted(pipeline: Pipeline) -> None:
    rows = [",ann,1,2026-03-04", "1,ann,x,2026-03-04"] * 5
    key = pipeline.land_rows("many.csv", *rows, "1,ann,1.00,2026-03-04")
    few = pipeline.land_rows("few.csv", *rows[:3])

    synced = pipeline.sync()

    assert "no_order_is_lost" not in synced.failed_checks
    listed = pipeline.query("SELECT source, row_number, reason, rows FROM analytics.rejected_orders ORDER BY 1, 2")
    assert listed == [
        (few, 2, "order_id_missing", 1),
        (few, 3, "amount_not_decimal", 1),
        (few, 4, "order_id_missing", 1),
        (key, 2, "order_id_missing", 1),
        (key, 3, "amount_not_decimal", 1),
        (key, 4, "order_id_missing", 1),
        (key, 5, "amount_not_decimal", 4),
        (key, 6, "order_id_missing", 3),
    ]
    totals = pipeline.status().totals
    assert totals["rejected_by_reason"] == {"order_id_missing": 7, "amount_not_decimal": 6}
    assert {file.key: file.reasons for file in pipeline.status().high_reject_rate} == {
        key: (("amount_not_decimal", 5), ("order_id_missing", 5)),
        few: (("order_id_missing", 2), ("amount_not_decimal", 1)),
    }


@pytest.mark.usefixtures("few_rejects")
def test_a_reject_that_only_a_count_stands_for_is_missed(pipeline: Pipeline) -> None:
    pipeline.land_rows("many.csv", *[",ann,1,2026-03-04"] * 9)
    pipeline.sync()
    assert evaluate(pipeline, "rejected_orders", "no_order_is_lost").passed

    pipeline.execute("UPDATE analytics.rejected_orders SET rows = rows - 1 WHERE rows > 1")

    found = evaluate(pipeline, "rejected_orders", "no_order_is_lost")
    assert not found.passed
    assert "8 of the 9 rejects" in (found.description or "")


def test_whatever_a_sender_writes_is_shown_in_bounds(pipeline: Pipeline) -> None:
    """Ids as long as they may be, long keys and long names of columns, in each event that Dagster stores."""
    names = ",".join(f"{n}{LONG[:490]}" for n in range(60))
    for number in range(9):
        rows = [
            f"{number}{order}{LONG[:990]},{customer}{LONG[:990]},-{number + 1}.00,{DAY}"
            for order in range(9)
            for customer in range(2)
        ]
        pipeline.land_rows(
            f"{LONG[:200]}/{number}.csv", *(f"{row}{',' * 60}" for row in rows), header=f"{HEADER},{names}"
        )
        pipeline.land(f"{LONG[:200]}/{number}.bad", f"{LONG * 900}\n")

    run = pipeline.run("s3_arrival")

    assert run.success
    events = {event.event_type_value: len(serialize_value(event)) for event in run.all_events}
    sizes = [(len(serialize_value(event)), event.event_type_value) for event in run.all_events]
    assert max(sizes) < (40_000, ""), events
    logged = [len(entry.user_message) for entry in pipeline.instance.all_logs(run.run_id)]
    assert max(logged) < 4 * LONGEST_MESSAGE
    for table, column in (("landed_files", "message"), ("findings", "message"), ("findings", "fingerprint")):
        (longest,) = pipeline.query(f"SELECT max(length({column})) FROM ledger.{table}")[0]
        assert longest <= LONGEST_MESSAGE, column


def test_a_message_is_cut_where_it_is_made() -> None:
    error = QuarantineError("column_type", f"The column {LONG * 5} has blocks of bytes.")

    assert len(str(error)) == LONGEST_MESSAGE


def test_a_finding_is_stored_in_bounds_and_what_differs_stays_apart(pipeline: Pipeline) -> None:
    engine = pipeline.connect().engine
    for end in ("a", "b"):
        found = Finding("a subject", f"{LONG * 9}{end}", LONG * 9)
        with engine.begin() as transaction:
            examination = findings.examine(engine, "a check")
            findings.record(transaction, examination, [found], examined=None)
            (one,) = findings.unsettled(transaction, "a check")
            assert one.accepted_at is None
            findings.accept(transaction, [one.id], "ann")

    assert pipeline.query("SELECT length(fingerprint), length(message) FROM ledger.findings") == [(64, LONGEST_MESSAGE)]
