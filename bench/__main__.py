"""`make bench`: everything that docs/performance.md says, measured in one run and written there."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import chart, report
from bench.measure import PIPELINE, Taken, contend, play
from bench.orders import Orders, write
from bench.places import Place, land, place
from orders_pipeline.storage import embedded

FEW, MANY, MOST = 100_000, 10_000_000, 40_000_000
YARDSTICK = "polars_script"
CONTENDERS = ("tutorial", "pandas_arrow", "polars_script", "duckdb_script", "postgres_sql", "dlt_merge", PIPELINE)
TOO_SLOW = 600  # seconds, judged by a tenth of the orders
RESULTS = Path(__file__).parent / "results.json"


class Bench:
    """Servers and files that all measurements share."""

    def __init__(self, home: Path) -> None:
        self._services, self._files = home / "services", home / "files"
        self._services.mkdir()

    @contextmanager
    def landed(self, orders: Orders | None, name: str) -> Iterator[Place]:
        """A place in which these orders have just landed."""
        url, endpoint = embedded.postgres_url(self._services), embedded.s3_endpoint(self._services)
        with place(url, endpoint, name) as made:
            if orders is not None:
                land(made, write(orders, self._files))
            yield made

    def stop(self) -> None:
        """End the servers."""
        embedded.stop(self._services)


def history(count: int, *, random_ids: bool = False) -> Orders:
    """So many orders, at the same number a day whatever their count."""
    days = max(1, count * 365 // MANY)
    return Orders(count, max(1, count * 40 // MANY), days, random_ids=random_ids)


def main(largest: int) -> None:
    """Measure with up to so many orders, and write it down. What a run measures before it fails, or is ended, is kept
    and shown; the page has only runs that came to their end."""
    if largest < 1:
        raise SystemExit("ORDERS is how many orders to measure with: at least 1.")
    results: dict[str, Any] = {"largest": largest, "contenders": {}, "growth": [], "ticks": {}}
    try:
        with TemporaryDirectory(prefix="orders-bench-") as folder:
            bench = Bench(Path(folder))
            try:
                measure(bench, results)
            finally:
                bench.stop()
        results["imports"] = report.imports()
    except BaseException:
        say(f"Ended early. {RESULTS} has what was measured:\n\n" + "\n\n".join(report.parts(results).values()))
        raise
    finally:
        RESULTS.write_text(json.dumps(results, indent=1, default=str))
    report.write(results)
    chart.draw(results)
    say(f"{report.PAGE} and {chart.CHART} have it.")


def measure(bench: Bench, results: dict[str, Any]) -> None:
    """Fill in the results, each as soon as it is known."""
    largest = results["largest"]
    contenders(bench, largest, results["contenders"])
    growth(bench, largest, results["growth"])
    source = asdict(history(min(largest, MANY)))
    results["table"] = with_place(bench, "source", "scenarios.source_table", orders=source)
    for keys in [100_000, 1_000_000] if largest == MOST else [100_000]:
        results["ticks"][keys] = with_place(bench, "ticks", "scenarios.idle_tick", keys=keys)
    results["runs"] = with_place(bench, "runs", "scenarios.empty_run")
    results["shapes"] = with_place(bench, "shapes", "scenarios.shapes")
    results["declared"] = with_place(bench, "declared", "scenarios.declared")


def contenders(bench: Bench, largest: int, found: dict[int, dict[str, Any]]) -> None:
    """Everyone at the same work, one after the other."""
    for count in sorted({min(largest, size) for size in (MANY // 10, MANY)}):
        orders = replace(history(count), days=365)
        found[count] = {}
        for name in CONTENDERS:
            before = found.get(MANY // 10, {}).get(name)
            if before and count > MANY // 10 and before["seconds"] * count / (MANY // 10) > TOO_SLOW:
                continue
            with bench.landed(orders, name) as made:
                taken = contend(name, made)
            say(f"{count:,} orders, {name}: {taken.seconds:.1f} s, {taken.peak_mb} MB")
            found[count][name] = asdict(taken)
        agree({name: Taken(**taken) for name, taken in found[count].items()})


def growth(bench: Bench, largest: int, found: list[dict[str, Any]]) -> None:
    """First loads, arrivals, a correction, a backfill, as the history grows; with random ids at its two ends that are
    compared."""
    sizes = sorted({min(largest, size) for size in (FEW, 1_000_000, MANY, MOST)})
    compared = min(largest, MANY)
    for count, random_ids in [
        *((size, False) for size in sizes),
        *((size, True) for size in sorted({sizes[0], compared})),
    ]:
        orders = history(count, random_ids=random_ids)
        given = {"orders": asdict(orders)}
        with bench.landed(orders, "growth") as made:
            taken = contend(PIPELINE, made)
            figures = {"count": count, "random_ids": random_ids, "days": orders.days}
            figures |= {"seconds": taken.seconds, "peak_mb": taken.peak_mb}
            figures |= play("scenarios.arrivals", made, **given)
            if count == compared and not random_ids:
                figures |= play("scenarios.backfill", made, **given)
        figures |= with_place(bench, "growth", "scenarios.first_day", **given)
        say(str(figures))
        found.append(figures)


def with_place(bench: Bench, name: str, module: str, **given: Any) -> dict[str, Any]:
    """Play a scenario where nothing has landed."""
    with bench.landed(None, name) as made:
        found = play(module, made, **given)
    say(f"{module}: {found}")
    return found


def agree(taken: dict[str, Taken]) -> None:
    """See that all have come to the same totals."""
    differing = {name: done.totals for name, done in taken.items()}
    if len(set(differing.values())) > 1:
        raise AssertionError(f"The contenders do not agree: {differing}")


def say(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MOST)
