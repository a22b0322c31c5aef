"""Every example of docs/cookbook.md does what the page says it does."""

import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Final

import pytest

from orders_pipeline_tests.support.driver import Pipeline

pytestmark = pytest.mark.e2e

PAGE: Final = (Path(__file__).parents[2] / "docs/cookbook.md").read_text()
FILES: Final = dict(re.findall(r"^```csv (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PYTHON: Final = re.findall(
    r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)
SHELL: Final = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TABLES_BY_DAY: Final = ("cleaned_orders", "daily_revenue", "daily_orders", "daily_revenue_partitioned")


@pytest.fixture
def shop(pipeline: Pipeline) -> Pipeline:
    for name, content in FILES.items():
        pipeline.land(name, content)
    return pipeline


def test_no_example_of_the_page_is_left_out() -> None:
    assert len(FILES) == 2
    assert len(PYTHON) + len(SHELL) == PAGE.count("\n## ") == 5
    assert PAGE.count("```") == 2 * (len(FILES) + 2 * len(PYTHON) + len(SHELL))


def test_each_python_example_prints_what_stands_below_it(shop: Pipeline) -> None:
    assert shop.sync().is_complete

    for title, code, expected in PYTHON:
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(code, title, "exec"), {})  # noqa: S102 - to run the page is the point
        assert printed.getvalue() == expected, title


def test_the_month_is_rebuilt_in_every_table_and_no_other_day_is(shop: Pipeline) -> None:
    shop.land_rows("april.csv", "0099,007,1.00,2026-04-01")
    assert shop.sync().is_complete
    before = {table: shop.built(table) for table in TABLES_BY_DAY}
    revenue, spend = shop.revenue(), shop.spend()

    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for script in SHELL:
        subprocess.run(["/bin/sh", "-ec", script], env={**os.environ, "PATH": path}, check=True, capture_output=True)

    for table, built in before.items():
        after = shop.built(table)
        assert {day for day in built if after[day] != built[day]} == {"2026-03-04", "2026-03-05", "2026-03-06"}, table
    assert (shop.revenue(), shop.spend()) == (revenue, spend)
    assert not any(shop.status().stale_days.values())
