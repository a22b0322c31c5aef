"""Which days have lost their revenue: the rule alone, on made-up figures."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_pipeline.ledger.published import Shown
from orders_pipeline.quality.vanished import Vanished, compare
from orders_pipeline_tests.support.shown import BY_A_PERSON, BY_THE_SENDER, ShownFigures

DAY = date(2026, 3, 4)
FIRST = datetime(2026, 3, 5, 7, tzinfo=UTC)


def after(figures: str) -> Vanished | None:
    """What is found of a day that showed these figures, one an hour; a person asked for those with an exclamation
    mark."""
    history = [
        Shown(Decimal(figure.rstrip("!")), FIRST + timedelta(hours=hour), f"cause {hour}", figure.endswith("!"))
        for hour, figure in enumerate(figures.split())
    ]
    return compare(DAY, history)


def had(figures: str) -> str | None:
    """The revenue that was there before it vanished."""
    found = after(figures)
    return str(found.had) if found else None


@pytest.mark.parametrize(
    ("figures", "reference"),
    [
        ("100.00 0", "100.00"),
        ("100.00 49.99", "100.00"),
        ("0.01 0", "0.01"),
        ("100.00 -3", "100.00"),
        ("10 100.00 0", "100.00"),
        ("100.00 60 40", "100.00"),  # little by little
        ("100.00 80.00 0", "100.00"),
        ("100.00 0 49.99", "100.00"),  # some of it is back
    ],
)
def test_less_than_half_of_the_highest_figure_has_vanished(figures: str, reference: str) -> None:
    assert had(figures) == reference


@pytest.mark.parametrize(
    "figures",
    ["", "100.00", "0", "0.00 100.00", "100.00 50.00", "100.00 99.99", "10 20 30", "100.00 0 50.00", "100.00 0 200.00"],
)
def test_a_day_that_grows_is_corrected_a_little_or_has_its_revenue_back_has_not(figures: str) -> None:
    assert after(figures) is None


@pytest.mark.parametrize("figures", ["-5", "0 -5", "-1 -100.00", "-100.00 0", "-5! -9"])
def test_a_day_that_never_had_revenue_cannot_lose_it(figures: str) -> None:
    assert after(figures) is None


@pytest.mark.parametrize(
    "figures",
    [
        "100.00 0!",
        "100.00 10! 9",  # a small correction of what a person left
        "100.00 0! 100.00!",
        "100.00 60 0!",  # what went before had not vanished
        "100.00 0! 20 11",
        "100.00 -5! -9",
    ],
)
def test_what_a_person_asked_for_has_not_vanished(figures: str) -> None:
    assert after(figures) is None


@pytest.mark.parametrize(
    ("figures", "reference"),
    [
        ("100.00 40.00! 10.00", "40.00"),
        ("100.00 0! 100.00! 0", "100.00"),
        ("10 200.00! 60", "200.00"),
        ("100.00 30.00 25.00!", "95.00"),  # of a day of which 70.00 had vanished, a person takes 5.00
        ("100.00 30.00 0!", "70.00"),
        ("100.00 10.00 20.00!", "100.00"),
    ],
)
def test_what_a_person_asked_for_hides_nothing_that_vanished_before_or_afterwards(figures: str, reference: str) -> None:
    assert had(figures) == reference


@pytest.mark.parametrize("figures", ["100.00 10 60.00!", "100.00 10 100.00!", "100.00 30 25! 50"])
def test_revenue_that_a_person_brings_back_is_back(figures: str) -> None:
    assert after(figures) is None


def test_what_is_found_says_what_the_day_had_and_has_since_when_and_why() -> None:
    found = after("1234.50 200 100.00")
    assert found is not None

    assert str(found) == "2026-03-04 had 1,234.50 and has 100.00 since 2026-03-05 08:00 UTC (cause 1)"
    finding = found.finding()
    assert (finding.subject, finding.fingerprint, finding.amount) == (
        "2026-03-04",
        "1234.50 100.00",
        Decimal("1134.50"),
    )


def test_a_day_that_vanishes_anew_says_when_it_did_last() -> None:
    assert "since 2026-03-05 10:00 UTC (cause 3)" in str(after("100.00 0 100.00 0"))


@given(st.lists(st.tuples(st.integers(-2, 9), st.booleans()), max_size=8))
def test_the_model_of_the_random_histories_agrees(changes: list[tuple[int, bool]]) -> None:
    model, figures, last = ShownFigures(), [], 0
    for amount, is_asked in changes:
        model.change([DAY], BY_A_PERSON if is_asked else BY_THE_SENDER)
        model.clean([DAY], {str(DAY): (f"{amount}.00", 1)} if amount else {})
        model.show([DAY])
        if amount != last:
            figures.append(f"{amount}{'!' if is_asked else ''}")
        last = amount

    expected = {str(DAY)} if after(" ".join(figures)) else set()
    assert model.have_vanished() == (expected, expected)
