"""Whatever lands: real bytes through the whole pipeline, and what the ledger, the rejects and the marts say of them.

The cases are in `support/any_file`, by subject. All of them land at once in one pipeline (those with a version before,
in two steps), so that each also proves that it disturbs no other. docs/landing.md has the rules that they are examples
of.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.schema import REASONS
from orders_pipeline.validation import LONGEST_TEXT
from orders_pipeline_tests.support.any_file import CASES
from orders_pipeline_tests.support.any_file.case import IGNORED, QUARANTINED
from orders_pipeline_tests.support.driver import Pipeline, check_results


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    """The key of each case, below the landing prefix."""
    return {case.name: case.key or f"{case.name}.csv" for case in CASES}


def test_every_case_has_a_name_and_a_key_of_its_own(keys: dict[str, str]) -> None:
    assert len({case.name for case in CASES}) == len(set(keys.values())) == len(CASES)
    assert {reason for case in CASES for _, reason in case.rejects} == set(REASONS) - {
        "updated_at_unreadable",
        "order_date_unclear",
        "currency_unclear",
        "currency_other",
        "line_rejected",
        "lines_differ",
        "order_id_repeated",
    }


def test_any_file(pipeline: Pipeline, keys: dict[str, str]) -> None:
    for case in CASES:
        if case.before is not None:
            pipeline.land(keys[case.name], case.before)
    pipeline.sync()
    for case in CASES:
        if case.before != case.file:
            pipeline.land(keys[case.name], case.file)
    synced = pipeline.sync()

    assert synced.is_complete
    prefix = s3.prefix
    ledger: dict[str, Any] = {
        key: (status, reason, message)
        for key, status, reason, message in pipeline.query(
            "SELECT key, status, reason, message FROM ledger.landed_files ORDER BY id"
        )
    }
    orders = _by_source(pipeline)
    rejects: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for source, number, reason, text in pipeline.rejected():
        rejects[source].append((number, reason))
        assert 0 < len(text) <= LONGEST_TEXT
    wrong = {}
    for case in CASES:
        key = prefix + keys[case.name]
        status, reason, message = ledger[key]
        found = (status, reason, orders.get(key, {}), tuple(rejects.get(key, ())))
        if found != (case.status, case.reason, case.orders, case.rejects) or case.says not in (message or ""):
            wrong[case.name] = (*found[:2], dict(list(found[2].items())[:5]), found[3][:20], message)
    assert not wrong
    _check_marts(pipeline)
    _check_what_people_see(pipeline, synced.failed_checks, prefix + keys["key 4"])


def _by_source(pipeline: Pipeline) -> dict[str, dict[str, tuple[str, str, str]]]:
    found: defaultdict[str, dict[str, tuple[str, str, str]]] = defaultdict(dict)
    for order in pipeline.lake_frame("cleaned_orders").to_dicts():
        time = order["order_date"].isoformat(sep=" ")
        found[order["_source"]][order["order_id"]] = (order["customer_id"], str(order["amount"]), time)
    return found


def _check_marts(pipeline: Pipeline) -> None:
    due: defaultdict[str, list[Decimal]] = defaultdict(list)
    spent: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for case in CASES:
        for customer, amount, time in case.orders.values():
            due[time[:10]].append(Decimal(amount))
            spent[time[:10], customer] += Decimal(amount)
    assert pipeline.revenue() == {day: (str(sum(amounts)), len(amounts)) for day, amounts in due.items()}
    assert pipeline.spend() == {place: str(amount) for place, amount in spent.items()}


def _check_what_people_see(pipeline: Pipeline, failed: dict[str, str], script: str) -> None:
    status = pipeline.status()
    assert len(status.quarantined) == sum(case.status == QUARANTINED for case in CASES)
    empty = [file for file in status.ignored if file.still_counts]
    assert len(empty) == sum(case.status == IGNORED and bool(case.orders) for case in CASES)
    aside = {file.key: file for file in [*status.quarantined, *empty]}
    result = pipeline.run("s3_arrival")
    checks = check_results(result)
    table = checks["landed_files_are_readable"].metadata["Files not loaded"].value
    assert {(r.data["file"], r.data["bytes"], r.data["reason"]) for r in table.records} == {
        (file.key, file.size, file.reason) for file in aside.values()
    }
    few = checks["few_rows_are_rejected"]
    assert not few.passed
    assert "mostly missing.csv: 30 of 31 (amount_missing 30)" in (few.description or "")
    assert "<script>" not in " ".join([*failed.values(), few.description or ""])
    assert pipeline.query("SELECT count(*) FROM analytics.rejected_orders WHERE source = :key", key=script) == [(1,)]
