"""Which row of an order wins, and the sums of its day; on every kind of frame."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from orders_pipeline import transforms, validation
from orders_pipeline.sources.declaration import Source
from orders_pipeline_tests.support.frames import KINDS, amounts, dicts, frame

pytestmark = pytest.mark.parametrize("kind", KINDS)


def test_the_result_is_of_the_kind_that_was_given(kind: str) -> None:
    orders = frame(kind, ("1", "ann", "1.00", "2026-03-04"))

    assert type(transforms.clean(orders)) is type(orders)
    assert type(validation.rejects(orders)) is type(orders)
    assert type(transforms.revenue_by_day(transforms.clean(orders))) is type(orders)


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


def test_every_row_is_clean_superseded_or_rejected(kind: str) -> None:
    orders = frame(kind, ("1", "a", "1", "2026-03-04"), ("1", "b", "2", "2026-03-04"), ("2", "", "1", "2026-03-04"))

    assert len(dicts(transforms.clean(orders))) == 1
    assert len(dicts(validation.rejects(orders))) == 1


def test_nothing_in_nothing_out(kind: str) -> None:
    empty = frame(kind)

    assert dicts(transforms.clean(empty)) == []
    assert dicts(validation.rejects(empty)) == []
    assert dicts(transforms.superseded(empty)) == []
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


COLUMNS = "order_id customer_id amount order_date updated_at _source _row_number"


def test_superseded_rows_are_counted_by_their_day_and_by_who_replaced_whom(kind: str) -> None:
    rows = [
        ("1", "ann", "1.10", "2026-03-04", None, "a.csv", 1),
        ("1", "ann", "2.20", "2026-03-05", None, "b.csv", 1),  # wins, on another day
        ("2", "ann", "-3.00", "2026-03-04", None, "a.csv", 2),
        ("2", "bob", "4.00", "2026-03-04", None, "b.csv", 2),  # wins, with another customer
        ("3", "ann", "5.00", "2026-03-04", "2026-03-09", "a.csv", 3),  # wins
        ("3", "bob", "6.00", "2026-03-06", None, "b.csv", 3),
        ("4", "ann", "7.00", "2026-03-04", None, "a.csv", 4),
        ("4", "ann", "8.00", "2026-03-04", None, "a.csv", 5),
        ("4", "ann", "9.00", "2026-03-04", None, "a.csv", 6),  # wins, in the same file
        ("5", "ann", "10.00", "2026-03-04", None, "a.csv", 7),  # has no other version
        ("6", "ann", "x", "2026-03-04", None, "a.csv", 8),  # is rejected: replaces nothing and is not replaced
        ("6", "ann", "11.00", "2026-03-04", None, "b.csv", 8),
    ]

    for given in (rows, rows[::-1]):
        found = dicts(transforms.superseded(frame(kind, *given, columns=COLUMNS)))
        assert [tuple(row[name] for name in ("day", "winner", "loser")) for row in found] == [
            (date(2026, 3, 4), "a.csv", "a.csv"),
            (date(2026, 3, 4), "b.csv", "a.csv"),
            (date(2026, 3, 6), "a.csv", "b.csv"),
        ]
        assert [tuple(row[name] for name in ("orders", "amount", "other_customer")) for row in found] == [
            (2, Decimal("15.00"), 0),
            (2, Decimal("-1.90"), 1),
            (1, Decimal("6.00"), 1),
        ]


def test_rows_that_a_file_repeats_with_another_amount_are_told_from_those_of_another_customer(kind: str) -> None:
    rows = [
        ("lines", "ann", "10.00", "2026-03-04", None, "a.csv", 1),  # repeated
        ("lines", "ann", "20.00", "2026-03-04", None, "a.csv", 2),  # repeated
        ("lines", "ann", "5.00", "2026-03-05", None, "a.csv", 3),  # wins, on another day
        ("twice", "ann", "1.00", "2026-03-04", None, "a.csv", 4),  # the same amount
        ("twice", "ann", "1.00", "2026-03-04", None, "a.csv", 5),
        ("ids", "ann", "7.00", "2026-03-04", None, "a.csv", 6),  # repeated, although of another customer too
        ("ids", "bob", "8.00", "2026-03-04", None, "a.csv", 7),
        ("other", "ann", "3.00", "2026-03-04", None, "a.csv", 8),  # of another customer
        ("other", "bob", "3.00", "2026-03-04", None, "a.csv", 9),
        ("later", "ann", "4.00", "2026-03-04", "2026-03-04", "a.csv", 10),  # its successor is told by updated_at
        ("later", "ann", "5.00", "2026-03-04", "2026-03-05", "a.csv", 11),
        ("earlier", "ann", "4.00", "2026-03-04", None, "a.csv", 12),  # only the winner has an updated_at
        ("earlier", "ann", "5.00", "2026-03-04", "2026-03-05", "a.csv", 13),
        ("replaced", "ann", "6.00", "2026-03-04", None, "a.csv", 14),  # both by another file
        ("replaced", "ann", "7.00", "2026-03-04", None, "a.csv", 15),
        ("replaced", "ann", "6.50", "2026-03-04", None, "b.csv", 1),  # smaller than one of them
    ]

    for given in (rows, rows[::-1]):
        own, by_other = dicts(transforms.superseded(frame(kind, *given, columns=COLUMNS)))
        assert own == {
            "day": date(2026, 3, 4),
            "winner": "a.csv",
            "loser": "a.csv",
            "orders": 7,
            "amount": Decimal("49.00"),
            "repeated": 3,
            "repeated_amount": Decimal("37.00"),
            "repeated_first": "ids",
            "repeated_last": "lines",
            "other_customer": 1,
            "other_customer_amount": Decimal("3.00"),
            "repeated_other_customer": 1,
            "repeated_other_customer_amount": Decimal("7.00"),
            "unchanged": 1,
            "unchanged_amount": Decimal("1.00"),
            "smaller": 0,
            "smaller_amount": Decimal("0.00"),
            "other_first": "other",  # rather than `earlier` and `twice`, of the same customer
            "other_last": "other",
        }
        assert by_other == {
            "day": date(2026, 3, 4),
            "winner": "b.csv",
            "loser": "a.csv",
            "orders": 2,
            "amount": Decimal("13.00"),
            "repeated": 0,
            "repeated_amount": Decimal("0.00"),
            "repeated_first": None,
            "repeated_last": None,
            "other_customer": 0,
            "other_customer_amount": Decimal("0.00"),
            "repeated_other_customer": 0,
            "repeated_other_customer_amount": Decimal("0.00"),
            "unchanged": 0,
            "unchanged_amount": Decimal("0.00"),
            "smaller": 1,
            "smaller_amount": Decimal("0.50"),
            "other_first": "replaced",
            "other_last": "replaced",
        }


def test_the_source_table_is_one_file_for_orders_that_are_repeated(kind: str) -> None:
    days = ["table:orders/2026-03-04", "table:orders/2026-03-05"]
    rows = [("1", "ann", f"{amount}.00", f"2026-03-0{amount}", None, days[amount - 4], 1) for amount in (4, 5)]
    files = [(*row[:5], row[5].replace("table:", "table/"), 1) for row in rows]

    ((of_table,), (of_files,)) = (
        dicts(transforms.superseded(frame(kind, *given, columns=COLUMNS))) for given in (rows, files)
    )

    assert (of_table["winner"], of_table["loser"], of_table["repeated"]) == (days[1], days[0], 1)
    assert of_files["repeated"] == 0


def test_a_row_that_a_deletion_replaces_is_neither_repeated_nor_of_another_customer(kind: str) -> None:
    rows = [("1", "ann", "1.00", "2026-03-04", "a.csv", 1, "sold"), ("1", "", "", "", "a.csv", 2, "gone")]
    raw = frame(kind, *rows, columns="order_id customer_id amount order_date _source _row_number kind")
    deletes = Source(deletes={"kind": ("gone",)})

    (found,) = dicts(transforms.superseded(validation.validate(raw, "UTC", deletes)))

    assert [found[name] for name in ("orders", "repeated", "other_customer", "other_first")] == [1, 0, 0, "1"]


def test_rows_of_one_key_in_two_buckets_are_two_versions(kind: str) -> None:
    rows = [("1", "ann", f"{day}", "2026-03-04", "a.csv", 1, datetime(2026, 3, day, tzinfo=UTC)) for day in (4, 5)]
    columns = "order_id customer_id amount order_date _source _row_number _landed_at"

    (found,) = dicts(transforms.superseded(frame(kind, *rows, columns=columns)))

    assert (found["winner"], found["loser"], found["orders"], found["repeated"]) == ("a.csv", "a.csv", 1, 0)


def test_clean_and_superseded_rows_are_all_rows_also_where_sums_outgrow_an_amount(kind: str) -> None:
    rows = [("1", "ann", "9999999999999999.99", "2026-03-04", None, "a.csv", n) for n in range(1, 13)]

    (found,) = dicts(transforms.superseded(frame(kind, *rows, columns=COLUMNS)))

    assert found["amount"] == 11 * Decimal("9999999999999999.99")
    assert found["orders"] + len(dicts(transforms.clean(frame(kind, *rows, columns=COLUMNS)))) == len(rows)
