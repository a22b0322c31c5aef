"""docs/getting-started.md, from a file of one's own to its results, as the page says."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Final

import pytest

from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.runbook import blocks, shell

pytestmark = pytest.mark.e2e

PAGE: Final = (Path(__file__).parents[2] / "docs/getting-started.md").read_text()
LOAD, READ, OWN = "3. Load a file of your own", "4. Read the results", "5. Use your own S3 and Postgres"


@pytest.fixture
def folder(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the reader has saved the file."""
    monkeypatch.chdir(tmp_path)
    [content] = blocks(LOAD, "csv", PAGE)
    (tmp_path / "my-orders.csv").write_text(content)
    return tmp_path


def test_three_of_the_four_orders_of_the_page_count_until_the_file_is_corrected(
    pipeline: Pipeline, folder: Path
) -> None:
    _, land, status, why = blocks(LOAD, page=PAGE)
    shell(land)
    assert pipeline.sync().is_complete
    assert "4 read = 3 clean + 1 rejected" in shell(status)
    assert "amount_not_decimal" in shell(why, expected=1)

    printed = StringIO()
    [code] = blocks(READ, "python", PAGE)
    with redirect_stdout(printed):
        exec(compile(code, READ, "exec"), {})  # noqa: S102 - to run the page is the point
    assert "25.00" in printed.getvalue()
    assert "amount_not_decimal" in printed.getvalue()

    path = folder / "my-orders.csv"
    path.write_text(path.read_text().replace('"1,250.00"', "1250.00"))
    shell(land)
    assert pipeline.sync().is_complete
    assert "4 read = 4 clean + 0 rejected" in shell(status)
    assert "1,250.00 on 2026-04-02" in shell(why)


def test_own_services_are_checked_loaded_and_read_as_the_page_says(pipeline: Pipeline, folder: Path) -> None:
    *_, commands = blocks(OWN, page=PAGE)

    assert "2026-04-02" in shell(commands)
