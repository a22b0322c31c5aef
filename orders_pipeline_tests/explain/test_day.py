"""Whether a day is well, and what to do if it is not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.explain.day import Day, Lacking, Sender, Usual, When
from orders_pipeline.explain.read_day import read_day
from orders_pipeline.explain.shares import Share
from orders_pipeline.explain.tables import CHAINS, State, Table
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline.ledger.staleness import Blocker
from orders_pipeline.settings import read_settings
from orders_pipeline.tables.revenue import Shown
from orders_pipeline_tests.support.driver import Pipeline

DAY, MONEY, NOW = date(2026, 3, 5), Decimal("2.00"), datetime(2026, 3, 6, tzinfo=UTC)
TABLES = [Table(name, State.CURRENT, None, (), None) for chain in CHAINS for name in chain]
NOTHING = Shown(None, 0, None, 0)
WELL = Day(
    day=DAY,
    when=When.OVER,
    timezone="UTC",
    start_date=date(2026, 1, 1),
    shown=Shown(MONEY, 1, MONEY, 1),
    usual=Usual.UNKNOWN,
    comparison=None,
    version=1,
    tables=TABLES,
    files=[Share("a", 1, 1, MONEY)],
    replaced=[],
    rejects=[],
    other_rejects=0,
    lacking=[],
    damaged=[],
    s3_error=None,
    table_error=None,
    senders=[],
    newest_day=DAY,
    figures=[],
    findings=[],
)


def finding(kind: str, *, is_accepted: bool = False) -> Recorded:
    return Recorded(7, kind, str(DAY), "odd", None, NOW, NOW if is_accepted else None, None)


def blocked(by: Blocker, name: str) -> list[Table]:
    return [Table("cleaned_orders", State.BLOCKED, str(by), (name,), None), *TABLES[1:]]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"findings": [finding("revenue_is_plausible", is_accepted=True)]},
        {"lacking": [Lacking("a", "retracted", "", None, "")]},
        {"lacking": [Lacking("a", "empty", "", None, "")]},
        {"lacking": [Lacking("a", "quarantined", "", None, "", is_accepted=True)]},
        {"shown": NOTHING, "files": [], "usual": Usual.YES},
        {"shown": NOTHING, "files": [], "when": When.TODAY},
        {"shown": NOTHING, "files": [], "findings": [finding("revenue_is_plausible", is_accepted=True)]},
    ],
)
def test_a_day_is_well_that_has_what_it_should_have(fields: dict[str, Any]) -> None:
    found = replace(WELL, **fields)

    assert (found.is_well, found.next) == (True, [])


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"findings": [finding("revenue_is_plausible")]}, "orders-pipeline accept 7"),
        ({"lacking": [Lacking("a b", "quarantined", "", None, "")]}, "orders-pipeline explain --file 'a b'"),
        ({"lacking": [Lacking("a", "empty", "", None, "", still_counts=True)]}, "orders-pipeline explain --file a"),
        ({"lacking": [Lacking("a", "pending", "", None, "")]}, "orders-pipeline sync"),
        ({"damaged": ["a"]}, "orders-pipeline recover --verify"),
        ({"damaged": ["a"], "lacking": [Lacking("a", "lost", "", None, "")]}, "orders-pipeline explain --file a"),
        ({"tables": [replace(TABLES[0], state=State.STALE), *TABLES[1:]]}, "orders-pipeline sync"),
        ({"tables": blocked(Blocker.MISSING_OBJECT, "a")}, "orders-pipeline explain --file a"),
        ({"tables": blocked(Blocker.OUTDATED_FILE, "a")}, "orders-pipeline sync"),
        ({"tables": blocked(Blocker.FAILED_CHECK, "order_ids_are_unique")}, "orders-pipeline findings"),
        ({"table_error": "away"}, "orders-pipeline sync"),
        ({"shown": Shown(MONEY, 1, Decimal("1.00"), 1)}, "orders-pipeline rebuild 2026-03-05"),
        ({"when": When.BEFORE_START}, None),
        ({"shown": NOTHING, "files": []}, None),
        ({"senders": [Sender("shop", NOW, None, is_absent=True)]}, None),
    ],
)
def test_of_a_day_that_is_not_well_the_first_step_is_named(fields: dict[str, Any], command: str | None) -> None:
    found = replace(WELL, **fields)

    assert not found.is_well
    assert found.next[0].command == command


def test_a_day_without_orders_is_usual_if_no_such_weekday_has_any(pipeline: Pipeline) -> None:
    pipeline.execute(
        "INSERT INTO analytics.daily_revenue SELECT day, 1, 1"
        " FROM generate_series(date '2026-01-01', '2026-03-31', '1d') AS day WHERE extract(isodow FROM day) < 7"
    )
    sunday = date(2026, 3, 29)
    monday, early = sunday + timedelta(days=1), date(2026, 1, 25)
    pipeline.execute("DELETE FROM analytics.daily_revenue WHERE order_date = :day", day=monday)

    found = [read_day(postgres.ledger(), s3, read_settings(), day) for day in (sunday, monday, early)]

    assert [(day.usual, day.is_well) for day in found] == [
        (Usual.YES, True),
        (Usual.NO, False),
        (Usual.UNKNOWN, False),
    ]
