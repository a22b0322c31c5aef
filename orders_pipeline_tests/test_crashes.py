"""That a crash is told where it can be read."""

import os
import subprocess
import sys
from pathlib import Path

CRASHES = """
import ctypes, threading

def read_nowhere():
    ctypes.string_at(0)

def test_crashes():
    thread = threading.Thread(target=read_nowhere)
    thread.start()
    thread.join()
"""


def test_a_worker_that_crashes_says_where_in_the_report_of_its_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(CRASHES)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    pytest = [sys.executable, "-m", "pytest", "-c", os.devnull, "-n", "1", "-p", "orders_pipeline_tests.crashes"]
    told = subprocess.run(
        [*pytest, tmp_path], cwd=Path(__file__).parents[1], env=ours, capture_output=True, text=True, check=False
    )

    report = told.stdout.partition("= FAILURES =")[2]
    assert "crashed while running" in report
    assert "in read_nowhere" in report
    assert "in test_crashes" not in report  # where another thread was
