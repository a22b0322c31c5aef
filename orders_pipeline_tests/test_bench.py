"""The report of `make bench`, whatever was measured: any number of orders, and runs that ended early. No timings."""

from typing import Any

import pytest

from bench import report

MEASURED = ("contenders", "growth", "table", "ticks", "runs", "shapes", "declared", "imports")  # in this order


def results(largest: int) -> dict[str, Any]:
    """What a run with so many orders measures, as bench/__main__.py puts it down."""
    taken = {name: {"seconds": 2.0, "peak_mb": 100} for name in report.NAMES}
    sizes = sorted({min(largest, size) for size in (100_000, 1_000_000, 10_000_000, 40_000_000)})
    compared = min(largest, 10_000_000)
    grown = [(size, False) for size in sizes] + [(size, True) for size in sorted({sizes[0], compared})]
    return {
        "largest": largest,
        "contenders": dict.fromkeys(sorted({min(largest, 1000000), compared}), taken),
        "growth": [grown_to(count, random_ids, count == compared) for count, random_ids in grown],
        "table": {"table_scan": 1.0, "table_fingerprints": 1.5, "table_one_day": 0.5},
        "ticks": {100_000: {"cpu_seconds": 1.0, "peak_mb": 200}},
        "runs": {"run_in_memory": 0.5, "run_on_disk": 1.5},
        "shapes": {"files": [(1, 1.0, 100), (10, 2.0, 100)], "days": [(1, 1.0, 100)]},
        "declared": {"plain": 1.0, "decimal commas": 1.2},
        "imports": {"seconds": 2.0, "ours": 0.1},
    }


def grown_to(count: int, random_ids: bool, is_compared: bool) -> dict[str, Any]:
    costs = {"seconds": 4.0, "peak_mb": 300, "arrival": 1.0, "correction": 1.0, "first_day": 1.0}
    backfill = {"backfill": 8.0, "backfill_again": 1.0, "backfill_runs": 12}
    found = {"count": count, "random_ids": random_ids, "days": 365, **costs}
    return {**found, **backfill} if is_compared and not random_ids else found


@pytest.mark.parametrize("largest", [1, 20_000, 100_000, 250_000, 1_000_000, 10_000_000, 40_000_000])
def test_any_number_of_orders_gives_every_part_of_the_page(largest: int) -> None:
    made = report.parts(results(largest))

    assert list(made) == ["contenders", "targets", "growth", "shapes"]
    assert f"| {largest:,} |" in made["growth"]
    assert "| a file with decimal commas, against a plain one | 1.5 times | 1.20 times |" in made["targets"]
    assert "| backfill of 365 days, against bare Polars | 3 times | 4.00 times |" in made["targets"]
    assert ("against 100,000; rising ids" in made["targets"]) == (largest > 100_000)
    assert ("the same; random ids" in made["targets"]) == (largest > 100_000)
    assert ("peak memory at 40,000,000, against 10,000,000" in made["targets"]) == (largest == 40_000_000)
    assert f"{largest:,}, against {largest:,}" not in made["targets"]


@pytest.mark.parametrize("done", range(len(MEASURED) + 1))
def test_a_run_that_ended_early_shows_what_it_measured(done: int) -> None:
    full = results(1_000_000)
    early = {name: full[name] for name in ("largest", *MEASURED[:done])}

    made = report.parts(early)

    assert ("contenders" in made) == (done > 0)
    assert ("growth" in made) == (done > 1)
    assert ("source table unchanged" in made.get("targets", "")) == (done > 2)
    assert ("idle tick" in made.get("targets", "")) == (done > 3)
    assert ("shapes" in made) == (done > 5)
    assert ("against a plain one" in made.get("targets", "")) == (done > 6)
    assert made == report.parts(full) or done < len(MEASURED)


@pytest.mark.parametrize("first", [0, 1, 3, 6])
def test_contenders_are_shown_before_all_of_them_are_done(first: int) -> None:
    taken = dict(list(results(1_000_000)["contenders"][1_000_000].items())[:first])

    made = report.parts({"largest": 1_000_000, "contenders": {1_000_000: taken}, "growth": [], "ticks": {}})

    assert list(made) == (["contenders"] if first else [])
    assert made.get("contenders", "").count("| 500,000 |") == first


def test_histories_are_shown_before_all_of_them_are_done() -> None:
    full = results(10_000_000)

    for done in range(1, len(full["growth"]) + 1):
        made = report.parts({"growth": full["growth"][:done]})
        assert made["growth"].count("\n") == 1 + done
        assert "correction of one day" in made["targets"]
