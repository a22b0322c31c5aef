"""`make demo` in a copy of the checkout with an empty HOME, twice."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """The tracked files in a git checkout of their own. The environment is the one that runs this test: to install it
    again would take a minute."""
    with TemporaryDirectory(prefix="orders-checkout-") as folder:
        copy = Path(folder) / "orders"
        copy.mkdir()
        git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(git, capture_output=True, check=True, text=True).stdout.split("\0"):
            if name and (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        run(copy, "git", "init", "-q")
        run(copy, "git", "add", "-A")
        run(copy, "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "all")
        binaries = copy / ".venv" / "bin"
        binaries.mkdir(parents=True)
        for name in ("python", "orders-pipeline"):
            (binaries / name).symlink_to(Path(sys.executable).parent / name)
        (copy / ".venv" / "ready").touch()
        yield copy


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def started_from(folder: Path) -> list[str]:
    """The processes that work in a folder, or on its files."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if str(folder) in " ".join(process.info["cmdline"] or []) or process.cwd().startswith(str(folder)):
                found.append(" ".join(process.info["cmdline"] or []))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_the_demo_shows_its_result_and_leaves_nothing_behind(checkout: Path) -> None:
    first = run(checkout, "make", "demo")

    assert first.returncode == 0, first.stdout + first.stderr
    assert "What act two rebuilt" in first.stdout
    assert "Revenue by week" in first.stdout
    assert "1 quarantined, 0 ignored, 0 failing" in first.stdout
    assert "left out: 1 side file of other tools" in first.stdout
    for check in ("landed_files_are_readable", "revenue_is_plausible", "no_negative_amounts"):
        assert f"{check} WARN" in first.stdout
    assert f"90 days up to {datetime.now(UTC).date() - timedelta(days=1)} land on S3" in first.stdout
    for reason in ("order_date_unreadable", "amount_not_decimal", "field_count", "customer_id_missing"):
        assert reason in first.stdout
    assert "Traceback" not in first.stdout + first.stderr

    second = run(checkout, "make", "demo")

    assert second.returncode == 0, second.stdout + second.stderr
    assert "no row of any table changed" in second.stdout
    assert run(checkout, "git", "status", "--porcelain").stdout == ""
    assert started_from(checkout) == []
    assert list((checkout.parent / "home").iterdir()) == []
