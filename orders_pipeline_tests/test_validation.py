"""Which values validation accepts, what it converts them to, and why it refuses a row; on every kind of frame."""

from decimal import Decimal
from typing import Any

import pytest

from orders_pipeline import transforms, validation
from orders_pipeline_tests.support.frames import KINDS, amounts, dicts, frame

pytestmark = pytest.mark.parametrize("kind", KINDS)


def reason_of(kind: str, *row: Any, columns: str = "order_id customer_id amount order_date") -> str | None:
    found = dicts(validation.rejects(frame(kind, row, columns=columns)))
    return found[0]["reason"] if found else None


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


def test_an_id_may_have_a_thousand_characters_and_no_more(kind: str) -> None:
    longest = "é" * 1_000

    assert reason_of(kind, longest, longest, "1", "2026-03-04") is None
    assert reason_of(kind, f"{longest}é", "a", "1", "2026-03-04") == "id_too_long"
    assert reason_of(kind, "1", f"{longest}é", "", "2026-03-04") == "id_too_long"
    (rejected,) = dicts(validation.rejects(frame(kind, ("x" * 3_000, "a", "1", "2026-03-04"))))
    assert (len(rejected["raw"]), rejected["raw"][-1]) == (2_000, "…")


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


def test_rejects_show_the_row_as_csv(kind: str) -> None:
    rejected = dicts(validation.rejects(frame(kind, ("1", 'a "b", c', "x", "2026-03-04"), ("2", None, "1", ""))))

    assert [(row["row_number"], row["raw"]) for row in rejected] == [
        (1, '1,"a ""b"", c",x,2026-03-04'),
        (2, "2,,1,"),
    ]
