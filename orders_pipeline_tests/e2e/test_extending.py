"""What docs/extending.md shows works: each change is applied to a copy of the package, which is then run."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.recipes import ROOT, TITLES, apply, copy_package, recipe

pytestmark = pytest.mark.e2e

LINTER = Path(sys.executable).with_name("ruff")

_SYNC = """
import dagster as dg, json, sys
from pathlib import Path
import orders_pipeline
assert Path(orders_pipeline.__file__).is_relative_to(sys.argv[1])
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline.definitions import defs
with dg.DagsterInstance.ephemeral() as instance:
    pipeline = Pipeline(Path(sys.argv[1]), instance)
    if sys.argv[2]:
        assert pipeline.run("partner", partition=sys.argv[2]).success
    synced = pipeline.sync()
    assert synced.is_complete, synced
    print(json.dumps({
        "checks": synced.failed_checks,
        "channels": {asset: dict(pipeline.lake_frame(asset).select("order_id", "channel").rows())
                     for asset in ("cleaned_orders", "daily_orders")},
        "weeks": [list(map(str, row)) for row in pipeline.query("SELECT * FROM analytics.weekly_revenue ORDER BY 1")],
    }))
"""


@pytest.mark.parametrize("title", TITLES)
def test_each_change_can_be_made_alone_and_is_well_formed(title: str, tmp_path: Path) -> None:
    copy_package(tmp_path)
    written = apply(recipe(title), tmp_path)

    assert written
    for path in written:
        compile(path.read_text(), str(path), "exec")
    linted = subprocess.run(
        [str(LINTER), "check", "--config", str(ROOT / "pyproject.toml"), *map(str, written)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert linted.returncode == 0, linted.stdout


def test_all_changes_together_do_what_they_promise(pipeline: Pipeline, tmp_path: Path) -> None:
    """The column is found in what was loaded before, the check warns, the asset is made, the source lands."""
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-02,web", "2,bob,2.50,2026-03-04,", header=f"{HEADER},channel")
    pipeline.sync()
    pipeline.land_rows("b.csv", "3,ann,3.00,2026-03-09")
    folder = tmp_path / "copy"
    folder.mkdir()
    copy_package(folder)
    with partner() as (url, asked):
        for title in TITLES:
            apply(recipe(title).replace("https://partner.example/orders", url), folder)
        found = run(_SYNC, folder, "2026-03-10")

    assert asked == ["/orders?day=2026-03-10"]
    assert found["channels"]["cleaned_orders"] == {"1": "web", "2": "", "3": None, "p1": "shop"}
    assert found["channels"]["daily_orders"] == found["channels"]["cleaned_orders"]
    assert found["checks"]["no_day_is_missing"] == "WARN: No order on 2026-03-03, 2026-03-05 to 2026-03-08."
    assert found["weeks"] == [["2026-03-02", "4.00", "2"], ["2026-03-09", "7.00", "2"]]


def run(script: str, package: Path, *arguments: str) -> dict[str, Any]:
    """What a script prints as JSON in a fresh interpreter that sees a copy of the package."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), str(ROOT)])}
    command = [sys.executable, "-W", "ignore", "-c", script, str(package), *arguments]
    ended = subprocess.run(command, env=environment, cwd=package, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout.splitlines()[-1]))


@contextmanager
def partner() -> Iterator[tuple[str, list[str]]]:
    """The API of a partner, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            order = {"order_id": "p1", "customer_id": "eve", "amount": 4, "order_date": "2026-03-10", "channel": "shop"}
            self.wfile.write(json.dumps(order).encode() + b"\n")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/orders", asked
        server.shutdown()
