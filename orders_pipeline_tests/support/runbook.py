"""The runbook, docs/operations.md, and pages like it, as something to be run."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from orders_pipeline.cli.main import main

RUNBOOK: Final = (Path(__file__).parents[2] / "docs/operations.md").read_text()


def blocks(title: str, language: str = "sh", page: str = RUNBOOK) -> list[str]:
    """The blocks of a section."""
    _, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    section = next(text for text in sections if text.startswith(f"{title}\n"))
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def shell(block: str, *, expected: int = 0) -> str:
    """Run a block line by line: the pipeline's own command in this process, others in a shell. Returns what the last
    one said; the lines before it must succeed."""
    *first, last = block.splitlines()
    for line in first:
        _line(line, 0)
    return _line(last, expected)


def _line(line: str, expected: int) -> str:
    if line.startswith("orders-pipeline "):
        called = CliRunner().invoke(main, shlex.split(line)[1:])
        status, said = called.exit_code, called.output
    else:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        status, said = done.returncode, done.stdout + done.stderr
    assert status == expected, f"{line}\n{said}"
    return said
