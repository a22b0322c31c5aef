"""The measured part of docs/performance.md: its tables."""

import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from orders_pipeline.partitions import MAX_DAYS_PER_RUN

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "performance.md"
NAMES = {
    "tutorial": "pandas, `to_sql` and `read_sql`",
    "pandas_arrow": "pandas with PyArrow, COPY",
    "polars_script": "**bare Polars**, the yardstick",
    "duckdb_script": "bare DuckDB",
    "postgres_sql": "`psql \\copy`, SQL in Postgres",
    "dlt_merge": "dlt, merge, SQL",
    "pipeline": "**orders_pipeline**",
}
_COMPARED = {"polars_script", "pipeline"}
Row = tuple[str, ...]
LIBRARIES = ("pandas", "pyarrow", "polars", "duckdb", "dlt", "dagster")


def write(results: dict[str, Any]) -> None:
    """Put what was measured between the page's marks."""
    text = PAGE.read_text()
    for name, part in {"machine": machine(), **parts(results)}.items():
        begin, end = f"<!-- {name}: measured -->\n", f"<!-- /{name} -->"
        text, found = re.subn(f"{begin}.*?{end}", lambda _, b=begin, p=part, e=end: f"{b}{p}\n{e}", text, flags=re.S)
        assert found == 1, f"{PAGE} has no marks for {name}"
    PAGE.write_text(text)


def parts(results: dict[str, Any]) -> dict[str, str]:
    """The tables by their marks; of a run that ended early, those of which anything was measured."""
    made = {
        "contenders": contenders(results.get("contenders", {})),
        "targets": targets(results),
        "growth": growth(results.get("growth", [])),
        "shapes": shapes(results.get("shapes", {})),
    }
    return {name: part for name, part in made.items() if part}


def machine() -> str:
    """Where and with what it was measured."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    memory = psutil.virtual_memory().total >> 30
    return f"{psutil.cpu_count()} cores, {memory} GB, Python {platform.python_version()}, {libraries}."


def contenders(found: dict[Any, dict[str, Any]]) -> str:
    """A table for each number of orders."""
    tables = []
    for count, taken in ((count, taken) for count, taken in found.items() if taken):
        yardstick = taken.get("polars_script")
        rows = [
            (
                NAMES[name],
                f"{done['seconds']:.1f}",
                f"{int(count) / done['seconds']:,.0f}",
                f"{done['peak_mb']:,}",
                f"{done['seconds'] / yardstick['seconds']:.2f}" if yardstick else "",
            )
            for name, done in sorted(taken.items(), key=lambda item: item[1]["seconds"])
        ]
        columns = (f"{int(count):,} orders", "seconds", "orders a second", "peak MB", "ratio")
        tables.append(table(columns, rows))
    return "\n\n".join(tables)


def targets(results: dict[str, Any]) -> str:
    """What was aimed at, and what came out."""
    rows = [
        *_first_load(results),
        *_history(results),
        *_source_table(results),
        *_declared(results),
        *_processes(results),
    ]
    return table(("what", "aim, at most", "measured"), rows) if rows else ""


def _first_load(results: dict[str, Any]) -> list[Row]:
    largest = _largest(results)
    if not largest:
        return []
    bare, ours = largest["polars_script"]["seconds"], largest["pipeline"]
    return [
        ("first load, against bare Polars", "2.0 times", f"{ours['seconds'] / bare:.2f} times"),
        ("its peak memory", "1,500 MB", f"{ours['peak_mb']:,} MB"),
    ]


def _history(results: dict[str, Any]) -> list[Row]:
    """Cost as history grows: the most orders and those of the middle against the fewest. A run of one size compares
    nothing."""
    grown = {(row["count"], row["random_ids"]): row for row in results.get("growth", [])}
    rising = sorted(count for count, random_ids in grown if not random_ids)
    if not rising:
        return []
    few, many = rising[0], rising[-1]
    middle = next((count for count in rising if "backfill" in grown[count, False]), many)
    base, row = grown[few, False], grown[middle, False]
    rows: list[Row] = []
    if many > middle:
        peak = ratio(grown[many, False], row, "peak_mb")
        rows.append((f"peak memory at {many:,}, against {middle:,}", "1.2 times", peak))
    if middle > few:
        rows.append((f"arrival on {middle:,}, against {few:,}; rising ids", "1.2 times", ratio(row, base, "arrival")))
        if {(few, True), (middle, True)} <= grown.keys():
            rows.append(("the same; random ids", "1.2 times", ratio(grown[middle, True], grown[few, True], "arrival")))
    first_day = f"{row['first_day'] + row['arrival']:.2f} s: a first load of the day and an arrival"
    rows.append(("correction of one day in a hundred orders", first_day, f"{row['correction']:.2f} s"))
    if "backfill" in row:
        largest = _largest(results)
        bare = largest["polars_script"]["seconds"] if largest else None
        against = f"{row['backfill'] / bare:.2f} times" if bare else f"{row['backfill']:.1f} s"
        rows += [
            (f"backfill of {row['days']} days, against bare Polars", "3 times", against),
            ("its runs", f"{-(-row['days'] // MAX_DAYS_PER_RUN) + 1}", f"{row['backfill_runs']}"),
            ("the same backfill again", "no work", f"{row['backfill_again']:.1f} s, nothing rebuilt"),
        ]
    return rows


def _source_table(results: dict[str, Any]) -> list[Row]:
    if not (found := results.get("table")):
        return []
    scans = f"{found['table_fingerprints'] / found['table_scan']:.2f} times"
    return [
        ("source table unchanged, against one scan that hashes it", "one scan", scans),
        ("source table, one day changed", "that day alone", f"{found['table_one_day']:.1f} s"),
    ]


def _declared(results: dict[str, Any]) -> list[Row]:
    """Reading, validating and storing a file as declared, against a plain one."""
    found = results.get("declared", {})
    return [
        (f"a file with {name}, against a plain one", "1.5 times", f"{seconds / found['plain']:.2f} times")
        for name, seconds in found.items()
        if name != "plain"
    ]


def _processes(results: dict[str, Any]) -> list[Row]:
    rows: list[Row] = [
        (
            f"idle tick on {int(keys):,} keys: CPU, memory",
            "3 s" if int(keys) == 100_000 else "300 MB",
            f"{tick['cpu_seconds']:.1f} s, {tick['peak_mb']} MB",
        )
        for keys, tick in results.get("ticks", {}).items()
    ]
    if "runs" in results:
        rows.append(("a run with nothing to do: storage in memory, on disk", "", runs(results["runs"])))
    if "imports" in results:
        rows += [
            ("start of a process: import of the definitions", "", f"{results['imports']['seconds']:.1f} s"),
            ("of that, our own modules", "", f"{results['imports']['ours']:.2f} s"),
        ]
    return rows


def _largest(results: dict[str, Any]) -> dict[str, Any]:
    """The contenders at the most orders of which the yardstick and the pipeline were measured."""
    found = {int(count): taken for count, taken in results.get("contenders", {}).items() if taken.keys() >= _COMPARED}
    return found[max(found)] if found else {}


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
    return table(columns, rows) if rows else ""


def shapes(found: dict[str, Any]) -> str:
    """Cost against the files of a run, and against its days."""
    tables = [
        table(
            (what, "seconds", "each", "peak MB"),
            [(f"{n:,}", f"{s:.1f}", f"{s / n:.3f} s", f"{mb:,}") for n, s, mb in found[name]],
        )
        for name, what in (("files", "files of 100 orders"), ("days", "days of 10 orders"))
        if name in found
    ]
    return "\n\n".join(tables)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its first column to the left."""
    marks = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(
        [f"| {' | '.join(columns)} |", f"|{'|'.join(marks)}|", *(f"| {' | '.join(row)} |" for row in rows)]
    )


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
