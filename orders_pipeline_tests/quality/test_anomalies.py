"""Which days' revenue is out of the usual: the rule alone, on made-up weeks and on those of a real shop."""

import csv
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_pipeline.quality.anomalies import LEAST_WEEKS, WEEKS, Odd, compare, days_needed
from orders_pipeline_tests.support.online_retail import ONLINE_RETAIL

MONDAY = date(2026, 3, 2)
ALIKE = ["1000.00", "1000.01", "999.99", "1000.00", "1000.00", "1000.02", "1000.00", "1000.00"]
VARIED = ["400", "2500", "1000", "700", "1600", "1000", "500", "2000"]


def weeks(amounts: list[str], day: str) -> dict[date, Decimal]:
    """A Monday, and the Mondays before it, the latest first."""
    before = {MONDAY - timedelta(weeks=week): Decimal(amount) for week, amount in enumerate(amounts, start=1)}
    return {**before, MONDAY: Decimal(day)}


def odd(amounts: list[str], day: str) -> bool:
    compared, found = compare(weeks(amounts, day), [MONDAY])
    assert compared == [MONDAY]
    return [found.day for found in found] == [MONDAY]


@pytest.mark.parametrize("day", ["2000.10", "499.00", "0", "-3.00", "1000000"])
def test_far_more_or_far_less_than_the_same_weekday_is_odd(day: str) -> None:
    assert odd(ALIKE, day)


@pytest.mark.parametrize("day", ["1000.00", "1000.50", "1990.00", "501.00"])
def test_where_all_weeks_are_alike_less_than_a_factor_of_two_is_not_odd(day: str) -> None:
    assert not odd(ALIKE, day)


@pytest.mark.parametrize(("day", "expected"), [("3000", False), ("300", False), ("50000", True), ("20", True)])
def test_what_varies_much_may_vary_much(day: str, expected: bool) -> None:
    assert odd(VARIED, day) is expected


def test_a_few_odd_weeks_before_hide_nothing() -> None:
    assert odd([*ALIKE[:5], "90000", "0.01", "90000"], "90000")


def test_short_histories_are_silent() -> None:
    assert compare(weeks(ALIKE[: LEAST_WEEKS - 1], "9999999"), [MONDAY]) == ([], [])
    assert odd(ALIKE[:LEAST_WEEKS], "9999999")


def test_a_weekday_that_does_not_trade_is_silent_and_a_holiday_is_not_usual() -> None:
    assert compare(weeks(["0"] * WEEKS, "0"), [MONDAY]) == ([], [])
    assert odd([*ALIKE[:5], "0", "0", "0"], "0")


def test_a_day_that_is_not_known_is_not_compared_and_counts_for_nothing() -> None:
    known = weeks(ALIKE, "0")
    del known[MONDAY]

    assert compare(known, [MONDAY]) == ([], [])


def test_what_is_found_says_how_far_from_what() -> None:
    _, (high,) = compare(weeks(ALIKE, "4100"), [MONDAY])
    _, (none,) = compare(weeks(ALIKE, "0"), [MONDAY])

    assert str(high) == ("2026-03-02 (Monday) 4,100.00, 4.1 times the usual 1,000.00 (plausible: 500.00 to 2,000.00)")
    assert str(none) == "2026-03-02 (Monday) 0.00, where 1,000.00 is usual (plausible: 500.00 to 2,000.00)"


def test_a_day_needs_itself_and_the_same_weekdays_of_some_weeks() -> None:
    assert sorted(days_needed([MONDAY])) == [MONDAY - timedelta(weeks=WEEKS - n) for n in range(WEEKS + 1)]


amounts = st.decimals("0.01", "1000000", places=2)


@given(st.lists(amounts, min_size=WEEKS, max_size=WEEKS), amounts, st.decimals("0.1", "100", places=1))
def test_the_currency_does_not_matter(history: list[Decimal], day: Decimal, rate: Decimal) -> None:
    """Only ratios count; but for cents, to which bounds are rounded."""
    known = weeks([str(amount) for amount in history], str(day))
    converted = {of: amount * rate * 1000 for of, amount in known.items()}
    _, found = compare({of: amount * 1000 for of, amount in known.items()}, [MONDAY])

    assert [o.day for o in compare(converted, [MONDAY])[1]] == [o.day for o in found]


def real_revenue() -> Mapping[date, Decimal]:
    """By day, of the real orders that have a customer; 0 on the days between that have no file."""
    sums: dict[date, Decimal] = {}
    for file in sorted(ONLINE_RETAIL.glob("*.csv")):
        with file.open() as lines:
            for row in csv.DictReader(lines):
                if row["customer_id"]:
                    day = date.fromisoformat(row["order_date"][:10])
                    sums[day] = sums.get(day, Decimal(0)) + Decimal(row["amount"])
    first, last = min(sums), max(sums)
    every = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return {day: sums.get(day, Decimal(0)) for day in every}


@pytest.mark.skipif(not ONLINE_RETAIL.is_dir(), reason="the real orders are not beside this checkout")
def test_of_a_real_shops_year_the_holidays_and_two_days_of_big_orders_are_odd() -> None:
    known = real_revenue()
    compared, found = compare(known, known)

    assert len(known) == 374
    assert len(compared) == 282  # Saturdays never trade; the first five weeks of each weekday tell nothing
    assert not any(day.weekday() == 5 for day in compared)
    assert {str(odd.day): ratio(odd) for odd in found} == {
        "2011-04-22": "0.0",  # Good Friday
        "2011-04-24": "0.0",  # Easter
        "2011-04-25": "0.0",  # Easter Monday
        "2011-04-29": "0.0",  # a royal wedding
        "2011-05-02": "0.0",  # early May bank holiday
        "2011-05-30": "0.0",  # spring bank holiday
        "2011-08-17": "2.2",  # 46,481: Wednesdays had 12,257 to 25,579
        "2011-08-29": "0.0",  # summer bank holiday
        "2011-09-20": "4.9",  # 103,385, the best day of the year: Tuesdays had 8,608 to 47,973
    }


def ratio(found: Odd) -> str:
    return f"{found.revenue / found.usual.expected:.1f}"
