"""Suspects: which ids look damaged, and what rows with them are worth."""

from decimal import Decimal

import polars as pl
import pytest

from orders_pipeline.landing import suspects
from orders_pipeline.schema import AMOUNT

DAMAGED = [
    "'00777",
    "\t1001",
    " 1001",
    "1001 ",
    "1001\u00a0",
    "\ufeff1001",
    "1001\u200b",
    "1001.0",
    "1001.00",
    "1.23457E+12",
    "1,23457E+12",
    "-1e+21",
    "1E+05",
    "1,001",
    "5-Mar",
    "Mar-05",
    "12,345,678",
    "=A1",
    "caf\ufffd",
]
INTACT = [
    "00777",
    "1001",
    "A-1001",
    "#1001",
    "1.2.3",
    "v1.0",
    "12E5",
    "1E-05",
    "a+b@c.com",
    "3,5",
    "3-5",
    "Mar-2026-7",
    "5-Martin",
    "M\u00fcller & Co",
    "1001.5",
    "O'Hara",
]


def rows(*orders: tuple[str, str, str]) -> pl.DataFrame:
    """Clean rows, each with an order id, a customer id and an amount."""
    frame = pl.DataFrame(orders, schema=["order_id", "customer_id", AMOUNT], orient="row")
    return frame.with_columns(pl.col(AMOUNT).cast(pl.Decimal(18, 2)))


@pytest.mark.parametrize("id_", DAMAGED)
def test_what_a_spreadsheet_a_float_or_stray_white_space_made_of_an_id_is_named(id_: str) -> None:
    found = suspects.find(rows((id_, "ann", "1.25"), ("1", id_, "2.00"), ("2", "bob", "4.00")))

    assert (found.damaged_rows, found.damaged_amount, found.damaged_examples) == (2, Decimal("3.25"), (id_,))


@pytest.mark.parametrize("id_", INTACT)
def test_an_id_as_shops_write_them_is_not_named(id_: str) -> None:
    assert suspects.find(rows((id_, id_, "1.25"))) == suspects.Suspects()


def test_few_and_short_examples_are_kept_whatever_the_batches() -> None:
    batches = [rows((f"{number}.0", f"'{'x' * 5_000}", "1.00")) for number in range(9, 0, -1)]

    found = sum((suspects.find(batch) for batch in batches), suspects.Suspects())

    assert found.damaged_rows == 9
    assert found.damaged_examples == (f"'{'x' * 99}", "1.0", "2.0", "3.0", "4.0")


def test_negative_amounts_are_counted_and_summed() -> None:
    found = suspects.find(rows(("1", "ann", "-1.25"), ("2", "bob", "-0.01"), ("3", "bob", "0.00")))

    assert (found.negative_rows, found.negative_amount) == (2, Decimal("-1.26"))
