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


ONCE = """
import ctypes, os, threading

def test_crashes_once():
    if not os.path.exists("{marker}"):
        open("{marker}", "w").close()
        thread = threading.Thread(target=lambda: ctypes.string_at(0))
        thread.start()
        thread.join()

def test_fails():
    with open("{failures}", "a") as failures:
        failures.write("failed")
    assert False
"""


BETWEEN = """
import os, pytest, signal

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    if item.name == "test_two" and not os.path.exists("{marker}"):
        open("{marker}", "w").close()
        os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_worker_that_crashes_says_where_in_the_report_of_its_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(CRASHES)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        "-n",
        "1",
        "-p",
        "orders_pipeline_tests.support.crashes",
    ]
    told = subprocess.run(
        [*pytest, tmp_path], cwd=Path(__file__).parents[1], env=ours, capture_output=True, text=True, check=False
    )

    report = told.stdout.partition("= FAILURES =")[2]
    assert "crashed while running" in report
    assert "in read_nowhere" in report
    assert "in test_crashes" not in report  # where another thread was


def test_a_test_whose_worker_crashed_is_run_once_more_and_one_that_fails_is_not(tmp_path: Path) -> None:
    """With the options of pyproject.toml. A crash in the threads of compiled libraries is seen once in many runs of the
    suite; it is in the summary, and does not hide what the test says."""
    failures = tmp_path / "failures"
    (tmp_path / "test_it.py").write_text(ONCE.format(marker=tmp_path / "crashed", failures=failures))
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    pytest = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-n", "1"]
    done = subprocess.run(
        [*pytest, tmp_path], cwd=Path(__file__).parents[1], env=ours, capture_output=True, text=True, check=False
    )

    assert "1 failed, 1 passed, 1 rerun" in done.stdout
    assert failures.read_text() == "failed"


def test_a_test_that_had_not_begun_when_its_worker_crashed_is_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(BETWEEN.format(marker=tmp_path / "crashed"))
    (tmp_path / "test_it.py").write_text("def test_one(): pass\n\n\ndef test_two(): pass\n\n\ndef test_three(): pass\n")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    pytest = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-n", "1"]
    done = subprocess.run(
        [*pytest, tmp_path], cwd=Path(__file__).parents[1], env=ours, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert "3 passed, 1 rerun" in done.stdout
