"""What each check finds, from its first appearance to its end: it outlives runs that do not look, settles when its
cause is gone, can be accepted, and is open again when it changes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from orders_pipeline import run_tags
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.ledger import findings, staleness
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline.settings import Settings
from orders_pipeline_tests.support.driver import Pipeline, check_results

DAY, OTHER = "2026-03-04", "2026-03-05"
TODAY, ODD = date(2026, 6, 10), "2026-05-18"  # longer ago than what each run compares
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN

Run = Callable[[Pipeline], dg.ExecuteInProcessResult]


def arrival(pipeline: Pipeline, key: str, *rows: str) -> dg.ExecuteInProcessResult:
    """Rows land in a file, and a run loads it."""
    pipeline.land_rows(key, *rows)
    return pipeline.run("s3_arrival")


def elsewhere(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """A run that has nothing to do with what is wrong."""
    return arrival(pipeline, "other.csv", f"z,zoe,1.00,{OTHER}")


def partition(pipeline: Pipeline, key: str, *rows: str, day: str = DAY) -> dg.ExecuteInProcessResult:
    """Rows land in a file, and a run builds their partition."""
    arrival(pipeline, key, *rows)
    return pipeline.run("stale_days", partition=day)


def priced(pipeline: Pipeline, *currencies: str) -> dg.ExecuteInProcessResult:
    """A file lands with an order in each of these currencies, and a run loads it."""
    rows = [f"{number},ann,1.00,{DAY},{currency}" for number, currency in enumerate(currencies)]
    pipeline.land_rows("a.csv", *rows, header="order_id,customer_id,amount,order_date,currency")
    return pipeline.run("s3_arrival")


def nonsense(pipeline: Pipeline, content: str) -> dg.ExecuteInProcessResult:
    """A file without orders lands, and a run takes it."""
    pipeline.land("a.csv", content)
    return pipeline.run("s3_arrival")


def empty_over_loaded(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """An empty file lands in the place of one that counts."""
    arrival(pipeline, "a.csv", f"1,ann,1.00,{DAY}")
    return nonsense(pipeline, "")


def archived(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """A file is known to be archived on S3."""
    nonsense(pipeline, "nonsense\n")
    pipeline.execute(
        "UPDATE ledger.landed_files SET status = 'ignored', reason = 'archived', next_attempt = now() + interval '1 h'"
    )
    return elsewhere(pipeline)


def history(pipeline: Pipeline, amount: str) -> dg.ExecuteInProcessResult:
    """Ten weeks of 100.00 a day, and so much more on ODD."""
    ago = [TODAY - timedelta(days=number) for number in range(1, 71)]
    pipeline.land_rows("history.csv", *(f"{day},ann,100.00,{day}" for day in ago))
    return arrival(pipeline, "more.csv", f"x,bob,{amount},{ODD}")


def vanishing(pipeline: Pipeline, left: str) -> dg.ExecuteInProcessResult:
    """A file worth 10.00 is overwritten by one that is worth less."""
    arrival(pipeline, "a.csv", f"1,ann,10.00,{DAY}")
    return arrival(pipeline, "a.csv", f"1,ann,{left},{DAY}")


def two_shops(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """Two shops have orders with the same id."""
    arrival(pipeline, "shop-a/1.csv", f"1,ann,100.00,{DAY}", f"2,ann,50.00,{OTHER}")
    return arrival(pipeline, "shop-b/1.csv", f"1,ann,10.00,{DAY}")


def two_customers(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """An order is of another customer than in an earlier file."""
    arrival(pipeline, "0.csv", f"1,ann,100.00,{DAY}", f"2,cid,50.00,{OTHER}")
    return arrival(pipeline, "a.csv", f"1,bob,100.00,{DAY}", f"2,cid,50.00,{OTHER}")


def morning(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """The job whose checks compare everything."""
    return pipeline.run("daily_pipeline", partition=DAY)


def tamper(pipeline: Pipeline, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change the orders of DAY in the lake behind the pipeline's back. At first they are 1, 2 and 3, worth as much."""
    if not pipeline.revenue():
        pipeline.land_rows("a.csv", *(f"{number},ann,{number}.00,{DAY}" for number in (1, 2, 3)))
        pipeline.sync()
    of_day = "asset = 'cleaned_orders' AND day = :day"
    ((path,),) = pipeline.query(f"SELECT path FROM ledger.built_days WHERE {of_day}", day=DAY)
    path = s3.lake().write("cleaned_orders/tampered", change(s3.lake().scan([path]).collect()).write_parquet)
    pipeline.execute(f"UPDATE ledger.built_days SET path = :path WHERE {of_day}", path=path, day=DAY)


def without(order_id: str, run: Run) -> Run:
    """An order vanishes from the lake."""

    def lose(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
        tamper(pipeline, lambda frame: frame.filter(pl.col("order_id") != order_id))
        return run(pipeline)

    return lose


def once_more(order_id: str, run: Run) -> Run:
    """An order appears in the lake again."""

    def repeat(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
        tamper(pipeline, lambda frame: pl.concat([frame, frame.filter(pl.col("order_id") == order_id).head(1)]))
        return run(pipeline)

    return repeat


def rebuilt(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """DAY is built again."""
    with postgres.ledger().begin() as transaction:
        staleness.bump_versions(transaction, [date.fromisoformat(DAY)])
    return pipeline.run("s3_arrival")


def edited(revenue: str, run: Run) -> Run:
    """Someone edits the mart."""

    def edit(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
        if not pipeline.revenue():
            pipeline.land_rows("a.csv", f"1,ann,6.00,{DAY}")
            pipeline.sync()
        pipeline.execute(f"UPDATE analytics.daily_revenue SET revenue = {revenue} WHERE order_date = '{DAY}'")
        return run(pipeline)

    return edit


def object_lost(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """A file's object is missing, S3 does not have the file any more, and its day is to be rebuilt."""
    key = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files WHERE key = :key", key=key)
    (Path(s3.lake().uri) / path).unlink()
    pipeline.remove("a.csv")
    pipeline.execute("UPDATE ledger.landed_files SET rules = 0 WHERE key = :key", key=key)
    pipeline.run("s3_arrival")
    return rebuilt(pipeline)


def other_object_lost(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """It is another object that is missing."""
    pipeline.execute("UPDATE ledger.landed_files SET path = path || '.other' WHERE reason = 'lost'")
    return elsewhere(pipeline)


def unlisted(row: int, run: Run) -> Run:
    """A reject vanishes from the mart."""

    def forget(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
        if not pipeline.rejected():
            pipeline.land_rows("a.csv", f"1,,1.00,{DAY}", f"2,,1.00,{DAY}")
            pipeline.sync()
        pipeline.execute("DELETE FROM analytics.rejected_orders WHERE row_number = :row", row=row)
        return run(pipeline)

    return forget


@dataclass(frozen=True)
class Case:
    """How something goes wrong, changes, and is mended; each step evaluates the check. `amounts`: the money at stake
    before and after it changes."""

    check: str
    subject: str
    wrong: Run
    otherwise: Run
    mended: Run
    amounts: tuple[str | None, str | None] = (None, None)
    elsewhere: Run = elsewhere


FILE = "{bucket}/landing/a.csv"
CASES = {
    "quarantined": Case(
        "landed_files_are_readable",
        FILE,
        wrong=lambda p: nonsense(p, "nonsense\n"),
        otherwise=lambda p: nonsense(p, "more nonsense\n"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,1.00,{DAY}"),
    ),
    "empty over loaded": Case(
        "landed_files_are_readable",
        FILE,
        wrong=empty_over_loaded,
        otherwise=lambda p: nonsense(p, "nonsense\n"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,1.00,{DAY}"),
        amounts=("1.00", "1.00"),  # of the version that still counts
    ),
    "archived": Case(
        "landed_files_are_readable",
        FILE,
        wrong=archived,
        otherwise=lambda p: nonsense(p, "more nonsense\n"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,1.00,{DAY}"),
    ),
    "rejected": Case(
        "few_rows_are_rejected",
        FILE,
        wrong=lambda p: arrival(p, "a.csv", f"1,,1.00,{DAY}"),
        otherwise=lambda p: arrival(p, "a.csv", f"1,,1.00,{DAY}", f"2,,1.00,{DAY}"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,1.00,{DAY}"),
        amounts=("1.00", "2.00"),
    ),
    "odd": Case(
        "revenue_is_plausible",
        ODD,
        wrong=lambda p: history(p, "900.00"),
        otherwise=lambda p: arrival(p, "more.csv", f"x,bob,950.00,{ODD}"),
        mended=lambda p: arrival(p, "more.csv", f"x,bob,1.00,{ODD}"),
        amounts=("900.00", "950.00"),
        elsewhere=lambda p: arrival(p, "other.csv", "z,zoe,1.00,2026-06-01"),
    ),
    "vanished": Case(
        "no_revenue_vanishes",
        DAY,
        wrong=lambda p: vanishing(p, "4.00"),
        otherwise=lambda p: arrival(p, "a.csv", f"1,ann,2.00,{DAY}"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,5.00,{DAY}"),
        amounts=("6.00", "8.00"),
    ),
    "negative": Case(
        "no_negative_amounts",
        "landing/",
        wrong=lambda p: partition(p, "a.csv", f"1,ann,-1.00,{DAY}", f"2,ann,1.00,{DAY}"),
        otherwise=lambda p: partition(p, "a.csv", f"1,ann,-1.00,{DAY}", f"2,ann,-1.00,{DAY}"),  # most rows
        mended=lambda p: partition(p, "a.csv", f"1,ann,1.00,{DAY}"),
        amounts=("-1.00", "-2.00"),
        elsewhere=lambda p: partition(p, "elsewhere/other.csv", f"z,zoe,1.00,{OTHER}", day=OTHER),
    ),
    "ids look damaged": Case(
        "ids_look_intact",
        FILE,
        wrong=lambda p: arrival(p, "a.csv", f"1.0,ann,1.00,{DAY}"),
        otherwise=lambda p: arrival(p, "a.csv", f"1.0,ann,1.00,{DAY}", f"'2,bob,2.00,{DAY}"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,1.00,{DAY}"),
        amounts=("1.00", "3.00"),
    ),
    "currencies": Case(
        "amounts_are_in_one_currency",
        "landing/",
        wrong=lambda p: priced(p, "EUR", "EUR", "USD"),
        otherwise=lambda p: priced(p, "EUR", "EUR", "GBP"),
        mended=lambda p: priced(p, "EUR", "EUR", "EUR"),
        amounts=("3.00", "3.00"),
    ),
    "chains differ": Case(
        "revenue_reconciles",
        DAY,
        wrong=edited("7.00", morning),
        otherwise=edited("4.00", elsewhere),
        mended=edited("6.00", elsewhere),
        amounts=("1.00", "-2.00"),
    ),
    "orders lost": Case(
        "no_order_is_lost",
        DAY,
        wrong=without("3", morning),
        otherwise=without("2", elsewhere),
        mended=rebuilt,
        amounts=("3.00", "5.00"),
    ),
    "object missing": Case(
        "no_order_is_lost",
        FILE,
        wrong=object_lost,
        otherwise=other_object_lost,
        mended=lambda p: arrival(p, "a.csv", f"1,ann,1.00,{DAY}"),
    ),
    "rejects not listed": Case(
        "no_order_is_lost",
        f"rejects of {FILE}",
        wrong=unlisted(2, morning),
        otherwise=unlisted(3, elsewhere),
        mended=lambda p: p.run("s3_arrival", tags={run_tags.FULL_REFRESH: "true"}),
    ),
    "orders repeated": Case(
        "order_ids_are_unique",
        DAY,
        wrong=once_more("1", morning),
        otherwise=once_more("1", elsewhere),
        mended=rebuilt,
        amounts=("2.00", "3.00"),
    ),
    "another sender": Case(
        "no_order_replaces_another",
        "{bucket}/landing/shop-b/1.csv",
        wrong=two_shops,
        otherwise=lambda p: arrival(p, "shop-b/1.csv", f"1,ann,10.00,{DAY}", f"2,ann,5.00,{DAY}"),
        mended=lambda p: arrival(p, "shop-b/1.csv", f"b-1,ann,10.00,{DAY}"),
        amounts=("100.00", "150.00"),
    ),
    "another customer": Case(
        "no_order_replaces_another",
        FILE,
        wrong=two_customers,
        otherwise=lambda p: arrival(p, "a.csv", f"1,bob,100.00,{DAY}", f"2,bob,50.00,{OTHER}"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,100.00,{DAY}", f"2,cid,50.00,{OTHER}"),
        amounts=("100.00", "150.00"),
    ),
    "another customer of the same row": Case(
        "no_order_replaces_another",
        FILE,
        wrong=lambda p: arrival(p, "a.csv", f"1,ann,1.00,{DAY}", f"1,bob,1.00,{DAY}"),
        otherwise=lambda p: arrival(p, "a.csv", f"1,ann,2.00,{DAY}", f"1,bob,2.00,{DAY}"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,2.00,{DAY}", f"1,ann,2.00,{DAY}"),
        amounts=("1.00", "2.00"),
    ),
    "lines": Case(
        "repeated_orders_agree",
        FILE,
        wrong=lambda p: arrival(p, "a.csv", f"1,ann,10.00,{DAY}", f"1,ann,20.00,{DAY}"),
        otherwise=lambda p: arrival(p, "a.csv", f"1,ann,10.00,{DAY}", f"1,ann,20.00,{DAY}", f"1,ann,5.00,{OTHER}"),
        mended=lambda p: arrival(p, "a.csv", f"1,ann,35.00,{DAY}"),
        amounts=("10.00", "30.00"),
    ),
    "damaged ids": Case(
        "repeated_orders_agree",
        FILE,
        wrong=lambda p: arrival(p, "a.csv", f"1E+12,ann,10.00,{DAY}", f"1E+12,bob,20.00,{DAY}"),
        otherwise=lambda p: arrival(p, "a.csv", f"1E+12,ann,12.00,{DAY}", f"1E+12,bob,20.00,{DAY}"),
        mended=lambda p: arrival(p, "a.csv", f"1000001,ann,10.00,{DAY}", f"1000002,bob,20.00,{DAY}"),
        amounts=("10.00", "12.00"),
    ),
    "a log of changes": Case(
        "repeated_orders_agree",
        FILE,
        wrong=lambda p: arrival(p, "a.csv", f"1,ann,10.00,{DAY}", f"2,ann,1.00,{DAY}", f"1,ann,0.00,{DAY}"),
        otherwise=lambda p: arrival(p, "a.csv", f"1,ann,10.00,{DAY}", f"1,ann,0.00,{DAY}", f"1,ann,3.00,{DAY}"),
        mended=lambda p: arrival(p, "b.csv", f"1,ann,3.00,{DAY}"),  # of both, a later file has the last word
        amounts=("10.00", "10.00"),
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    found: Case = request.param
    monkeypatch.setattr(Settings, "today", lambda _self: TODAY)
    return found


def opened(case: Case) -> list[Recorded]:
    """The open findings of the case's check about its subject."""
    with postgres.ledger().connect() as connection:
        found = findings.open_findings(connection)
    subject = case.subject.format(bucket=s3.bucket)
    return [one for one in found if (one.kind, one.subject) == (case.check, subject)]


def passed(case: Case, run: dg.ExecuteInProcessResult) -> bool:
    """Whether the check of the case passed in a run."""
    return check_results(run)[case.check].passed


def accept(*found: Recorded) -> None:
    with postgres.ledger().begin() as transaction:
        findings.accept(transaction, [one.id for one in found], "ann")


def test_what_is_wrong_is_reported_by_every_run_until_it_is_mended(pipeline: Pipeline, case: Case) -> None:
    assert not passed(case, case.wrong(pipeline))
    (found,) = opened(case)
    assert found.amount == (case.amounts[0] and Decimal(case.amounts[0]))

    later = check_results(case.elsewhere(pipeline))[case.check]
    assert not later.passed
    assert f"`orders-pipeline accept {found.id}`" in (later.description or "")
    (record,) = later.metadata["Findings"].records  # type: ignore[union-attr]
    assert record.data == {
        "id": found.id,
        "since": f"{found.since:%Y-%m-%d}",
        "subject": found.subject,
        "money": "" if found.amount is None else str(found.amount),
        "message": found.message,
    }
    assert opened(case) == [found]

    assert passed(case, case.mended(pipeline))
    assert opened(case) == []


def test_what_is_accepted_is_not_reported_until_it_changes(pipeline: Pipeline, case: Case) -> None:
    case.wrong(pipeline)
    (found,) = opened(case)
    accept(found)

    later = check_results(case.elsewhere(pipeline))[case.check]
    assert later.passed, later.description
    assert (later.description or "").startswith("Apart from 1 accepted finding: ")

    assert not passed(case, case.otherwise(pipeline))
    (again,) = opened(case)
    assert (again.id, again.since) == (found.id, found.since)
    assert again.amount == (case.amounts[1] and Decimal(case.amounts[1]))

    accept(again)
    assert passed(case, case.mended(pipeline))
    with postgres.ledger().connect() as connection:
        assert [one.id for one in findings.unsettled(connection, case.check)] == []


def test_repeated_orders_that_another_run_found_block_no_other_day(pipeline: Pipeline) -> None:
    blocked = once_more("1", morning)(pipeline)
    assert not blocked.success

    later = elsewhere(pipeline)

    found = check_results(later)["order_ids_are_unique"]
    assert (found.passed, found.severity) == (False, WARN)
    assert later.success
    assert pipeline.revenue() == {DAY: ("6.00", 3), OTHER: ("1.00", 1)}


def test_to_accept_repeated_orders_publishes_no_day(pipeline: Pipeline) -> None:
    once_more("1", morning)(pipeline)
    with postgres.ledger().connect() as connection:
        accept(*findings.open_findings(connection))

    again = check_results(morning(pipeline))["order_ids_are_unique"]

    assert (again.passed, again.severity) == (False, ERROR)
    assert "The findings are accepted, but revenue would still count these orders twice" in (again.description or "")
    assert pipeline.stale("daily_revenue") == []
    assert pipeline.revenue() == {DAY: ("6.00", 3)}


def test_everything_that_is_lost_is_named_at_once(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "today", lambda _self: TODAY)
    pipeline.land_rows("c.csv", "9,ann,9.00,2026-03-06", ",,,2026-03-06")
    pipeline.sync()
    pipeline.execute("DELETE FROM analytics.rejected_orders")
    object_lost(pipeline)
    pipeline.execute("DELETE FROM ledger.built_days WHERE day = '2026-03-06'")
    pipeline.execute("DELETE FROM ledger.order_days WHERE day = '2026-03-06'")

    told = check_results(morning(pipeline))["no_order_is_lost"].description or ""

    assert "1 rows worth 9.00 on 2026-03-06 are neither clean nor superseded (orders 9)" in told
    assert "0 of the 1 rejects of landing/c.csv are listed" in told
    assert f"{DAY} cannot be built and keep their last published values: the objects of 1 file are missing" in told


def test_a_finding_outlives_the_time_in_which_its_day_cannot_be_compared(pipeline: Pipeline) -> None:
    edited("7.00", morning)(pipeline)
    arrival(pipeline, "more.csv", f"2,bob,1.00,{DAY}")  # which the other chain has yet to build

    assert not check_results(elsewhere(pipeline))["revenue_reconciles"].passed

    built = pipeline.run("stale_days", partition=DAY)
    assert check_results(built)["revenue_reconciles"].passed


def test_of_many_findings_the_newest_are_named_and_the_rest_counted(pipeline: Pipeline) -> None:
    for number in range(7):
        pipeline.land(f"{number}.csv", "nonsense\n")
        pipeline.run("s3_arrival")
    with postgres.ledger().connect() as connection:
        ids = [one.id for one in findings.open_findings(connection)]

    found = check_results(pipeline.run("s3_arrival"))["landed_files_are_readable"]

    newest = " ".join(map(str, ids[:1:-1]))
    assert f"`orders-pipeline accept {newest}` (`orders-pipeline findings` lists all 7)." in (found.description or "")
    assert "7 of 7 files are not loaded: landing/6.csv" in (found.description or "")
