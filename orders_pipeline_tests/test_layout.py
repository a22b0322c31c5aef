"""What tests and benchmarks import: tests share code in `support`, and benchmarks need no tests."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = "orders_pipeline_tests"
MODULES = [path.relative_to(ROOT) for folder in (TESTS, "bench") for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(source: str) -> Iterator[str]:
    """Every module that a source imports, and every name that it imports from one, in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def refused(path: Path, source: str) -> list[str]:
    """The imports of a module that its place does not allow."""
    found = [name for name in imported(source) if name.split(".")[0] == TESTS]
    if path.parts[0] == "bench":
        return found
    return [name for name in found if any(part == "conftest" or part.startswith("test_") for part in name.split("."))]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_test_is_imported_and_no_benchmark_imports_from_tests(path: Path) -> None:
    assert refused(path, (ROOT / path).read_text()) == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_of_tests_and_benchmarks_that_is_imported_exists(path: Path) -> None:
    own = [
        str(node.module)
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in (TESTS, "bench")
    ]

    assert [name for name in own if not _exists(name)] == []


@pytest.mark.parametrize(
    ("place", "source", "is_refused"),
    [
        ("orders_pipeline_tests/cli/test_sync.py", "from orders_pipeline_tests.test_sensors import tick", True),
        ("orders_pipeline_tests/cli/test_sync.py", "import orders_pipeline_tests.test_sensors", True),
        ("orders_pipeline_tests/cli/test_sync.py", "from orders_pipeline_tests import test_sensors", True),
        ("orders_pipeline_tests/cli/test_sync.py", "def f():\n from orders_pipeline_tests.conftest import A", True),
        ("orders_pipeline_tests/cli/test_sync.py", "from orders_pipeline_tests.support.ticks import tick", False),
        ("orders_pipeline_tests/test_bench.py", "from bench import report", False),
        ("bench/workers.py", "from orders_pipeline_tests.support.places import client_of", True),
        ("bench/workers.py", "from bench.orders import write", False),
    ],
)
def test_imports_are_refused_by_place(place: str, source: str, is_refused: bool) -> None:
    assert bool(refused(Path(place), source)) == is_refused


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
