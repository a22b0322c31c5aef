"""`orders-pipeline explain`: what it says of a day, an order and a file, and how it exits."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.damage import remove
from orders_pipeline_tests.support.driver import HEADER, Pipeline

DAY = "2026-03-05"
_, _, SECTION = (Path(__file__).parents[2] / "docs/operations.md").read_text().partition("`--json` prints a list")
DOCUMENTED = set(re.findall(r"`(\w+)`", SECTION.partition("\n## ")[0]))


def explained(what: str, *options: str) -> dict[str, Any]:
    """The JSON about one thing."""
    done = call("explain", what, "--json", *options)
    (found,) = json.loads(done.stdout)
    assert (done.exit_code, found["what"]) == (0 if found["is_well"] else 1, what)
    assert set(keys(found)) <= DOCUMENTED
    return dict(found)


def keys(value: Any) -> Iterator[str]:
    """Every key of a JSON value, but for those that are days, reasons or fields of a declaration."""
    if isinstance(value, dict):
        yield from value
    nested = value if isinstance(value, list) else value.items() if isinstance(value, dict) else []
    for one in nested:
        name, inner = one if isinstance(one, tuple) else ("", one)
        if name not in ("by_outcome", "amounts", "stale", "reading"):
            yield from keys(inner)


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
    assert [(file["file"], file["rows"], file["orders"], file["amount"]) for file in found["files"]] == [
        ("landing/z-late.csv", 1, 1, "2.50"),
        (f"landing/shop/{DAY}.csv", 2, 1, "1.00"),
    ]
    assert [(one["file"], one["winner"], one["how"], one["amount"]) for one in found["replaced"]] == [
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
    assert f"orders-pipeline explain --file landing/web/{DAY}.csv" in commands(found)
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


def test_a_day_of_which_an_object_is_damaged_says_which_and_is_not_well(pipeline: Pipeline) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.land_rows("b.csv", f"2,ann,2.00,{DAY}")
    pipeline.sync()
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files WHERE key = :key", key=key)
    remove(Path(s3.lake().uri) / path)

    for what, damaged in ((DAY, [key]), ("1", [key]), (key, True)):
        found = explained(what)
        assert found["damaged"] == damaged
        assert commands(found)[0] == "orders-pipeline recover --verify"
    assert [file["file"] for file in explained(DAY)["files"]] == ["landing/b.csv"]
    assert pipeline.query("SELECT count(*) FROM ledger.findings") == [(0,)]  # nothing was changed


def test_an_order_shows_every_row_that_had_its_id_and_which_counts(pipeline: Pipeline) -> None:
    header = f"{HEADER},updated_at"
    pipeline.land_rows("old.csv", "1,ann,1.00,2026-03-04,2026-03-04T10:00", header=header)
    pipeline.land_rows("new.csv", f"1,bob,2.00,{DAY},2026-03-05T10:00", "1,bob,x,2026-03-06,", header=header)
    pipeline.land_rows("gone.csv", "1,eve,9.00,2026-03-07,2026-03-09T10:00", header=header)
    pipeline.sync()
    call("retract", "landing/gone.csv")

    found = explained("1")

    rows = [(row["file"], row["outcome"], row["amount"], row["is_latest"], row["gone"]) for row in found["rows"]]
    assert rows == [
        ("landing/new.csv", "counts", "2.00", True, None),
        ("landing/old.csv", "counts", "1.00", False, None),
        ("landing/new.csv", "rejected", None, False, None),
        ("landing/gone.csv", "counts", "9.00", False, "retracted"),
    ]
    assert (found["is_well"], found["opened"], found["objects"]) == (False, 3, 2)
    assert commands(found) == ["orders-pipeline explain --file landing/new.csv", f"orders-pipeline explain {DAY}"]
    text = call("explain", "1").output
    assert "counts      2.00 on 2026-03-05, customer bob: row 2 of landing/new.csv" in text
    assert "its updated_at (2026-03-05 10:00:00 UTC) is later than 2026-03-04" in text
    assert max(map(len, text.splitlines())) <= 80


def test_few_objects_are_opened_for_an_order(pipeline: Pipeline) -> None:
    for number in range(5):
        pipeline.land_rows(f"{number}.csv", f"a,ann,1.00,{DAY}", f"id-{number},ann,1.00,{DAY}", f"z,ann,1.00,{DAY}")
    pipeline.sync()

    assert (explained("id-3")["opened"], explained("id-3")["is_well"]) == (1, True)
    assert (explained("id-9")["opened"], explained("id-9")["is_well"]) == (0, False)


def test_an_order_id_without_the_prefix_of_its_source_is_found(pipeline: Pipeline) -> None:
    pipeline.declare('[[source]]\nname = "shop"\nkeys = "landing/shop/*"\norder_id_prefix = "S-"\n')
    pipeline.land_rows("shop/a.csv", f"1,ann,1.00,{DAY}")
    pipeline.sync()

    assert [explained(what)["order_id"] for what in ("1", "S-1")] == ["S-1", "S-1"]
    assert explained("1")["rows"][0]["source"] == "shop"


def test_ids_with_odd_characters_are_found_among_clean_rows_and_rejects(pipeline: Pipeline) -> None:
    ids = ["50%", "a_b", 'q"x', "o'neil", "tab\tx", "\x1b[31m", "ünï", "x,y", "\\", "#1(2)", "*", " x"]
    fields = ['"' + order_id.replace('"', '""') + '"' for order_id in ids]
    pipeline.land_rows("a.csv", *(f"{field},ann,1.00,{DAY}" for field in fields))
    pipeline.land_rows("b.csv", *(f"{field},ann,x,{DAY}" for field in fields), "3,ann,1.00,2026-03-06")
    pipeline.sync()

    for order_id in ids:
        assert [row["outcome"] for row in explained(order_id, "--order")["rows"]] == ["counts", "rejected"], order_id
    shown = call("explain", "--order", *ids).output
    assert all(letter.isprintable() for letter in shown.replace("\n", ""))


def test_what_no_one_can_know_is_unknown_and_no_crash(pipeline: Pipeline) -> None:
    for what in ("1\0", "\udcff", "a/\udcff", "s3://b/\0", "x" * 2000, f"a/{'x' * 2000}", "-", "99.csv", "s3://b/"):
        for options in ([], ["--json"], ["--order"], ["--file"]):
            done = call("explain", *options, "--", what)
            assert done.exit_code == 1, done.output


def test_what_looks_like_something_else_is_said_and_an_option_forces_the_meaning(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", f"{DAY},ann,1.00,{DAY}", f"a.csv,ann,2.00,{DAY}")
    pipeline.sync()

    for what, kind in ((DAY, "day"), ("a.csv", "file")):
        found = explained(what)
        assert (found["kind"], found["note"]) == (kind, "An order has this as its id, too: add --order.")
        assert explained(what, "--order")["kind"] == "order"
    assert (explained("nope")["kind"], explained("nope", "--file")["kind"]) == ("order", "file")
    refused = call("explain", "--day", "a.csv")
    assert (refused.exit_code, "Write it like 2026-03-05" in refused.output) == (2, True)
    assert call("explain", " ").exit_code == 2


def test_a_file_shows_its_rows_its_days_and_what_became_of_it(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}", f"2,ann,2.00,{DAY}", f"3,ann,x,{DAY}")
    pipeline.land_rows("b.csv", f"2,ann,2.50,{DAY}")
    pipeline.land("bad.csv", "nonsense\n")
    pipeline.sync()

    for name in ("landing/a.csv", "a.csv", f"s3://{s3.bucket}/landing/a.csv"):
        found = explained(name)
        assert (found["name"], found["state"], found["on_s3"]) == ("landing/a.csv", "loaded", True)
    rows = found["rows"]
    assert (rows["total"], rows["by_outcome"]["counts"], rows["superseded"], rows["superseded_by"]) == (
        *(3, 2, 1),
        ["landing/b.csv"],
    )
    assert (found["days"], found["stale"]) == ([DAY], {})
    winner = explained("b.csv")["rows"]
    assert (winner["superseded"], winner["superseded_amount"], winner["replaces"]) == (0, "0.00", 1)
    assert [(one["reason"], one["rows"], one["row_number"]) for one in found["rejects"]] == [
        ("amount_not_decimal", 1, 4)
    ]
    assert "counts      1 order worth 1.00" in call("explain", "a.csv").output

    assert explained("bad.csv")["state"] == "quarantined"
    assert "orders-pipeline retry landing/bad.csv" in commands(explained("bad.csv"))
    pipeline.land_rows("new.csv", f"9,ann,1.00,{DAY}")
    assert explained("new.csv")["state"] == "pending"
    pipeline.land("_side.csv", "x")
    assert (explained("_side.csv")["state"], explained("_side.csv")["is_well"]) == ("left out", True)
    call("retract", "landing/b.csv")
    retracted = explained("b.csv")
    assert (retracted["state"], retracted["is_well"]) == ("retracted", True)
    assert commands(retracted) == ["orders-pipeline retract --undo landing/b.csv"]
    assert explained("a.csv")["stale"] == {"new or changed orders": [DAY]}
    assert explained("none.csv")["state"] == "unknown"
