"""The rules about orders, on every kind of frame."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from orders_pipeline import transforms

KINDS: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars-lazy": pl.LazyFrame,
}

pytestmark = pytest.mark.parametrize("kind", KINDS)


def frame(kind: str, *rows: tuple[Any, ...], columns: str = "order_id customer_id amount order_date") -> Any:
    names = columns.split()
    return KINDS[kind]({name: [row[i] for row in rows] for i, name in enumerate(names)})


def dicts(result: Any) -> list[dict[str, Any]]:
    collected = nw.from_native(result).lazy().collect(backend="polars").to_native()
    return sorted(collected.to_dicts(), key=str)


def amounts(result: Any) -> dict[str, Decimal]:
    return {row["order_id"]: row["amount"] for row in dicts(result)}


def reason_of(kind: str, *row: Any, columns: str = "order_id customer_id amount order_date") -> str | None:
    found = dicts(transforms.rejects(frame(kind, row, columns=columns)))
    return found[0]["reason"] if found else None


def test_the_result_is_of_the_kind_that_was_given(kind: str) -> None:
    orders = frame(kind, ("1", "ann", "1.00", "2026-03-04"))

    assert type(transforms.clean(orders)) is type(orders)
    assert type(transforms.rejects(orders)) is type(orders)
    assert type(transforms.revenue_by_day(transforms.clean(orders))) is type(orders)


def test_ids_stay_text_and_amounts_are_exact(kind: str) -> None:
    cleaned = transforms.clean(frame(kind, ("00123", "007", "12.30", "2026-03-04"), ("123", "7", "-5", "2026-03-04")))

    rows = dicts(cleaned)
    assert [(row["order_id"], row["customer_id"], row["amount"]) for row in rows] == [
        ("00123", "007", Decimal("12.30")),
        ("123", "7", Decimal("-5.00")),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.30", "12.30"),
        ("+5", "5.00"),
        ("-0.01", "-0.01"),
        (" 7.5 ", "7.50"),
        ("12.3400", "12.34"),
        ("9999999999999999.99", "9999999999999999.99"),
    ],
)
def test_an_amount_that_is_exact_is_loaded(kind: str, text: str, value: str) -> None:
    assert amounts(transforms.clean(frame(kind, ("1", "a", text, "2026-03-04")))) == {"1": Decimal(value)}


@pytest.mark.parametrize(
    "text", ["12.345", "1,234.50", "1e3", "$5", "99999999999999999.00", "5.", ".5", "NaN", "inf", "1_000", "٣"]
)
def test_an_amount_that_would_be_rounded_or_guessed_is_rejected(kind: str, text: str) -> None:
    assert reason_of(kind, "1", "a", text, "2026-03-04") == "amount_not_decimal"


@pytest.mark.parametrize("missing", [None, "", "  ", "NULL", "null", "N/A"])
def test_a_row_without_a_required_value_is_rejected(kind: str, missing: str | None) -> None:
    assert reason_of(kind, missing, "a", "1", "2026-03-04") == "order_id_missing"
    assert reason_of(kind, "1", missing, "1", "2026-03-04") == "customer_id_missing"
    assert reason_of(kind, "1", "a", missing, "2026-03-04") == "amount_missing"
    assert reason_of(kind, "1", "a", "1", missing) == "order_date_missing"


@pytest.mark.parametrize(
    "text",
    [
        "nan", "NaN", "-nan", "NaT", "<NA>", "None", "none", "NONE", " None ", "undefined", "nil", "inf", "NA",
        "(null)", "[object Object]", "#N/A", "#n/a", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NV",
        "#BEZUG!", "#WERT!", "#\u00dcBERLAUF!", "#\u00a1REF!", "#\u00bfNOMBRE?", "#N/D", "#I/T", "#DIVISION/0!",
        "#\u0417\u041d\u0410\u0427!", "#\u041d/\u0414", "#####", "Err:502",
    ],
)  # fmt: skip
def test_what_programs_write_in_place_of_an_id_is_no_id(kind: str, text: str) -> None:
    assert reason_of(kind, text, "a", "1", "2026-03-04") == "order_id_missing"
    assert reason_of(kind, "1", text, "1", "2026-03-04") == "customer_id_missing"


@pytest.mark.parametrize(
    "text",
    ["#1001", "#A-17", "#A17", "#AB", "#1/2", "#ok!", "NA-17", "Na", "na", "Nancy", "nano", "None-1", "Inf-1", "1.0"],
)
def test_an_id_that_looks_like_one_of_them_stays(kind: str, text: str) -> None:
    assert reason_of(kind, text, text, "1", "2026-03-04") is None


def test_in_an_amount_they_are_no_number_and_not_missing(kind: str) -> None:
    assert reason_of(kind, "1", "a", "#REF!", "2026-03-04") == "amount_not_decimal"
    assert reason_of(kind, "1", "a", "None", "2026-03-04") == "amount_not_decimal"


@pytest.mark.parametrize(
    ("text", "utc", "london"),
    [
        ("2026-07-04", "2026-07-04 00:00:00", "2026-07-04 00:00:00"),
        ("2026-07-04T23:30", "2026-07-04 23:30:00", "2026-07-04 23:30:00"),
        ("2026-07-04 23:30:05.25", "2026-07-04 23:30:05.250000", "2026-07-04 23:30:05.250000"),
        ("2026-07-04T23:30:00Z", "2026-07-04 23:30:00", "2026-07-05 00:30:00"),
        ("2026-07-04T23:30:00-05:00", "2026-07-05 04:30:00", "2026-07-05 05:30:00"),
        ("2026-07-04 23:30:00.5+0200", "2026-07-04 21:30:00.500000", "2026-07-04 22:30:00.500000"),
        ("2026-07-04 23:30+02", "2026-07-04 21:30:00", "2026-07-04 22:30:00"),
        ("2026-07-04T23:30:05.1234567Z", "2026-07-04 23:30:05.123456", "2026-07-05 00:30:05.123456"),
        ("2026-07-04 23:30:05.999999999", "2026-07-04 23:30:05.999999", "2026-07-04 23:30:05.999999"),
        ("2026-07-04T23:30:05.12345678-05:00", "2026-07-05 04:30:05.123456", "2026-07-05 05:30:05.123456"),
        ("2028-02-29", "2028-02-29 00:00:00", "2028-02-29 00:00:00"),
    ],
)
def test_a_time_without_offset_is_in_the_zone_and_one_with_an_offset_is_converted(
    kind: str, text: str, utc: str, london: str
) -> None:
    orders = frame(kind, ("1", "a", "1", text))

    for zone, expected in (("UTC", utc), ("Europe/London", london)):
        assert str(dicts(transforms.clean(orders, zone))[0]["order_date"]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29", "2026-13-01", "2026-04-31", "1899-12-31", "2200-01-01", "2100-02-29", "04.07.2026", "07/04/2026",
        "2026-7-4", "2026-07-04T25:00", "2026-07-04T10:61", "2026-07-04T10:00:00.", "2026-07-04T10", "20260704",
        "2026-07-04+02:00", "2026-07-04T10:00:00+15:00", "1751587200", "tomorrow",
    ],
)  # fmt: skip
def test_a_time_that_does_not_exist_or_would_be_guessed_is_rejected(kind: str, text: str) -> None:
    assert reason_of(kind, "1", "a", "1", text) == "order_date_unreadable"


def test_an_update_time_that_cannot_be_read_is_rejected_and_a_missing_one_is_not(kind: str) -> None:
    columns = "order_id customer_id amount order_date updated_at"

    assert reason_of(kind, "1", "a", "1", "2026-03-04", "yesterday", columns=columns) == "updated_at_unreadable"
    assert reason_of(kind, "1", "a", "1", "2026-03-04", "", columns=columns) is None


def test_of_an_order_that_is_there_twice_the_later_row_wins(kind: str) -> None:
    cleaned = transforms.clean(frame(kind, ("1", "a", "1", "2026-03-04"), ("1", "a", "2", "2026-03-05")))

    assert amounts(cleaned) == {"1": Decimal("2.00")}


def test_the_update_time_decides_before_the_landing_time_the_source_and_the_row(kind: str) -> None:
    def row(source: str, number: int, landed: int, updated: str | None, amount: str) -> tuple[Any, ...]:
        return ("1", "a", amount, "2026-03-04", updated, source, number, datetime(2026, 3, landed, tzinfo=UTC))

    columns = "order_id customer_id amount order_date updated_at _source _row_number _landed_at"
    ranked = [
        row("z", 9, 5, "2026-03-01", "1"),
        row("a", 9, 6, None, "2"),
        row("b", 2, 6, None, "3"),
        row("b", 3, 6, None, "4"),
        row("a", 1, 4, "2026-03-06T00:00:00.000001Z", "5"),
    ]
    for winner in range(1, len(ranked) + 1):
        candidates = ranked[:winner]
        for rows in (candidates, candidates[::-1]):
            assert amounts(transforms.clean(frame(kind, *rows, columns=columns))) == {"1": Decimal(winner)}


def test_sources_compare_bytewise(kind: str) -> None:
    columns = "order_id customer_id amount order_date _source _row_number"
    ordered = ["B.csv", "a.csv", "z.csv", "é.csv"]  # not as a dictionary has them
    for winner in range(1, len(ordered) + 1):
        rows = [("1", "a", str(n), "2026-03-04", source, 1) for n, source in enumerate(ordered[:winner], start=1)]
        assert amounts(transforms.clean(frame(kind, *rows[::-1], columns=columns))) == {"1": Decimal(winner)}


def test_update_times_are_compared_as_instants_even_when_clocks_change(kind: str) -> None:
    # London, 25 October 2026: 01:30 comes twice. With offsets there is no doubt which is later.
    columns = "order_id customer_id amount order_date updated_at"
    rows = [
        ("1", "a", "2", "2026-03-04", "2026-10-25T01:30:00+00:00"),
        ("1", "a", "1", "2026-03-04", "2026-10-25T01:45:00+01:00"),
    ]

    assert amounts(transforms.clean(frame(kind, *rows, columns=columns), "Europe/London")) == {"1": Decimal(2)}


def test_a_clock_reading_is_an_instant_of_its_zone(kind: str) -> None:
    columns = "order_id customer_id amount order_date updated_at"
    rows = [
        ("1", "a", "1", "2026-03-04", "2026-07-04T12:00:00"),  # in London 11:00 UTC
        ("1", "a", "2", "2026-03-04", "2026-07-04T11:30:00Z"),
    ]
    reversed_rows = [("1", "a", "2", *rows[0][3:]), ("1", "a", "1", *rows[1][3:])]

    assert amounts(transforms.clean(frame(kind, *rows, columns=columns), "Europe/London")) == {"1": Decimal(2)}
    assert amounts(transforms.clean(frame(kind, *reversed_rows, columns=columns), "UTC")) == {"1": Decimal(2)}


def test_rejects_show_the_row_as_csv(kind: str) -> None:
    rejected = dicts(transforms.rejects(frame(kind, ("1", 'a "b", c', "x", "2026-03-04"), ("2", None, "1", ""))))

    assert [(row["row_number"], row["raw"]) for row in rejected] == [
        (1, '1,"a ""b"", c",x,2026-03-04'),
        (2, "2,,1,"),
    ]


def test_every_row_is_clean_superseded_or_rejected(kind: str) -> None:
    orders = frame(kind, ("1", "a", "1", "2026-03-04"), ("1", "b", "2", "2026-03-04"), ("2", "", "1", "2026-03-04"))

    assert len(dicts(transforms.clean(orders))) == 1
    assert len(dicts(transforms.rejects(orders))) == 1


def test_nothing_in_nothing_out(kind: str) -> None:
    empty = frame(kind)

    assert dicts(transforms.clean(empty)) == []
    assert dicts(transforms.rejects(empty)) == []
    assert dicts(transforms.revenue_by_day(transforms.clean(empty))) == []
    assert dicts(transforms.spend_by_customer(transforms.clean(empty))) == []


def test_revenue_and_spend_are_exact_sums(kind: str) -> None:
    orders = transforms.clean(
        frame(
            kind,
            ("1", "a", "0.10", "2026-03-04 10:00:00"),
            ("2", "a", "0.20", "2026-03-04 23:59:59"),
            ("3", "b", "9999999999999999.99", "2026-03-04"),
            ("4", "b", "9999999999999999.99", "2026-03-04"),
            ("5", "a", "-1.00", "2026-03-05"),
        )
    )

    assert dicts(transforms.revenue_by_day(orders)) == [
        {"order_date": date(2026, 3, 4), "revenue": Decimal("20000000000000000.28"), "order_count": 4},
        {"order_date": date(2026, 3, 5), "revenue": Decimal("-1.00"), "order_count": 1},
    ]
    assert {
        (row["order_date"].day, row["customer_id"]): row["daily_spend"]
        for row in dicts(transforms.spend_by_customer(orders))
    } == {
        (4, "a"): Decimal("0.30"),
        (4, "b"): Decimal("19999999999999999.98"),
        (5, "a"): Decimal("-1.00"),
    }
