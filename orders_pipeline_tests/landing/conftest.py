"""A pipeline whose ledger can be restored from a backup."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.restoration import Restoration, beginning


@pytest.fixture
def restoration(pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Restoration]:
    with beginning(pipeline, services, monkeypatch) as found:
        yield found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found
