"""The random histories of test_histories, many more of them: `make chaos N=1000 SEED=7`."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orders_pipeline_tests.support.histories import SEED, play

pytestmark = pytest.mark.chaos

SEEDS = 10
HISTORIES = int(os.environ.get("ORDERS_HISTORIES", "300"))


@pytest.mark.parametrize("number", range(SEEDS))
def test_the_tables_are_what_the_bytes_say_after_many_histories(
    number: int, services: Path, template_database: str, record_property: Callable[[str, object], None]
) -> None:
    """Ten seeds, each of which plays its share."""
    share = -(-HISTORIES // SEEDS)
    play(share, SEED + 1 + number, services, template_database)
    record_property("histories", share)
