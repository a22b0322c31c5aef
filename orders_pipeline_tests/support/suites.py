"""Which tests `make test` leaves to `make slow`.

A test that has a `pipeline` plays whole runs and takes seconds, and there are hundreds. For `make test` two kinds are
enough: those that have caught a mutant (docs/mutants.md), so each guarantee is shown, and the first of each module. Of
a test with several cases, the first is played.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest

from orders_pipeline_tests.chaos.mutants import PAGE

ROOT = Path(__file__).parents[1]


def guards() -> frozenset[str]:
    """The tests that have caught a mutant, as `landing/test_loading.py::test_name`."""
    return frozenset(re.findall(r"^\| \d+ [^|]+ \| .+? \| `(.+?)` \|$", PAGE.read_text(), re.MULTILINE))


def is_of_a_few(arguments: Iterable[str]) -> bool:
    """Whether pytest was asked for modules or tests by name: then it plays all of these."""
    return any(argument.partition("::")[0].endswith(".py") for argument in arguments)


def slow(items: Iterable[pytest.Item], guards: Collection[str]) -> Iterator[pytest.Item]:
    """The tests to leave to `make slow`, of all that were collected."""
    modules, played = set[Path](), set[str]()
    for item in items:
        if "pipeline" not in getattr(item, "fixturenames", ()):
            continue
        test = f"{item.path.relative_to(ROOT).as_posix()}::{getattr(item, 'originalname', item.name)}"
        if test not in played and (test in guards or item.path not in modules):
            modules.add(item.path)
            played.add(test)
        else:
            yield item
