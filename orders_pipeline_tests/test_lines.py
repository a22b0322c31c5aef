"""Orders in several lines: what becomes of the rows of one file, and that a sum is exact or a reject."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_pipeline import validation
from orders_pipeline.lines import SETTLED, needed, settle_lines
from orders_pipeline.schema import LANDED_AT, PROBLEM, ROW_NUMBER, SOURCE, TEXT, VALIDATION_COLUMNS
from orders_pipeline.sources.declaration import Source

SUM: Final = Source(lines="sum", deletes={"op": ("D",)}, drop={"state": ("draft",)})
REFUSE: Final = Source(lines="refuse", drop={"state": ("draft",)})
DAY: Final = "2026-03-04"
COLUMNS: Final = ("order_id", "customer_id", "amount", "order_date", "updated_at", "op", "state")

Outcome = tuple[str, str | None, str | None]  # outcome, reason, amount


def settle(source: Source, *rows: Sequence[str | None]) -> list[Outcome]:
    """What becomes of each row, in their order. Values that are left out are those of `line`."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    validated = validation.validate(frame.with_row_index("_row_number", offset=2), "UTC", source)
    settled = settle_lines(validated, source).sort("_row_number")
    assert settled.columns == validated.columns
    is_version = pl.col("_outcome").is_in(["counts", "void"])
    assert settled.filter(~is_version)["_day", "_order_date", "_updated_at", "_amount"].null_count().row(0) == (
        (settled.filter(~is_version).height,) * 4
    )
    found = settled.select("_outcome", "_reason", pl.col("_amount").cast(pl.String))
    return [(outcome, reason, amount) for outcome, reason, amount in found.iter_rows()]


def line(order_id: str | None = "1", amount: str | None = "1.00", **more: str) -> list[str | None]:
    values: Mapping[str, str | None] = {
        "customer_id": "ann",
        "order_date": DAY,
        **more,
        "order_id": order_id,
        "amount": amount,
    }
    return [values.get(name) for name in COLUMNS]


COUNTED: Final = ("merged", None, None)
ASIDE: Final = ("rejected", "line_rejected", None)


def counts(amount: str) -> Outcome:
    return "counts", None, amount


def rejected(reason: str) -> Outcome:
    return "rejected", reason, None


VOID: Final = ("void", None, None)
BLANK: Final = ("blank", None, None)
NO_AMOUNT: Final = rejected("amount_missing")
UNSETTLED: Final = {
    "the last line of an order has the sum": (
        [line(amount="10.00"), line("2", "7"), line(amount="20"), line(amount="-5.50")],
        [COUNTED, counts("7.00"), COUNTED, counts("24.50")],
    ),
    "the line with the latest updated_at has it, before any without": (
        [line(updated_at="2026-03-06"), line(updated_at="2026-03-05"), line()],
        [counts("3.00"), COUNTED, COUNTED],
    ),
    "a line without amount is none, whatever else it lacks": (
        [line(), line(amount=" ", customer_id="", order_date="x"), line(amount="N/A"), line(None, None)],
        [counts("1.00"), BLANK, BLANK, rejected("order_id_missing")],
    ),
    "an order without any amount is rejected, whatever else it lacks": (
        [line(amount=""), line(amount=None, customer_id="", updated_at="soon"), line("2", "N/A"), line("3")],
        [NO_AMOUNT, NO_AMOUNT, NO_AMOUNT, counts("1.00")],
    ),
    "beside a row that is rejected or void, a row without amount is none": (
        [
            line(amount="x"),
            line(amount=""),
            line("2", state="draft"),
            line("2", ""),
            line("3", "", op="D"),
            line("3", ""),
        ],
        [rejected("amount_not_decimal"), BLANK, VOID, BLANK, VOID, BLANK],
    ),
    "an empty row is none": (
        [line(), [None, "", " ", "null", None, None, None]],
        [counts("1.00"), BLANK],
    ),
    "a line that cannot be read sets its order aside": (
        [line(), line(amount="1,5"), line(), line("2"), line("", "x")],
        [ASIDE, rejected("amount_not_decimal"), ASIDE, counts("1.00"), rejected("order_id_missing")],
    ),
    "lines of an order have one customer": (
        [line(), line(customer_id="bob"), line("2")],
        [rejected("lines_differ"), rejected("lines_differ"), counts("1.00")],
    ),
    "lines of an order have one day, at any time": (
        [line(), line(order_date=f"{DAY} 23:59"), line("2"), line("2", order_date="2026-03-05")],
        [COUNTED, counts("2.00"), rejected("lines_differ"), rejected("lines_differ")],
    ),
    "a sum that is too large rejects its lines": (
        [line(amount="9999999999999999.99"), line(amount="0.01")],
        [rejected("amount_not_decimal"), rejected("amount_not_decimal")],
    ),
    "a sum may be too large on the way": (
        [line(amount="9999999999999999.99"), line(amount="0.01"), line(amount="-0.02")],
        [COUNTED, COUNTED, counts("9999999999999999.98")],
    ),
    "a dropped line has no part in the sum, and does not delete it": (
        [line(), line(amount="5", state="draft"), line(amount="x", state="draft", customer_id="bob")],
        [counts("1.00"), COUNTED, COUNTED],
    ),
    "an order whose lines are all dropped is void": (
        [line(state="draft"), line(state="draft"), line("2")],
        [VOID, VOID, counts("1.00")],
    ),
    "a dropped line of an order that is set aside deletes nothing": (
        [line(state="draft"), line(amount="x")],
        [ASIDE, rejected("amount_not_decimal")],
    ),
    "a dropped line without an id has no effect, as everywhere": (
        [line("", state="draft"), line("", "x")],
        [VOID, rejected("order_id_missing")],
    ),
    "lines are summed between deletes": (
        [line(), line(amount="2"), line(amount=None, op="D"), line(amount="4"), line(amount="8")],
        [COUNTED, counts("3.00"), VOID, COUNTED, counts("12.00")],
    ),
    "a delete ends what is older, wherever it is in the file": (
        [
            line(amount=None, op="D", updated_at="2026-03-05"),
            line(updated_at="2026-03-04"),
            line(updated_at="2026-03-06"),
        ],
        [VOID, counts("1.00"), counts("1.00")],
    ),
    "a delete beside a line that cannot be read still deletes": (
        [line(), line(amount="x"), line(amount=None, op="D")],
        [ASIDE, rejected("amount_not_decimal"), VOID],
    ),
    "a delete without a readable time is rejected, with the order": (
        [line(), line(amount=None, op="D", updated_at="soon")],
        [ASIDE, rejected("updated_at_unreadable")],
    ),
}


@pytest.mark.parametrize("case", UNSETTLED)
def test_lines_are_summed(case: str) -> None:
    rows, expected = UNSETTLED[case]

    assert settle(SUM, *rows) == expected


def test_a_repeated_id_is_refused_in_all_its_rows_that_are_not_void() -> None:
    rows = [line(), line(), line("2"), line("3", state="draft"), line("3"), line("4", "x"), line("4"), line("", "x")]

    again = rejected("order_id_repeated")
    assert settle(REFUSE, *rows) == [
        again,
        again,
        counts("1.00"),
        VOID,
        counts("1.00"),
        rejected("amount_not_decimal"),
        again,
        rejected("order_id_missing"),
    ]


@pytest.mark.parametrize("name", [*VALIDATION_COLUMNS, ROW_NUMBER, SOURCE, LANDED_AT, PROBLEM, TEXT])
def test_a_condition_on_a_column_named_like_one_of_the_pipelines_own_reads_the_senders(name: str) -> None:
    source = Source(lines="sum", deletes={name: ("D",)})
    frame = pl.DataFrame([line(), line(amount="2.00")], schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    frame = frame.with_columns(pl.Series(f"x{name}", ["D", ""]), _row_number=pl.Series([2, 3]))

    validated = validation.validate(frame, "UTC", source)
    settled = settle_lines(validated.select(*needed(source, validated.columns), *SETTLED), source)

    assert settled.sort("_row_number")["_outcome"].to_list() == ["void", "counts"]


CENTS: Final = st.integers(-(10**18) + 1, 10**18 - 1)
AMOUNTS: Final = st.one_of(
    st.sampled_from(["", "0", "0.10", "0.20", "-0.30", "9999999999999999.99"]),
    CENTS.map(lambda cents: f"{Decimal(cents).scaleb(-2):f}"),
    st.sampled_from(["1,5", "1.005", "x", "1e3"]),
)
LINES: Final = st.lists(
    st.tuples(st.sampled_from(["1", "1", "2", " 2"]), AMOUNTS, st.sampled_from(["", "", "2026-03-05", "2026-03-06"])),
    max_size=12,
)


@settings(deadline=None)
@given(LINES)
def test_a_sum_is_the_one_worked_out_by_hand_or_its_lines_are_rejected(rows: list[tuple[str, str, str]]) -> None:
    found = settle(Source(lines="sum"), *[line(one, amount, updated_at=time) for one, amount, time in rows])

    orders: dict[str, list[Any]] = {}
    for (order_id, amount, _), settled in zip(rows, found, strict=True):
        orders.setdefault(order_id, []).append((amount, settled))
    for lines in orders.values():
        amounts = [amount for amount, _ in lines if amount]
        outcomes = [outcome for amount, (outcome, _, _) in lines if amount]
        total = None if {"1,5", "1.005", "x", "1e3"} & {*amounts} else sum(map(Decimal, amounts))
        if total is None or abs(total) >= 10**16:
            assert set(outcomes) <= {"rejected"}
        elif amounts:
            assert sorted(outcomes) == ["counts", *["merged"] * (len(amounts) - 1)]
            assert [Decimal(amount) for _, (_, _, amount) in lines if amount is not None] == [total]
        assert {settled for amount, settled in lines if not amount} <= {BLANK if amounts else NO_AMOUNT}


@pytest.mark.parametrize(
    ("currencies", "outcomes"),
    [
        (["EUR", "EUR"], [COUNTED, counts("2.00")]),
        (["EUR", ""], [COUNTED, counts("2.00")]),  # often only the first line of an order says it
        (["EUR", "USD"], [rejected("lines_differ")] * 2),
    ],
)
def test_lines_in_several_currencies_are_not_summed(currencies: list[str], outcomes: list[Outcome]) -> None:
    frame = pl.DataFrame([line(), line()], schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    frame = frame.with_columns(pl.Series("currency", currencies), _row_number=pl.Series([2, 3]))

    settled = settle_lines(validation.validate(frame, "UTC", SUM), SUM).sort("_row_number")

    found = settled.select("_outcome", "_reason", pl.col("_amount").cast(pl.String))
    assert found.rows() == outcomes
