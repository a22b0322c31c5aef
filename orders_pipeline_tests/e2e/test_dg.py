"""`dg`, Dagster's own command for projects, works in this folder as it does in any other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orders_pipeline.schema import TABLES

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
VENV = Path(sys.executable).parents[1]


def dg(*arguments: str, **variables: str) -> str:
    """What a `dg` command prints; it must succeed."""
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}", **variables}
    command = [str(VENV / "bin" / "dg"), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_project_and_its_definitions_are_valid() -> None:
    assert "All TOML configuration files are valid." in dg("check", "toml")
    assert "All definitions loaded successfully." in dg("check", "defs")


def test_definitions_are_listed() -> None:
    listed = json.loads(dg("list", "defs", "--json"))
    assert {asset["asset_key"] for asset in listed["assets"]} >= set(TABLES)
    assert {job["name"] for job in listed["jobs"]} >= {"daily_pipeline", "s3_arrival", "stale_days", "housekeeping"}


def test_assets_are_launched(environment: dict[str, str], tmp_path: Path) -> None:
    home = {"DAGSTER_HOME": str(tmp_path), **environment}
    dg("launch", "--assets", "raw_orders", **home)
    dg("launch", "--assets", "daily_revenue_partitioned", "--partition", "2026-03-04", **home)
