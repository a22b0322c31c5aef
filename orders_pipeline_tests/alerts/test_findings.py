"""Findings are reported once, in one message for each kind, and so is that they are settled or accepted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orders_pipeline.alerts import findings
from orders_pipeline.alerts.memory import Memory
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.receiver import Receiver
from orders_pipeline_tests.support.ticks import tick_alerts

SINCE = datetime(2026, 3, 5, tzinfo=UTC)
READABLE, INTACT = "landed_files_are_readable", "ids_look_intact"


def recorded(number: int, kind: str = READABLE, message: str = "", amount: str | None = None) -> Recorded:
    money = None if amount is None else Decimal(amount)
    return Recorded(number, kind, f"{number}.csv", message or f"{number}.csv is broken", money, SINCE, None, None)


def judged(opened: list[Recorded], told: Mapping[str, str] | None = None) -> Memory:
    """What is remembered, and waits to be posted, after these were found open."""
    memory = Memory(after=0, told=told or {})
    return memory.learn(findings.judge(opened, memory.told, lambda kind: f"http://ui/{kind}"))


def headlines(memory: Memory) -> list[str]:
    return [alert.headline for alert in memory.waiting]


def test_new_findings_of_a_kind_are_one_message_with_names_money_link_and_next_step() -> None:
    (alert,) = judged([recorded(1, amount="-10.50"), recorded(2, amount="2000.00"), recorded(3)]).waiting

    headline, why, link = alert.text.splitlines()
    assert headline == "3 findings of landed_files_are_readable, 2,010.50 at stake"
    assert why.startswith("1.csv is broken; 2.csv is broken; 3.csv is broken. What to do: docs/operations.md, ")
    assert "`orders-pipeline accept 1 2 3`" in why
    assert link == "http://ui/landed_files_are_readable"


def test_what_was_reported_is_not_reported_again_and_what_is_new_comes_alone() -> None:
    before = judged([recorded(1), recorded(2)])
    after = judged([recorded(1), recorded(2), recorded(3), recorded(4, INTACT)], before.told)

    assert headlines(after) == ["1 finding of ids_look_intact", "1 finding of landed_files_are_readable"]
    assert "3.csv is broken." in after.waiting[1].text


def test_what_is_settled_or_accepted_is_reported_once_for_each_kind() -> None:
    before = judged([recorded(1), recorded(2), recorded(3), recorded(4, INTACT)])
    after = judged([recorded(3)], before.told)

    assert headlines(after) == [
        "Resolved: 1 finding of ids_look_intact, settled or accepted",
        "Resolved: 2 findings of landed_files_are_readable, settled or accepted",
    ]
    assert headlines(judged([recorded(3)], after.told)) == []


def test_a_finding_that_is_open_again_is_reported_again_with_another_key() -> None:
    first = judged([recorded(1)])
    second = judged([recorded(1, message="1.csv is broken otherwise")], judged([], first.told).told)

    assert headlines(second) == headlines(first)
    assert second.waiting[0].key != first.waiting[0].key


def test_findings_of_a_check_that_is_reported_as_failed_are_not_reported_twice() -> None:
    told = {"a": "revenue_reconciles of daily_revenue"}

    assert headlines(judged([recorded(1, "revenue_reconciles")], told)) == []
    assert len(headlines(judged([recorded(1, "revenue_reconciles")]))) == 1


def test_however_many_findings_are_open_each_kind_is_one_message_and_little_is_remembered() -> None:
    flood = [recorded(number, kind) for kind in (READABLE, INTACT) for number in range(1, 5_000)]
    first = judged(flood)

    assert [alert.headline for alert in first.waiting] == [f"4,999 findings of {kind}" for kind in (INTACT, READABLE)]
    assert len(first.told) == 2
    assert headlines(judged(flood[:-1], first.told)) == []
    assert headlines(judged([], first.told)) == []
    few = judged(flood[:50], first.told)
    assert headlines(few) == ["50 findings of landed_files_are_readable"]


def test_a_quarantined_file_is_reported_until_it_is_mended(
    pipeline: Pipeline, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land("shop/a.csv", "nonsense\n")
    tick_alerts(pipeline.instance)
    pipeline.sync()
    monkeypatch.setenv("ORDERS_ALERTS", "-landed_files_are_readable")
    assert tick_alerts(pipeline.instance) == "No new failures."
    monkeypatch.setenv("ORDERS_ALERTS", "findings")
    for _ in range(2):
        tick_alerts(pipeline.instance)
    pipeline.land_rows("shop/a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    for _ in range(2):
        tick_alerts(pipeline.instance)

    broken, mended = receiver.told
    assert broken.startswith("1 finding of landed_files_are_readable\n")
    assert "shop/a.csv" in broken
    assert broken.endswith("/assets/raw_orders?view=checks&checkDetail=landed_files_are_readable")
    assert mended == "Resolved: 1 finding of landed_files_are_readable, settled or accepted"
