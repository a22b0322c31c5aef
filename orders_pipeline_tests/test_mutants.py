"""The mutants of `make mutants`, untried: code moves on, and a change that finds no place breaks nothing."""

import re
from pathlib import Path

import pytest

from orders_pipeline_tests.chaos.mutants import MUTANTS, PAGE, Mutant, table

PACKAGE = Path(__file__).parents[1] / "orders_pipeline"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_mutant_has_one_place_and_tests_that_are_there(mutant: Mutant) -> None:
    assert (PACKAGE / mutant.file).read_text().count(mutant.old) == 1
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
