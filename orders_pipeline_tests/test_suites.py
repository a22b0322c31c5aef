"""What `make test` leaves to `make slow`."""

from types import SimpleNamespace
from typing import Any

import pytest

from orders_pipeline_tests.support import suites


def item(module: str, name: str, *fixtures: str) -> Any:
    """A collected test, as far as it matters here."""
    return SimpleNamespace(
        path=suites.ROOT / module, name=name, originalname=name.partition("[")[0], fixturenames=fixtures
    )


def test_of_the_tests_that_play_runs_those_that_guard_and_the_first_of_a_module_are_quick_in_their_first_case() -> None:
    items = [
        item("cli/test_a.py", "test_first[1]", "pipeline"),
        item("cli/test_a.py", "test_first[2]", "pipeline"),
        item("cli/test_a.py", "test_guards[1]", "pipeline"),
        item("cli/test_a.py", "test_guards[2]", "pipeline"),
        item("cli/test_a.py", "test_other", "pipeline"),
        item("cli/test_a.py", "test_without_runs[2]", "database_url"),
        item("cli/test_b.py", "test_guards", "pipeline"),
        item("cli/test_b.py", "test_first", "pipeline"),
    ]

    slow = suites.slow(items, {"cli/test_a.py::test_guards"})

    assert [(one.path.name, one.name) for one in slow] == [
        ("test_a.py", "test_first[2]"),
        ("test_a.py", "test_guards[2]"),
        ("test_a.py", "test_other"),
        ("test_b.py", "test_first"),
    ]


def test_the_guards_are_the_tests_of_the_page_of_mutants() -> None:
    guards = suites.guards()

    assert {guard.partition("::")[0] for guard in guards} >= {"cli/test_sync.py", "landing/test_loading.py"}
    assert all((suites.ROOT / guard.partition("::")[0]).is_file() for guard in guards)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["orders_pipeline_tests"], False),
        (["/a/checkout/orders_pipeline_tests/landing"], False),
        (["orders_pipeline_tests/landing/test_loading.py"], True),
        (["orders_pipeline_tests/landing/test_loading.py::test_a[x/y]"], True),
    ],
)
def test_a_module_that_is_asked_for_by_name_is_played_whole(arguments: list[str], named: bool) -> None:
    assert suites.is_of_a_few(arguments) is named
