"""The mutants of `make mutants`, untried: code moves on, and a change that finds no place breaks nothing."""

from pathlib import Path

import pytest

from orders_pipeline_tests.chaos.mutants import MUTANTS, Mutant

PACKAGE = Path(__file__).parents[1] / "orders_pipeline"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_mutant_has_one_place_and_tests_that_are_there(mutant: Mutant) -> None:
    assert (PACKAGE / mutant.file).read_text().count(mutant.old) == 1
    assert all(list(Path(__file__).parent.rglob(name)) for name in mutant.tests.split())
