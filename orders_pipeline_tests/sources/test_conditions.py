"""Conditions: which column says the currency although no one declared it."""

import pytest

from orders_pipeline.sources.conditions import usual_currency_column
from orders_pipeline.sources.declaration import PLAIN, Source


@pytest.mark.parametrize(
    "name",
    [
        "currency",
        "Currency",
        "CURRENCY_CODE",
        "Currency Code",
        "Currency (ISO)",
        "currency.code",
        "order-currency",
        "price_currency",
        "Total Currency Code",
        "transactionCurrency",
        "iso_currency",
        "CCY",
        "W\u00e4hrung",
        "waehrungscode",
        "moneda",
    ],
)
def test_a_column_with_a_usual_name_says_the_currency(name: str) -> None:
    assert usual_currency_column(PLAIN, ["order_id", "note", name]) == name


@pytest.mark.parametrize(
    "name",
    [
        "presentment_currency",
        "settlement currency",
        "customer_currency",
        "currency_rate",
        "cryptocurrency",
        "_currency",
    ],
)
def test_a_column_that_may_say_something_else_does_not(name: str) -> None:
    assert usual_currency_column(PLAIN, ["order_id", name]) is None


def test_of_several_the_plainest_name_says_it_and_a_declaration_before_all() -> None:
    columns = ["payment_currency", "currency", "currency_code"]

    assert usual_currency_column(PLAIN, columns) == "currency"
    assert usual_currency_column(PLAIN, columns[::-1]) == "currency"
    assert usual_currency_column(Source(currency="EUR"), columns) is None
    assert usual_currency_column(Source(currency_column="currency"), columns) is None
