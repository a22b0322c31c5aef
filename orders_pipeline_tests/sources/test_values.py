"""Values as a source declares to write them: exactly what was meant, or a reject; on every kind of frame."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_pipeline import validation
from orders_pipeline.sources.dates import plain_times
from orders_pipeline.sources.declaration import Source
from orders_pipeline_tests.support.frames import KINDS, dicts, frame

COLUMNS = "order_id customer_id amount order_date updated_at currency"
every_kind = pytest.mark.parametrize("kind", KINDS)


def read(source: Source, zone: str = "UTC", kind: str = "polars", **values: Any) -> dict[str, Any]:
    """One validated row."""
    row = {"order_id": "1", "customer_id": "ann", "amount": "1", "order_date": "2026-03-05"} | values
    raw = frame(kind, tuple(row.get(name) for name in COLUMNS.split()), columns=COLUMNS)
    (found,) = dicts(validation.validate(raw, zone, source))
    return found


def amount(source: Source, text: str, **values: Any) -> str | None:
    """The exact amount of a text, or the reason why it has none."""
    found = read(source, amount=text, **values)
    return str(found["_amount"]) if found["_reason"] is None else found["_reason"]


def day(source: Source, text: str, zone: str = "UTC") -> str | None:
    found = read(source, zone, order_date=text)
    return found["_day"].isoformat() if found["_reason"] is None else found["_reason"]


NO = "amount_not_decimal"


@every_kind
def test_every_kind_of_frame_reads_the_same(kind: str) -> None:
    source = Source(decimal=",", thousands=".", date_formats=("%d.%m.%Y %H:%M", "%d.%m.%Y"), timezone="Europe/Berlin")
    found = read(source, kind=kind, amount="1.234,50", order_date="05.03.2026 00:30", updated_at="05.03.2026")

    assert (found["_reason"], found["_amount"], found["_day"]) == (None, Decimal("1234.50"), date(2026, 3, 4))
    assert found["_updated_at"] == datetime(2026, 3, 4, 23, tzinfo=UTC)
    assert found["amount"] == "1.234,50"


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        (
            {"decimal": ","},
            {"1,5": "1.50", "-0,01": "-0.01", "+12": "12.00", " 7,50 ": "7.50", "1.5": NO, "1.234,5": NO, ",5": NO}
            | {"1,234": NO, "1,2,3": NO, "1,": NO, "--1": NO, "1e3": NO, "9999999999999999,99": "9999999999999999.99"},
        ),
        (
            {"decimal": ",", "thousands": "."},
            {"1.234,5": "1234.50", "1.234.567": "1234567.00", "1234,5": "1234.50", "12.34,5": NO, "1.2345": NO}
            | {".123,4": NO, "1..234": NO, "1,234.50": NO, "0.001": "1.00", "1.234,567": NO},
        ),
        ({"decimal": ",", "thousands": " "}, {"1 234,5": "1234.50", "1\u00a0234": "1234.00", "1\u202f234": "1234.00"}),
        ({"thousands": ","}, {"1,234.50": "1234.50", "1,23": NO, "12,345": "12345.00", "1.234,50": NO}),
        ({"thousands": "'"}, {"1'234.50": "1234.50", "1\u2019234.50": "1234.50"}),
        ({"thousands": "_"}, {"1_234": "1234.00", "1_2": NO}),
        (
            {"amount_unit": "minor"},
            {"1250": "12.50", "5": "0.05", "-7": "-0.07", "+100": "1.00", "0": "0.00", "12.0": "0.12", "12.5": NO}
            | {"1,000": NO, "999999999999999999": "9999999999999999.99", "9" * 19: NO, "": "amount_missing"},
        ),
        (
            {"amount_unit": "minor", "decimal": ",", "thousands": "."},
            {"1.250": "12.50", "1250,0": "12.50", "1250": "12.50", "12,5": NO, "1.25": NO},
        ),
        ({"amount_unit": "minor", "currency": "JPY"}, {"1250": "1250.00", "JPY 5": "5.00", "¥5": "5.00"}),
        ({"amount_unit": "minor", "currency": "KWD"}, {"1250": "1.25", "1251": NO, "-10": "-0.01"}),
        (
            {"currency": "USD"},
            {"$12.34": "12.34", "-$5": "-5.00", "$-5": "-5.00", "$ 1": "1.00", "1 USD": "1.00", "USD1.5": "1.50"}
            | {"€5": NO, "5 EUR": NO, "$": NO, "1$2": NO, "$-$5": NO, "+$-5": NO},
        ),
        ({"currency": "EUR", "decimal": ",", "thousands": "."}, {"1.234,50 €": "1234.50", "€ 12,5": "12.50"}),
    ],
    ids=str,
)
def test_an_amount_is_exactly_what_the_source_declares_or_rejected(fields: Any, texts: dict[str, str]) -> None:
    source = Source.model_validate(fields)

    assert {text: amount(source, text) for text in texts} == texts


def test_minor_units_follow_the_currency_of_the_row() -> None:
    source = Source(amount_unit="minor", currency_column="currency")

    found = {code: amount(source, "1230", currency=code) for code in ("EUR", "jpy", "KWD", "CLF", "€", None)}

    assert found == {
        "EUR": "12.30", "jpy": "1230.00", "KWD": "1.23", "CLF": NO, "€": "currency_unclear", None: "currency_unclear",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("formats", "texts"),
    [
        (
            ["%d.%m.%Y"],
            {"05.03.2026": "2026-03-05", "5.3.2026": "2026-03-05", " 05.03.2026 ": "2026-03-05"}
            | dict.fromkeys(
                ["2026-03-05", "05.03.26", "31.02.2026", "29.02.2026", "05.03.2026 10:00", "05x03x2026", "005.03.2026"],
                "order_date_unreadable",
            )
            | {"29.02.2028": "2028-02-29", "": "order_date_missing"},
        ),
        (["%m/%d/%y"], {"03/05/26": "2026-03-05", "12/31/69": "1969-12-31", "13/01/26": "order_date_unreadable"}),
        (["%Y%m%d"], {"20260305": "2026-03-05", "2026305": "order_date_unreadable"}),
        (["%b-%d-%y %H:%M:%S"], {"Mar-05-26 23:45:00": "2026-03-05", "MAR-5-26 3:5:0": "2026-03-05"}),
        (["%d %B %Y"], {"5 March 2026": "2026-03-05", "5 Mar 2026": "order_date_unreadable"}),
        (
            ["%m/%d/%Y %I:%M %p"],
            {"03/05/2026 12:30 am": "2026-03-05", "03/05/2026 13:30 PM": "order_date_unreadable"}
            | {"03/05/2026 0:30 AM": "order_date_unreadable", "03/05/2026 11:30": "order_date_unreadable"},
        ),
        (
            ["%d/%m/%Y", "%m/%d/%Y"],
            {"05/03/2026": "order_date_unclear", "05/05/2026": "2026-05-05", "31/03/2026": "2026-03-31"}
            | {"03/31/2026": "2026-03-31", "31/31/2026": "order_date_unreadable"},
        ),
        (["%Y.%m.%d [%H]"], {"2026.03.05 [23]": "2026-03-05", "2026x03.05 [23]": "order_date_unreadable"}),
    ],
    ids=str,
)
def test_a_date_is_exactly_what_the_source_declares_or_rejected(formats: list[str], texts: dict[str, str]) -> None:
    source = Source.model_validate({"date_formats": formats})

    assert {text: day(source, text) for text in texts} == texts


def test_a_time_without_offset_is_in_the_declared_zone_and_a_date_is_never_converted() -> None:
    source = Source(timezone="America/New_York")

    assert day(source, "2026-03-05T23:30:00") == "2026-03-06"
    assert day(source, "2026-03-05 18:59:59") == "2026-03-05"
    assert day(source, "2026-03-05T23:30:00Z") == "2026-03-05"
    assert day(source, "2026-03-05") == "2026-03-05"
    assert day(source, "2026-03-05T23:30:00", "America/New_York") == "2026-03-05"
    assert day(Source(timezone="Asia/Tokyo"), "2026-03-05") == "2026-03-05"
    updated = read(source, updated_at="2026-07-05T12:00:00")["_updated_at"]
    assert updated == datetime(2026, 7, 5, 16, tzinfo=UTC)


def test_an_updated_at_that_is_not_as_declared_is_rejected() -> None:
    source = Source(date_formats=("%d.%m.%Y", "%m.%d.%Y"))

    for text in ("2026-03-05", "05.03.2026", "x"):
        assert read(source, order_date="31.03.2026", updated_at=text)["_reason"] == "updated_at_unreadable"


MONEY = st.decimals(-(10**13), 10**13, places=2, allow_nan=False)
MARKS = st.sampled_from(
    [(".", None), (",", None), (",", "."), (".", ","), (",", " "), (".", "'"), (",", "'"), (".", "_")]
)


@settings(deadline=None)
@given(MONEY, MARKS, st.booleans())
def test_what_a_writer_of_the_declaration_wrote_is_read_exactly(value: Decimal, marks: Any, grouped: bool) -> None:
    decimal, thousands = marks
    text = f"{value:,}" if grouped and thousands else str(value)
    text = text.translate({ord(","): thousands, ord("."): decimal})

    assert amount(Source(decimal=decimal, thousands=thousands), text) == str(value)


@settings(deadline=None)
@given(st.text("0123456789.,' -+", max_size=12), MARKS)
def test_any_other_text_is_that_number_or_a_reject(text: str, marks: Any) -> None:
    """By another reading: remove what may be between the groups, and see whether that was written."""
    decimal, thousands = marks
    found = amount(Source(decimal=decimal, thousands=thousands), text)

    if found not in (NO, "amount_missing"):
        plain = text.strip().replace(thousands or decimal, "" if thousands else ".").replace(decimal, ".")
        assert Decimal(plain) == Decimal(found or "")
        if thousands and thousands in text.strip():
            whole = text.strip().lstrip("+-").split(decimal)[0]
            assert (
                f"{int(whole.replace(thousands, '')):,}".replace(",", thousands) == whole.lstrip("0") or whole[0] == "0"
            )


@pytest.mark.parametrize("formats", [["%d.%m.%Y %H:%M", "%d.%m.%Y"], ["%m/%d/%y %I:%M %p", "%d/%m/%y %I:%M %p"]])
def test_a_date_is_the_same_whatever_stands_beside_it(formats: list[str]) -> None:
    padded = [
        "05.03.2026 07:30",
        "05.03.2026",
        "31.02.2026",
        "03/05/26 01:30 PM",
        "05/05/26 12:00 am",
        "xx/yy/zz aa:bb AM",
    ]
    others = ["5.3.2026 7:30", "", "§§.§§.§§§§", "3/15/26 1:30 PM", "2026-03-05"]

    for texts in (padded, [*padded, *others], [None, *others, None]):
        together = plain_times(pl.Series(texts, dtype=pl.String), formats).to_list()

        assert together == [plain_times(pl.Series([text], dtype=pl.String), formats)[0] for text in texts]


FORMATS = ["%d.%m.%Y %H:%M:%S", "%m/%d/%y %I:%M:%S %p", "%Y%m%d%H%M%S", "%B %d, %Y %H:%M:%S", "%d-%b-%Y %H.%M.%S"]


@settings(deadline=None)
@given(st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)), st.sampled_from(FORMATS))
def test_what_a_clock_wrote_in_a_format_is_read_exactly(moment: datetime, date_format: str) -> None:
    found = read(Source(date_formats=(date_format,)), order_date=moment.strftime(date_format))

    assert found["_order_date"] == moment.replace(microsecond=0)
