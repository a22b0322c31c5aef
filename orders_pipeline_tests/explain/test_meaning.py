"""What a text means, and which day the name of a file is about."""

from datetime import date

import pytest

from orders_pipeline.explain.meaning import day_of, looks_like_a_file
from orders_pipeline.explain.names import days_named, names

TODAY = date(2026, 3, 6)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-05", date(2026, 3, 5)),
        ("yesterday", date(2026, 3, 5)),
        ("Today", TODAY),
        ("20260305", None),
        ("2026-W10-4", None),
        ("2026-02-30", None),
        ("1001", None),
    ],
)
def test_only_what_is_written_as_a_day_is_one(text: str, day: date | None) -> None:
    assert day_of(text, TODAY) == day


@pytest.mark.parametrize(
    ("key", "first", "last"),
    [
        ("landing/2026-03-05/orders.csv", 5, 5),
        ("landing/shop-20260305T0700.csv", 5, 5),
        ("landing/2026/03/05/orders.csv", 5, 5),
        ("landing/year=2026/month=03/day=05/orders.csv", 5, 5),
        ("landing/2026-03-01_2026-03-07.csv", 1, 7),
        ("table:orders/2026-03-05", 5, 5),
    ],
)
def test_a_key_names_a_day_or_a_range_of_days(key: str, first: int, last: int) -> None:
    assert days_named(key) == (date(2026, 3, first), date(2026, 3, last))
    assert names(key, date(2026, 3, 5))
    assert not names(key, date(2026, 3, 8))


@pytest.mark.parametrize(
    "key", ["landing/orders.csv", "landing/2026-13-05.csv", "landing/12026030512.csv", "a/2026.csv"]
)
def test_a_key_without_a_date_names_none(key: str) -> None:
    assert days_named(key) is None


def test_an_ending_or_a_folder_looks_like_a_file() -> None:
    texts = ("a.csv", "shop/a", "a.csv.gz", "1001", "1001.5", "A-1", "x.")

    assert [text for text in texts if looks_like_a_file(text)] == ["a.csv", "shop/a", "a.csv.gz"]
