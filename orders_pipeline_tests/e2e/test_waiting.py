"""Orders of days outside [ORDERS_START_DATE, today] are in no table, and `sync` and `status` say how much that is."""

import json
from datetime import date
from decimal import Decimal

import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.landing import raw_objects
from orders_pipeline.settings import Settings
from orders_pipeline.tables.out_of_range import Side
from orders_pipeline_tests.support.driver import HEADER, Pipeline

pytestmark = pytest.mark.e2e

TODAY = date(2026, 3, 10)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "today", lambda _self: TODAY)


def call(*arguments: str) -> str:
    return CliRunner().invoke(main, arguments).output


def waiting(pipeline: Pipeline) -> dict[Side, tuple[list[str], int | None, str]]:
    return {
        its.side: ([str(day) for day in its.days], its.orders, str(its.amount)) for its in pipeline.status().waiting
    }


@pytest.mark.parametrize(
    ("rows", "due"),
    [
        (["1,ann,10.10,2025-12-31", "2,bob,0.20,2025-12-30"], (["2025-12-30", "2025-12-31"], 2, "10.30")),
        (["1,ann,-3.00,1926-03-04"], (["1926-03-04"], 1, "-3.00")),
        (
            ["1,ann,9999999999999999.99,2025-12-31", "2,ann,0.01,2025-12-31"],
            (["2025-12-31"], 2, "10000000000000000.00"),
        ),
    ],
)
def test_orders_before_the_start_are_counted_with_their_money(
    pipeline: Pipeline, rows: list[str], due: tuple[list[str], int, str]
) -> None:
    pipeline.land_rows("a.csv", *rows, "9,ann,1.00,2026-03-04")

    synced = pipeline.sync()

    assert synced.is_complete
    assert [(its.side, its.orders, str(its.amount), its.files) for its in synced.waiting] == [
        (Side.BEFORE_START, due[1], due[2], ["landing/a.csv"])
    ]
    assert waiting(pipeline) == {Side.BEFORE_START: due}
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}


@pytest.mark.parametrize("day", ["2026-03-11", "2062-03-04", "2199-12-31"])
def test_orders_after_today_are_counted_with_their_money(pipeline: Pipeline, day: str) -> None:
    pipeline.land_rows("a.csv", f"1,ann,2.50,{day}", f"2,ann,1.00,{day}T23:59:59")

    output = call("sync")

    assert f"2 orders worth 3.50 on {day} (in landing/a.csv), after today: not counted yet." in output
    assert "If the dates are wrong, correct the file" in output
    assert output.count("waiting") == 1


def test_both_sides_are_told_apart_by_sync_and_status_for_as_long_as_they_wait(pipeline: Pipeline) -> None:
    pipeline.land_rows("old.csv", "1,ann,1000.50,2025-12-30")
    pipeline.execute("CREATE TABLE orders (order_id int, customer_id text, amount numeric, order_date date)")
    pipeline.execute("INSERT INTO orders VALUES (2, 'ann', 7, '2026-03-12'), (3, 'ann', 1, '2026-03-10')")

    for output in (call("sync"), call("sync"), call("status")):
        assert (
            "1 order worth 1,000.50 on 2025-12-30 (in landing/old.csv), before ORDERS_START_DATE: not counted."
            in output
        )
        assert "set it to 2025-12-30 or earlier" in output
        assert "1 order worth 7.00 on 2026-03-12 (in table:orders/2026-03-12), after today: not counted yet." in output
    found = json.loads(call("status", "--json"))
    assert found["out_of_range_days"] == ["2025-12-30", "2026-03-12"]
    assert found["waiting"][0] == {
        "side": "before_start",
        "days": ["2025-12-30"],
        "orders": 1,
        "amount": "1000.50",
        "files": ["landing/old.csv"],
        "problem": "",
    }


@pytest.mark.parametrize(
    ("later", "due"),
    [
        ("1,ann,5.00,2026-03-04", {}),  # moved into the calendar
        ("1,ann,7.00,2025-12-31", {Side.BEFORE_START: (["2025-12-31"], 1, "7.00")}),
        ("1,ann,7.00,2026-03-11", {Side.AFTER_TODAY: (["2026-03-11"], 1, "7.00")}),
    ],
)
def test_only_the_current_version_of_an_order_waits(
    pipeline: Pipeline, later: str, due: dict[Side, tuple[list[str], int, str]]
) -> None:
    header = f"{HEADER},updated_at"
    pipeline.land_rows("a.csv", "1,ann,1.00,2025-12-31,2026-03-01", "1,ann,2.00,2025-12-30,2026-03-02", header=header)
    pipeline.land_rows("b.csv", f"{later},2026-03-03", header=header)

    pipeline.sync()

    assert waiting(pipeline) == due


def test_an_order_that_left_the_calendar_waits(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,5.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv", "1,ann,1.00,2062-03-04", "2,ann,5.00,2026-03-04")

    pipeline.sync()

    assert waiting(pipeline) == {Side.AFTER_TODAY: (["2062-03-04"], 1, "1.00")}
    assert pipeline.revenue() == {"2026-03-04": ("5.00", 1)}


def test_nothing_waits_once_it_is_corrected_retracted_or_built(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2062-03-04")
    pipeline.land_rows("b.csv", "2,ann,1.00,2062-03-04")
    pipeline.land_rows("c.csv", "3,ann,1.00,2025-12-31")
    pipeline.sync()
    assert [its.orders for its in pipeline.status().waiting] == [1, 2]

    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    call("retract", "landing/b.csv")
    monkeypatch.setenv("ORDERS_START_DATE", "2025-12-31")

    assert pipeline.sync().waiting == []
    assert pipeline.status().waiting == []


def test_days_that_were_built_before_the_start_was_raised_stand_and_do_not_wait(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-01-05", "2,ann,1.00,2026-03-04")
    pipeline.sync()
    monkeypatch.setenv("ORDERS_START_DATE", "2026-02-01")
    assert pipeline.status().waiting == []

    pipeline.land_rows("b.csv", "3,ann,4.00,2026-01-05")
    pipeline.sync()

    assert [its.days for its in pipeline.status().waiting] == [[date(2026, 1, 5)]]
    assert pipeline.revenue()["2026-01-05"] == ("1.00", 1)


@pytest.mark.parametrize("loss", ["removed", "damaged", "emptied"])
def test_status_says_what_it_cannot_count_where_the_lake_has_lost_it(pipeline: Pipeline, loss: str) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2062-03-04")
    pipeline.sync()
    for file in (pipeline.folder / "lake" / "raw_orders").glob("*.parquet"):
        match loss:
            case "removed":
                file.unlink()
            case "damaged":
                file.write_bytes(b"PAR1" + b"x" * 100)
            case _:
                file.write_bytes(b"")

    (its,) = pipeline.status().waiting

    assert (its.orders, its.amount, its.days) == (None, None, [date(2062, 3, 4)])
    assert its.problem
    assert "an unknown number of orders on 2062-03-04, after today: not counted yet." in call("status")


def test_the_lake_is_not_read_where_nothing_waits(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-10", "2,ann,1.00,2026-01-01")
    pipeline.sync()
    monkeypatch.setattr(raw_objects, "candidates", lambda *_: pytest.fail("the lake is read"))

    assert pipeline.sync().waiting == []
    assert pipeline.status().waiting == []


def test_the_money_is_exact(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", *(f"{number},ann,0.10,2062-03-04" for number in range(1_000)))

    (its,) = pipeline.sync().waiting

    assert its.amount == Decimal("100.00")
