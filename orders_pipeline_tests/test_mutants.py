"""The mutants of `make mutants`, untried: code moves on, and a change that finds no place breaks nothing."""

import ast
import re
from pathlib import Path

import pytest

from orders_pipeline_tests.chaos.mutants import MUTANTS, PAGE, Mutant, table

PACKAGE = Path(__file__).parents[1] / "orders_pipeline"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_mutant_has_one_place_and_tests_that_are_there(mutant: Mutant) -> None:
    source = (PACKAGE / mutant.path).read_text()

    changed = mutant.changed(source)  # fails unless there is exactly one place

    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))
    assert all(list(Path(__file__).parent.rglob(name)) for name in mutant.tests.split())


def test_the_page_lists_every_mutant_with_a_test_that_exists() -> None:
    text = PAGE.read_text()
    tests = dict(re.findall(r"^\| \d+ [^|]+ \| (.+?) \| `(.+?)` \|$", text, re.MULTILINE))

    assert table(MUTANTS, [tests[mutant.breaks] for mutant in MUTANTS]) in text
    for module, _, name in (test.partition("::") for test in tests.values()):
        (path,) = Path(__file__).parent.rglob(module)
        assert f"def {name}(" in path.read_text(), f"{module}::{name}"


def test_every_guarantee_that_a_mutant_breaks_is_one_of_the_page() -> None:
    page = (PAGE.parent / "reliability.md").read_text()
    guarantees = page.partition("## Guarantees\n")[2].partition("\n## ")[0]

    assert {mutant.guarantee.split()[0] for mutant in MUTANTS} == set(
        re.findall(r"^\| (\d+) \|", guarantees, re.MULTILINE)
    )


SOURCE = """
LIMIT = check(1)

class Reader:
    @decorated(limit=check(2))
    def read(self):
        return check(1)

    def skip(self):
        def inner():
            return check(
                1,
            )
        return inner, check( 2 )
"""


@pytest.mark.parametrize(
    ("of", "old", "line"),
    [
        ("reader", "check(1)", "LIMIT = new"),
        ("reader:Reader.read", "check(1)", "        return new"),
        ("reader:Reader.read", "check(2)", "    @decorated(limit=new)"),
        ("reader:Reader.skip.inner", "check(1)", "            return new"),
        ("reader:Reader.skip", "check(2)", "        return inner, new"),
    ],
)
def test_a_place_is_found_by_function_in_any_layout(of: str, old: str, line: str) -> None:
    changed = Mutant("1", "it", of=of, old=old, new="new", tests="").changed(SOURCE)

    assert set(changed.splitlines()) - set(SOURCE.splitlines()) == {line}


@pytest.mark.parametrize("old", ["check(3)", "check", "heck(1)"])
def test_a_change_without_exactly_one_place_is_refused(old: str) -> None:
    with pytest.raises(AssertionError, match="times, not once"):
        Mutant("1", "it", of="reader:Reader", old=old, new="new", tests="").changed(SOURCE)


def test_a_change_of_several_lines_keeps_the_margin() -> None:
    changed = Mutant("1", "it", of="reader:Reader.read", old="return check(1)", new="a()\nb()", tests="").changed(
        SOURCE
    )

    assert "        a()\n        b()\n" in changed
