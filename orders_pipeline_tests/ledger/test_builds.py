"""Builds and staleness: one rule, and nothing newer is ever replaced by something older."""

import time
from dataclasses import replace
from datetime import date, timedelta
from threading import Thread

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import builds, staleness
from orders_pipeline.ledger.builds import Build, BuiltDay
from orders_pipeline.ledger.models import built_days, order_days
from orders_pipeline.ledger.staleness import Blocked, Blocker, Calendar, Due, Why
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline_tests.support.driver import Pipeline

DAY = date(2026, 3, 4)
CALENDAR = Calendar(date(2026, 1, 1), date(2026, 12, 31), "UTC")
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def connection(pipeline: Pipeline) -> Connection:
    return postgres.ledger().connect()


def built(connection: Connection, asset: str, input_: str, path: str | None = "p", day: date = DAY) -> bool:
    """Mark a day as built from an input; whether the mark was accepted."""
    build = Build(asset, {day: Due(input_, Why.ORDERS)}, CALENDAR)
    return builds.commit_build(connection, build, [BuiltDay(day, input_, 1, path)], "run") == [day]


def bumped(connection: Connection, day: date = DAY) -> str:
    """Bump a day. Its version, as builds have it."""
    staleness.bump_versions(connection, [day])
    return version(connection, day)


def version(connection: Connection, day: date = DAY) -> str:
    return str(connection.execute(sa.select(order_days.c.version).where(order_days.c.day == day)).scalar_one())


def inputs(connection: Connection, asset: str, calendar: Calendar = CALENDAR) -> dict[date, str]:
    """The days of a table that are to be built, with the input of each."""
    return {day: due.input for day, due in staleness.due_days(connection, asset, calendar).due.items()}


def test_a_touched_day_is_stale_until_it_is_built_from_its_version(connection: Connection) -> None:
    first = bumped(connection)
    assert inputs(connection, "cleaned_orders") == {DAY: first}

    assert built(connection, "cleaned_orders", first)
    assert inputs(connection, "cleaned_orders") == {}

    second = bumped(connection)
    assert inputs(connection, "cleaned_orders") == {DAY: second}


def test_a_derived_day_is_stale_when_its_upstream_was_rebuilt(connection: Connection) -> None:
    present = bumped(connection)
    built(connection, "cleaned_orders", present, "first")
    assert inputs(connection, "daily_revenue") == {DAY: "first"}
    assert built(connection, "daily_revenue", "first", None)
    assert inputs(connection, "daily_revenue") == {}

    built(connection, "cleaned_orders", present, "second")
    assert inputs(connection, "daily_revenue") == {DAY: "second"}


def test_a_build_from_an_older_version_is_refused(connection: Connection) -> None:
    counted_by_a_release_before = 10
    connection.execute(sa.insert(order_days).values(day=DAY, version=counted_by_a_release_before))
    assert built(connection, "cleaned_orders", "10", "newer")
    assert not built(connection, "cleaned_orders", "9", "older")
    assert builds.paths(connection, "cleaned_orders", [DAY]) == {DAY: "newer"}

    later = bumped(connection)
    assert built(connection, "cleaned_orders", later, "newer")
    assert not built(connection, "cleaned_orders", "10", "older")
    assert builds.paths(connection, "cleaned_orders", [DAY]) == {DAY: "newer"}


def test_a_mart_built_from_an_upstream_day_that_was_replaced_is_refused(connection: Connection) -> None:
    present = bumped(connection)
    built(connection, "cleaned_orders", present, "first")
    built(connection, "cleaned_orders", present, "second")

    assert not built(connection, "daily_revenue", "first", None)
    assert built(connection, "daily_revenue", "second", None)


def test_older_rules_make_a_day_stale_and_lower_rules_never_replace_higher_ones(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = bumped(connection)
    built(connection, "cleaned_orders", present, "old code")

    with monkeypatch.context() as newer_code:
        newer_code.setitem(CODE_VERSIONS, "cleaned_orders", CODE_VERSIONS["cleaned_orders"] + 1)
        assert inputs(connection, "cleaned_orders") == {DAY: present}
        assert built(connection, "cleaned_orders", present, "new code")

    later = bumped(connection)
    assert inputs(connection, "cleaned_orders") == {}
    assert not built(connection, "cleaned_orders", later, "old code again")
    assert builds.paths(connection, "cleaned_orders", [DAY]) == {DAY: "new code"}


def test_another_time_zone_makes_a_day_stale(connection: Connection) -> None:
    present = bumped(connection)
    built(connection, "cleaned_orders", present)

    assert inputs(connection, "cleaned_orders", replace(CALENDAR, zone="Europe/Berlin")) == {DAY: present}


def test_days_outside_the_calendar_are_never_stale(connection: Connection) -> None:
    staleness.bump_versions(connection, [date(2025, 12, 31), DAY, date(2027, 1, 1)])

    assert staleness.due_days(connection, "daily_orders", CALENDAR).stale == [DAY]
    assert staleness.out_of_range(connection, CALENDAR) == [date(2025, 12, 31), date(2027, 1, 1)]


def test_a_blocked_day_is_not_read_downstream_until_it_is_rebuilt(connection: Connection) -> None:
    present = bumped(connection)
    built(connection, "cleaned_orders", present, "wrong")
    builds.block(connection, "cleaned_orders", [DAY], "order_ids_are_unique")
    found = staleness.due_days(connection, "daily_revenue", CALENDAR)
    assert (found.due, found.stale) == ({}, [])
    assert found.blocked == {DAY: Blocked(Blocker.FAILED_CHECK, ("order_ids_are_unique",))}

    built(connection, "cleaned_orders", present, "right")
    assert inputs(connection, "daily_revenue") == {DAY: "right"}
    assert not staleness.due_days(connection, "daily_revenue", CALENDAR).blocked


@pytest.mark.parametrize("change", ["block", "forget"])
def test_several_days_are_locked_in_order_whoever_changes_them(pipeline: Pipeline, change: str) -> None:
    """Two that take them in different orders would each wait for the other."""
    first, second = DAY, DAY + timedelta(days=1)
    with postgres.ledger().begin() as transaction:
        for day in (second, first):  # as they lie in the table
            built(transaction, "cleaned_orders", bumped(transaction, day), str(day), day)
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
        built(transaction, "cleaned_orders", version(transaction, first), "anew", first)
        other.start()
        while pipeline.query(WAITS) == [(0,)]:
            assert other.is_alive()
        built(transaction, "cleaned_orders", version(transaction, second), "anew", second)
    other.join(30)
    assert failed == []


def test_a_full_refresh_makes_every_day_stale(connection: Connection) -> None:
    present = bumped(connection)
    built(connection, "cleaned_orders", present)

    assert staleness.due_days(connection, "cleaned_orders", CALENDAR, everything=True).due == {
        DAY: Due(present, Why.REFRESH)
    }


def test_a_stale_day_says_why_it_is_stale(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def why(asset: str = "cleaned_orders", calendar: Calendar = CALENDAR, *, everything: bool = False) -> Why | None:
        due = staleness.due_days(connection, asset, calendar, everything=everything).due
        return due[DAY].why if due else None

    present = bumped(connection)
    assert (why(), why(everything=True)) == (Why.NOT_BUILT, Why.NOT_BUILT)
    built(connection, "cleaned_orders", present, "first")
    assert (why(), why(everything=True)) == (None, Why.REFRESH)
    assert why("daily_revenue") == Why.NOT_BUILT
    built(connection, "daily_revenue", "first", None)

    later = bumped(connection)
    assert (why(), why(everything=True)) == (Why.ORDERS, Why.ORDERS)
    assert why(calendar=replace(CALENDAR, zone="Europe/Berlin")) == Why.ZONE
    assert why("daily_revenue") is None
    built(connection, "cleaned_orders", later, "second")
    assert (why(), why("daily_revenue")) == (None, Why.UPSTREAM)

    with monkeypatch.context() as newer_code:
        newer_code.setitem(CODE_VERSIONS, "cleaned_orders", CODE_VERSIONS["cleaned_orders"] + 1)
        assert why() == Why.CODE_VERSION
        built(connection, "cleaned_orders", later, "third")
    assert why(everything=True) is None, "older code rebuilds nothing that newer code has built"


@pytest.mark.parametrize("clock", ["right", "stopped", "behind"])
def test_no_two_bumps_give_the_same_version_though_one_of_them_is_lost(
    connection: Connection, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that failed over bumps the day again, from the version before the lost one."""
    shown = time.time_ns() - (3_600_000_000_000 if clock == "behind" else 0)
    versions = [int(bumped(connection))]
    if clock != "right":
        monkeypatch.setattr(time, "time_ns", lambda: shown)
    for _ in range(10):
        lost = connection.begin_nested()
        versions.append(int(bumped(connection)))
        lost.rollback()
        assert versions[-1] > versions[0]
    assert len(set(versions)) == len(versions)


def test_the_first_version_of_a_day_is_a_new_one_each_time(connection: Connection) -> None:
    versions = [bumped(connection, DAY + timedelta(days=number)) for number in range(5)]

    assert len(set(versions)) == 5


def test_a_change_that_was_asked_for_is_marked_with_its_version(connection: Connection) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    for _ in ("first", "second"):
        staleness.bump_versions(connection, days, asked=[days[0]], taken=[days[1]])
        marked = [tuple(row) for row in connection.execute(sa.select(order_days).order_by("day"))]
        assert [row[2:] for row in marked] == [(marked[0][1], None), (None, marked[1][1])]


@pytest.mark.parametrize("asset", ["cleaned_orders", "daily_orders"])
@pytest.mark.parametrize("has_the_day", [True, False])
def test_a_build_from_a_version_that_the_ledger_lost_is_refused(
    connection: Connection, asset: str, has_the_day: bool
) -> None:
    if has_the_day:
        assert built(connection, asset, bumped(connection), "known")
    failure = connection.begin_nested()
    lost = bumped(connection)
    failure.rollback()

    assert not built(connection, asset, lost, "lost")
    assert builds.paths(connection, asset, [DAY]) == ({DAY: "known"} if has_the_day else {})

    assert built(connection, asset, bumped(connection), "known now")


@pytest.mark.parametrize("asset", ["cleaned_orders", "daily_orders"])
def test_what_was_built_from_a_version_that_the_ledger_lost_is_stale_and_replaced(
    connection: Connection, asset: str
) -> None:
    """An older release accepts such builds."""
    known = bumped(connection)
    failure = connection.begin_nested()
    lost = bumped(connection)
    failure.rollback()
    values = {"rows": 1, "rules": 1, "zone": "UTC", "run_id": "run"}
    connection.execute(sa.insert(built_days).values(asset=asset, day=DAY, input=lost, path="lost", **values))

    assert inputs(connection, asset) == {DAY: known}
    assert built(connection, asset, known, "known")
    assert inputs(connection, asset) == {}


def test_a_build_that_waits_for_a_newer_one_does_not_take_it_for_one_of_a_lost_version(pipeline: Pipeline) -> None:
    with postgres.ledger().begin() as transaction:
        first = bumped(transaction)
        assert built(transaction, "cleaned_orders", first, "first")
    accepted: list[bool] = []

    def build_late() -> None:
        with postgres.ledger().begin() as transaction:
            accepted.append(built(transaction, "cleaned_orders", first, "late"))

    late = Thread(target=build_late)
    with postgres.ledger().begin() as transaction:
        assert built(transaction, "cleaned_orders", bumped(transaction), "newer")
        late.start()
        while pipeline.query(WAITS) == [(0,)]:
            assert late.is_alive()
    late.join(30)
    assert accepted == [False]


def test_a_release_that_counts_up_goes_on_beside_this_one(connection: Connection) -> None:
    first = bumped(connection)
    connection.exec_driver_sql("UPDATE ledger.order_days SET version = version + 1")
    second = version(connection)

    assert built(connection, "daily_orders", first, "first")
    assert inputs(connection, "daily_orders") == {DAY: second}
    assert built(connection, "daily_orders", second, "second")
    assert not built(connection, "daily_orders", first, "first")
    assert int(bumped(connection)) > int(second)
