"""A pytest plugin: a worker process that crashes leaves its last stack in the report of the test that it ran.

Compiled code (Arrow, Polars, libpq) can take a process down. What pytest prints then is the stacks of all threads, far
up in the output, and of the test only that a worker crashed. pytest-rerunfailures repeats a test in which that happens;
a thread of compiled code may also crash between two tests, and then the next one is blamed, which had not begun.
"""

import faulthandler
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

_FOLDER = "ORDERS_CRASHES"  # in the environment, which workers inherit
_LINES = 30

_begun: set[str] = set()
_blamed: set[str] = set()


@pytest.hookimpl(trylast=True)  # in the place of pytest's own handler, which is there by now
def pytest_configure(config: pytest.Config) -> None:
    """A worker that crashes writes the stack of the thread that did into a file."""
    if (worker := os.environ.get("PYTEST_XDIST_WORKER")) is None:
        folder = TemporaryDirectory(prefix="orders-crashes-")
        config.add_cleanup(folder.cleanup)
        os.environ[_FOLDER] = folder.name
    else:
        stack = _stack(worker).open("w")
        config.add_cleanup(stack.close)
        faulthandler.enable(stack, all_threads=False)


def pytest_runtest_logstart(nodeid: str) -> None:
    """A test has begun."""
    _begun.add(nodeid)


@pytest.hookimpl(optionalhook=True, trylast=True)  # pytest-rerunfailures decides first
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """The report of a test whose worker crashed says where. A test that had not begun is run again, once."""
    worker: str = report.node.gateway.id  # type: ignore[attr-defined]  # xdist put it there
    said = _stack(worker).read_text().partition("\nExtension modules:")[0]
    report.longrepr = "\n".join([str(report.longrepr), *said.splitlines()[:_LINES]])
    if report.outcome == "failed" and crashitem not in _begun | _blamed:
        _blamed.add(crashitem)
        sched.mark_test_pending(crashitem)
        report.outcome = "rerun"  # type: ignore[assignment]  # an outcome of pytest-rerunfailures


def _stack(worker: str) -> Path:
    return Path(os.environ[_FOLDER], worker)
