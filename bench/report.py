"""The measured part of docs/performance.md, its tables and its chart."""

import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import psutil

DOCS = Path(__file__).parent.parent / "docs"
PAGE, CHART = DOCS / "performance.md", DOCS / "performance.svg"
NAMES = {
    "tutorial": "pandas, `to_sql` and `read_sql`",
    "pandas_arrow": "pandas with PyArrow, COPY",
    "polars_script": "**bare Polars**, the yardstick",
    "duckdb_script": "bare DuckDB",
    "postgres_sql": "`psql \\copy`, SQL in Postgres",
    "dlt_merge": "dlt, merge, SQL",
    "pipeline": "**orders_pipeline**",
}
LIBRARIES = ("pandas", "pyarrow", "polars", "duckdb", "dlt", "dagster")


def write(results: dict[str, Any]) -> None:
    """Put what was measured between the page's marks, and draw the chart."""
    parts = {
        "machine": machine(),
        "contenders": contenders(results["contenders"]),
        "targets": targets(results),
        "growth": growth(results["growth"]),
        "shapes": shapes(results["shapes"]),
    }
    text = PAGE.read_text()
    for name, part in parts.items():
        begin, end = f"<!-- {name}: measured -->\n", f"<!-- /{name} -->"
        text, found = re.subn(f"{begin}.*?{end}", lambda _, b=begin, p=part, e=end: f"{b}{p}\n{e}", text, flags=re.S)
        assert found == 1, f"{PAGE} has no marks for {name}"
    PAGE.write_text(text)
    chart(results)


def machine() -> str:
    """Where and with what it was measured."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    memory = psutil.virtual_memory().total >> 30
    return f"{psutil.cpu_count()} cores, {memory} GB, Python {platform.python_version()}, {libraries}."


def contenders(found: dict[Any, dict[str, Any]]) -> str:
    """A table for each number of orders."""
    tables = []
    for count, taken in found.items():
        yardstick = taken["polars_script"]["seconds"]
        rows = [
            (
                NAMES[name],
                f"{done['seconds']:.1f}",
                f"{int(count) / done['seconds']:,.0f}",
                f"{done['peak_mb']:,}",
                f"{done['seconds'] / yardstick:.2f}",
            )
            for name, done in sorted(taken.items(), key=lambda item: item[1]["seconds"])
        ]
        columns = (f"{int(count):,} orders", "seconds", "orders a second", "peak MB", "ratio")
        tables.append(table(columns, rows))
    return "\n\n".join(tables)


def targets(results: dict[str, Any]) -> str:
    """What was aimed at, and what came out."""
    grown = {(row["count"], row["random_ids"]): row for row in results["growth"]}
    few, many = min(count for count, _ in grown), sorted({count for count, _ in grown})[-1]
    middle = 10_000_000 if (10_000_000, False) in grown else many
    largest = results["contenders"][max(results["contenders"], key=int)]
    bare, ours = largest["polars_script"]["seconds"], largest["pipeline"]
    base, row = grown[few, False], grown[middle, False]
    rows: list[tuple[str, ...]] = [
        ("first load, against bare Polars", "2.0 times", f"{ours['seconds'] / bare:.2f} times"),
        ("peak memory of it", "1,500 MB", f"{ours['peak_mb']:,} MB"),
        (f"peak memory at {many:,}, against {middle:,}", "1.2 times", ratio(grown[many, False], row, "peak_mb")),
        (f"arrival on {middle:,}, against {few:,}; rising ids", "1.2 times", ratio(row, base, "arrival")),
        (
            "the same; random ids",
            "1.2 times",
            ratio(grown[middle, True], grown[few, True], "arrival"),
        ),
        (
            "correction of one day in a hundred orders",
            f"{row['first_day'] + row['arrival']:.2f} s: a first load of the day and an arrival",
            f"{row['correction']:.2f} s",
        ),
        ("backfill of 365 days, against bare Polars", "3 times", f"{row['backfill'] / bare:.2f} times"),
        ("runs of it", "13", f"{row['backfill_runs']}"),
        ("the same backfill once more", "no work", f"{row['backfill_again']:.1f} s, nothing rebuilt"),
        (
            "source table unchanged, against one scan that hashes it",
            "one scan",
            f"{results['table']['table_fingerprints'] / results['table']['table_scan']:.2f} times",
        ),
        ("source table, one day changed", "that day alone", f"{results['table']['table_one_day']:.1f} s"),
        *(
            (
                f"idle tick on {int(keys):,} keys: CPU, memory",
                "3 s" if int(keys) == 100_000 else "300 MB",
                f"{tick['cpu_seconds']:.1f} s, {tick['peak_mb']} MB",
            )
            for keys, tick in results["ticks"].items()
        ),
        ("a run with nothing to do: storage in memory, on disk", "", runs(results["runs"])),
        ("start of a process: import of the definitions", "", f"{results['imports']['seconds']:.1f} s"),
        ("of that, our own modules", "", f"{results['imports']['ours']:.2f} s"),
    ]
    return table(("what", "aim, at most", "measured"), rows)


def runs(found: dict[str, float]) -> str:
    """Seconds of a run."""
    return f"{found['run_in_memory']:.2f} s, {found['run_on_disk']:.2f} s"


def ratio(one: dict[str, Any], other: dict[str, Any], figure: str) -> str:
    """How many times as much, and what of."""
    digits, unit = (",.0f", "MB") if figure == "peak_mb" else (".2f", "s")
    amounts = [f"{row[figure]:{digits}} {unit}" for row in (one, other)]
    return f"{one[figure] / other[figure]:.2f} times ({amounts[0]} against {amounts[1]})"


def growth(found: list[dict[str, Any]]) -> str:
    """Cost against history."""
    rows = [
        (
            f"{row['count']:,}",
            "random" if row["random_ids"] else "rising",
            f"{row['seconds']:.1f}",
            f"{row['count'] / row['seconds']:,.0f}",
            f"{row['peak_mb']:,}",
            f"{row['arrival']:.2f}",
            f"{row['correction']:.2f}",
        )
        for row in found
    ]
    columns = ("history", "ids", "first load, s", "orders a second", "peak MB", "arrival, s", "correction, s")
    return table(columns, rows)


def shapes(found: dict[str, Any]) -> str:
    """Cost against the files of a run, and against its days."""
    tables = [
        table(
            (what, "seconds", "of it, each", "peak MB"),
            [(f"{n:,}", f"{s:.1f}", f"{s / n:.3f} s", f"{mb:,}") for n, s, mb in found[name]],
        )
        for name, what in (("files", "files of 100 orders"), ("days", "days of 10 orders"))
    ]
    return "\n\n".join(tables)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its first column to the left."""
    marks = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, marks, *rows))


def chart(results: dict[str, Any]) -> None:
    """Seconds of the contenders at the most orders, and of first loads and arrivals as history grows."""
    plt.rcParams.update({"svg.hashsalt": "orders", "font.size": 9})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    count = max(results["contenders"], key=int)
    taken = sorted(results["contenders"][count].items(), key=lambda item: -item[1]["seconds"])
    names = [re.sub(r"[*`]|, the yardstick", "", NAMES[name]) for name, _ in taken]
    colors = ["#2b6cb0" if name == "pipeline" else "#a0aec0" for name, _ in taken]
    bars = left.barh(names, [done["seconds"] for _, done in taken], color=colors)
    left.bar_label(bars, fmt="%.0f", padding=2)
    left.set_title(f"{int(count):,} orders, landed to marts: seconds")
    left.spines[["top", "right"]].set_visible(False)
    rising = [row for row in results["growth"] if not row["random_ids"]]
    for figure_, label in (("seconds", "first load"), ("arrival", "arrival of 1,000 orders")):
        right.plot([row["count"] for row in rising], [row[figure_] for row in rising], marker="o", label=label)
    right.set(xscale="log", yscale="log", xlabel="orders in the history", title="seconds, as history grows")
    right.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False)
    figure.savefig(CHART, metadata={"Date": None})


def imports() -> dict[str, float]:
    """Seconds to import the definitions, and of those what our own modules take themselves."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import orders_pipeline.definitions"],
        stderr=subprocess.PIPE,
        check=True,
        text=True,
    )
    lines = re.findall(r"import time:\s+(\d+) \|\s+(\d+) \|\s*(\S+)", done.stderr)
    ours = sum(int(own) for own, _, name in lines if name.startswith("orders_pipeline"))
    total = max(int(cumulative) for _, cumulative, name in lines if name == "orders_pipeline.definitions")
    return {"seconds": total / 1e6, "ours": ours / 1e6}
