"""What is due is a function of values: of what S3 lists, what the ledger holds and what the calendar has."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orders_pipeline.backlog import PARTITIONED_DAYS, UNPARTITIONED_DAYS, Known, backlog, ranges
from orders_pipeline.ledger.staleness import Blocked, Blocker, Due, DueDays, Why
from orders_pipeline.ledger.versions import TABLE, Entry, FileVersion, Status

DAY, NEXT = date(2026, 3, 4), date(2026, 3, 5)
FILE = FileVersion("bucket", "landing/a.csv", "etag", 10, datetime(2026, 3, 4, tzinfo=UTC))
TABLE_DAY = replace(FILE, bucket=TABLE, key="table:orders/2026-03-04")
STALE = Due("1", Why.ORDERS)
MISSING = Blocked(Blocker.MISSING_OBJECT, ("landing/lost.csv",))
CHECK = Blocked(Blocker.FAILED_CHECK, ("order_ids_are_unique",))


def days(*tables: str, due: tuple[date, ...] = (), blocked: dict[date, Blocked] | None = None) -> dict[str, DueDays]:
    return {table: DueDays(dict.fromkeys(due, STALE), blocked or {}) for table in tables}


def test_nothing_is_due_where_nothing_is_known() -> None:
    left = backlog(Known(days=days(*UNPARTITIONED_DAYS, *PARTITIONED_DAYS)))

    assert not left
    assert not left.has_unpartitioned_work
    assert (left.everything, left.build, left.ranges()) == ([], [], [])


def test_listed_versions_that_are_not_settled_are_to_be_loaded() -> None:
    settled = replace(FILE, key="landing/b.csv")
    known = Known(unsettled=[(FILE, None), (settled, Entry(settled, Status.LOADED, 0, due=True))])

    assert backlog(known).load == [FILE]
    assert backlog(known).has_unpartitioned_work


def test_a_failing_file_that_is_not_due_leaves_something_and_nothing_to_do_now() -> None:
    left = backlog(Known(failing=[Entry(FILE, Status.FAILING, 1, due=False)]))

    assert left
    assert not left.has_unpartitioned_work
    assert left.everything == []


@pytest.mark.parametrize("due", [True, False])
def test_the_source_table_is_asked_when_its_next_attempt_is_due(due: bool) -> None:
    left = backlog(Known(failing=[Entry(TABLE_DAY, Status.FAILING, 1, due), Entry(FILE, Status.FAILING, 1, due)]))

    assert left.everything == ([TABLE_DAY] if due else [])


def test_only_the_days_of_files_that_are_to_be_reprocessed_wait() -> None:
    waiting = {NEXT: Blocked(Blocker.OUTDATED_FILE, ("a.csv",))}
    stale = days("cleaned_orders", "daily_orders", due=(DAY,), blocked=waiting)

    left = backlog(Known(outdated=[FILE], zone="UTC", days=stale))

    assert left.everything == [("reprocess", FILE, "UTC")]
    assert left.build == [("cleaned_orders", DAY, "1")]
    assert list(left.build_partitioned) == [DAY]
    assert left.stale == {"cleaned_orders": [DAY, NEXT], "daily_orders": [DAY, NEXT]}
    assert left.unrecoverable == {}


def test_another_zone_is_other_work() -> None:
    utc, berlin = (backlog(Known(outdated=[FILE], zone=zone)).everything for zone in ("UTC", "Europe/Berlin"))

    assert utc != berlin


def test_a_day_that_changes_again_is_other_work() -> None:
    before, after = (
        backlog(Known(days={"cleaned_orders": DueDays({DAY: Due(version, Why.ORDERS)}, {})})).build
        for version in ("1", "2")
    )

    assert before != after


def test_a_day_whose_file_is_missing_is_left_out_and_stays_stale() -> None:
    known = Known(
        days=days("daily_orders", blocked={DAY: MISSING}) | days("daily_revenue_partitioned", due=(DAY, NEXT))
    )
    left = backlog(known)

    assert list(left.build_partitioned) == [NEXT]  # the mart of the blocked day would have nothing new to read
    assert left.blocked == left.unrecoverable == {DAY: MISSING}
    assert left.stale["daily_orders"] == [DAY]
    assert left


def test_a_day_that_a_check_blocks_leaves_nothing_to_do() -> None:
    left = backlog(Known(days=days("daily_revenue", blocked={DAY: CHECK})))

    assert not left
    assert left.unrecoverable == {}


@pytest.mark.parametrize("gone", [Known(vanished=["landing/a.csv"]), Known(reported_side_files=["landing/_a.csv"])])
def test_what_the_ledger_has_to_forget_takes_a_run(gone: Known) -> None:
    assert backlog(gone).has_unpartitioned_work
    assert backlog(gone)


def test_stale_days_become_ranges_of_at_most_31_that_span_short_gaps() -> None:
    weekdays = [DAY + timedelta(days=n) for n in range(60) if (DAY + timedelta(days=n)).weekday() < 5]
    later = weekdays[-1] + timedelta(days=40)

    found = ranges([*weekdays, later])

    assert [len([day for day in weekdays if first <= day <= last]) for first, last in found] == [31, 12, 0]
    assert found[-1] == (later, later)
    assert ranges([]) == []


def test_no_range_spans_a_blocked_day() -> None:
    between, last = DAY + timedelta(days=1), DAY + timedelta(days=2)
    known = Known(
        days=days("daily_orders", due=(DAY, last), blocked={between: MISSING}) | days("daily_revenue_partitioned")
    )

    assert backlog(known).ranges() == [(DAY, DAY), (last, last)]
