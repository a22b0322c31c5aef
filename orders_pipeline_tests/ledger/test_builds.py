"""Builds and staleness: one rule, and nothing newer is ever replaced by something older."""

from dataclasses import replace
from datetime import date, timedelta
from threading import Thread

import pytest
from sqlalchemy.engine import Connection

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import builds, staleness
from orders_pipeline.ledger.builds import Build, BuiltDay
from orders_pipeline.ledger.staleness import Blocked, Blocker, Calendar, Due, Why
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline_tests.support.driver import Pipeline

DAY = date(2026, 3, 4)
CALENDAR = Calendar(date(2026, 1, 1), date(2026, 12, 31), "UTC")


@pytest.fixture
def connection(pipeline: Pipeline) -> Connection:
    return postgres.ledger().connect()


def built(connection: Connection, asset: str, input_: str, path: str | None = "p", day: date = DAY) -> bool:
    """Mark a day as built from an input; whether the mark was accepted."""
    build = Build(asset, {day: Due(input_, Why.ORDERS)}, CALENDAR)
    return builds.commit_build(connection, build, [BuiltDay(day, input_, 1, path)], "run") == [day]


def inputs(connection: Connection, asset: str, calendar: Calendar = CALENDAR) -> dict[date, str]:
    """The days of a table that are to be built, with the input of each."""
    return {day: due.input for day, due in staleness.due_days(connection, asset, calendar).due.items()}


def test_a_touched_day_is_stale_until_it_is_built_from_its_version(connection: Connection) -> None:
    staleness.bump_versions(connection, [DAY])
    assert inputs(connection, "cleaned_orders") == {DAY: "1"}

    assert built(connection, "cleaned_orders", "1")
    assert inputs(connection, "cleaned_orders") == {}

    staleness.bump_versions(connection, [DAY])
    assert inputs(connection, "cleaned_orders") == {DAY: "2"}


def test_a_derived_day_is_stale_when_its_upstream_was_rebuilt(connection: Connection) -> None:
    staleness.bump_versions(connection, [DAY])
    built(connection, "cleaned_orders", "1", "first")
    assert inputs(connection, "daily_revenue") == {DAY: "first"}
    assert built(connection, "daily_revenue", "first", None)
    assert inputs(connection, "daily_revenue") == {}

    built(connection, "cleaned_orders", "1", "second")
    assert inputs(connection, "daily_revenue") == {DAY: "second"}


def test_a_build_from_an_older_version_is_refused(connection: Connection) -> None:
    for _ in range(10):
        staleness.bump_versions(connection, [DAY])
    assert built(connection, "cleaned_orders", "10", "newer")

    assert not built(connection, "cleaned_orders", "9", "older")
    assert builds.paths(connection, "cleaned_orders", [DAY]) == {DAY: "newer"}


def test_a_mart_built_from_an_upstream_day_that_was_replaced_is_refused(connection: Connection) -> None:
    staleness.bump_versions(connection, [DAY])
    built(connection, "cleaned_orders", "1", "first")
    built(connection, "cleaned_orders", "1", "second")

    assert not built(connection, "daily_revenue", "first", None)
    assert built(connection, "daily_revenue", "second", None)


def test_older_rules_make_a_day_stale_and_lower_rules_never_replace_higher_ones(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    staleness.bump_versions(connection, [DAY])
    built(connection, "cleaned_orders", "1", "old code")

    with monkeypatch.context() as newer_code:
        newer_code.setitem(CODE_VERSIONS, "cleaned_orders", CODE_VERSIONS["cleaned_orders"] + 1)
        assert inputs(connection, "cleaned_orders") == {DAY: "1"}
        assert built(connection, "cleaned_orders", "1", "new code")

    staleness.bump_versions(connection, [DAY])
    assert inputs(connection, "cleaned_orders") == {}
    assert not built(connection, "cleaned_orders", "2", "old code again")
    assert builds.paths(connection, "cleaned_orders", [DAY]) == {DAY: "new code"}


def test_another_time_zone_makes_a_day_stale(connection: Connection) -> None:
    staleness.bump_versions(connection, [DAY])
    built(connection, "cleaned_orders", "1")

    assert inputs(connection, "cleaned_orders", replace(CALENDAR, zone="Europe/Berlin")) == {DAY: "1"}


def test_days_outside_the_calendar_are_never_stale(connection: Connection) -> None:
    staleness.bump_versions(connection, [date(2025, 12, 31), DAY, date(2027, 1, 1)])

    assert staleness.due_days(connection, "daily_orders", CALENDAR).stale == [DAY]
    assert staleness.out_of_range(connection, CALENDAR) == [date(2025, 12, 31), date(2027, 1, 1)]


def test_a_blocked_day_is_not_read_downstream_until_it_is_rebuilt(connection: Connection) -> None:
    staleness.bump_versions(connection, [DAY])
    built(connection, "cleaned_orders", "1", "wrong")
    builds.block(connection, "cleaned_orders", [DAY], "order_ids_are_unique")
    found = staleness.due_days(connection, "daily_revenue", CALENDAR)
    assert (found.due, found.stale) == ({}, [])
    assert found.blocked == {DAY: Blocked(Blocker.FAILED_CHECK, ("order_ids_are_unique",))}

    built(connection, "cleaned_orders", "1", "right")
    assert inputs(connection, "daily_revenue") == {DAY: "right"}
    assert not staleness.due_days(connection, "daily_revenue", CALENDAR).blocked


@pytest.mark.parametrize("change", ["block", "forget"])
def test_several_days_are_locked_in_order_whoever_changes_them(pipeline: Pipeline, change: str) -> None:
    """Two that take them in different orders would each wait for the other."""
    first, second = DAY, DAY + timedelta(days=1)
    with postgres.ledger().begin() as transaction:
        for day in (second, first):  # as they lie in the table
            built(transaction, "cleaned_orders", "1", str(day), day)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    failed: list[Exception] = []

    def change_both() -> None:
        try:
            with postgres.ledger().begin() as transaction:
                if change == "block":
                    builds.block(transaction, "cleaned_orders", [second, first], "order_ids_are_unique")
                else:
                    builds.mark_missing(transaction, "cleaned_orders", [str(second), str(first)])
        except Exception as error:  # a deadlock may end either side
            failed.append(error)

    other = Thread(target=change_both)
    with postgres.ledger().begin() as transaction:
        built(transaction, "cleaned_orders", "2", "anew", first)
        other.start()
        while pipeline.query(waits) == [(0,)]:
            assert other.is_alive()
        built(transaction, "cleaned_orders", "2", "anew", second)
    other.join(30)
    assert failed == []


def test_a_full_refresh_makes_every_day_stale(connection: Connection) -> None:
    staleness.bump_versions(connection, [DAY])
    built(connection, "cleaned_orders", "1")

    assert staleness.due_days(connection, "cleaned_orders", CALENDAR, everything=True).due == {
        DAY: Due("1", Why.REFRESH)
    }


def test_a_stale_day_says_why_it_is_stale(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def why(asset: str = "cleaned_orders", calendar: Calendar = CALENDAR, *, everything: bool = False) -> Why | None:
        due = staleness.due_days(connection, asset, calendar, everything=everything).due
        return due[DAY].why if due else None

    staleness.bump_versions(connection, [DAY])
    assert (why(), why(everything=True)) == (Why.NOT_BUILT, Why.NOT_BUILT)
    built(connection, "cleaned_orders", "1", "first")
    assert (why(), why(everything=True)) == (None, Why.REFRESH)
    assert why("daily_revenue") == Why.NOT_BUILT
    built(connection, "daily_revenue", "first", None)

    staleness.bump_versions(connection, [DAY])
    assert (why(), why(everything=True)) == (Why.ORDERS, Why.ORDERS)
    assert why(calendar=replace(CALENDAR, zone="Europe/Berlin")) == Why.ZONE
    assert why("daily_revenue") is None
    built(connection, "cleaned_orders", "2", "second")
    assert (why(), why("daily_revenue")) == (None, Why.UPSTREAM)

    with monkeypatch.context() as newer_code:
        newer_code.setitem(CODE_VERSIONS, "cleaned_orders", CODE_VERSIONS["cleaned_orders"] + 1)
        assert why() == Why.CODE_VERSION
        built(connection, "cleaned_orders", "2", "third")
    assert why(everything=True) is None, "older code rebuilds nothing that newer code has built"
