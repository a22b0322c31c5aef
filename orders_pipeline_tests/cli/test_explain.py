"""`orders-pipeline explain`: what it says of a day, an order and a file, and how it exits."""

import json
from typing import Any

import pytest

from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

DAY = "2026-03-05"


def explained(what: str, *options: str) -> dict[str, Any]:
    """The JSON about one thing."""
    done = call("explain", what, "--json", *options)
    (found,) = json.loads(done.stdout)
    assert done.exit_code == (0 if found["is_well"] else 1)
    assert found == {**found, "what": what} if "what" in found else True
    return dict(found)


def commands(found: dict[str, Any]) -> list[str]:
    return [step["command"] for step in found["next"]]


def test_a_day_names_its_files_what_was_replaced_what_is_missing_and_what_to_do(pipeline: Pipeline) -> None:
    pipeline.land_rows(f"shop/{DAY}.csv", f"1,ann,1.00,{DAY}", f"2,bob,2.00,{DAY}", f"3,bob,x,{DAY}")
    pipeline.land_rows("z-late.csv", f"2,bob,2.50,{DAY}", "9,bob,9.00,2026-03-06")
    pipeline.land(f"web/{DAY}.csv", "nonsense\n")
    pipeline.sync()
    pipeline.land_rows(f"till/{DAY}.csv", f"4,eve,4.00,{DAY}")

    found = explained(DAY)

    assert (found["shown"]["revenue"], found["shown"]["orders"], found["shown"]["customers"]) == ("3.50", 2, 2)
    assert [(file["key"], file["rows"], file["orders"], file["amount"]) for file in found["files"]] == [
        ("landing/z-late.csv", 1, 1, "2.50"),
        (f"landing/shop/{DAY}.csv", 2, 1, "1.00"),
    ]
    assert [(one["key"], one["winner"], one["how"], one["amount"]) for one in found["replaced"]] == [
        (f"landing/shop/{DAY}.csv", "landing/z-late.csv", "superseded", "2.00")
    ]
    assert [(one["key"], one["reason"], one["row_number"]) for one in found["rejects"]] == [
        (f"landing/shop/{DAY}.csv", "amount_not_decimal", 4)
    ]
    assert {file["name"]: file["state"] for file in found["lacking"]} == {
        f"landing/web/{DAY}.csv": "quarantined",
        f"landing/till/{DAY}.csv": "pending",
    }
    assert [table["state"] for table in found["tables"]] == ["current"] * 4
    assert "orders-pipeline sync" in commands(found)
    assert f"orders-pipeline explain landing/web/{DAY}.csv" in commands(found)
    text = call("explain", DAY).output
    assert max(map(len, text.splitlines())) <= 80
    assert "3.50 in 2 orders of 2 customers; both chains agree" in text


def test_a_day_that_is_as_it_should_be_exits_with_zero_and_a_stale_one_does_not(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()

    done = call("explain", DAY)
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "All is well.")

    call("rebuild", DAY)
    found = explained(DAY)
    assert {table["why"] for table in found["tables"]} == {
        "new or changed orders",
        "cleaned_orders is stale",
        "daily_orders is stale",
    }
    assert commands(found) == ["orders-pipeline sync"]


@pytest.mark.parametrize(("day", "is_well"), [("yesterday", False), ("today", True)])
def test_a_day_without_orders_says_so(pipeline: Pipeline, day: str, is_well: bool) -> None:
    found = explained(day)

    assert (found["is_well"], found["shown"]["orders"], found["files"]) == (is_well, 0, [])
    assert "no orders" in call("explain", day).output
