"""The changes that docs/extending.md shows, applied to a copy of the package."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
TITLES = ("A column", "A check", "An asset", "A source")


def recipe(title: str) -> str:
    """The text of a section."""
    _, *sections = re.split(r"^## ", (ROOT / "docs/extending.md").read_text(), flags=re.MULTILINE)
    return next(text for text in sections if text.startswith(f"{title}\n"))


def copy_package(folder: Path) -> None:
    """The package as it is now."""
    shutil.copytree(ROOT / "orders_pipeline", folder / "orders_pipeline", ignore=shutil.ignore_patterns("__pycache__"))


def apply(text: str, folder: Path) -> list[Path]:
    """Make the new files of a section and the changes of its diffs; returns what was written."""
    written = []
    for name, code in re.findall(r"^New: `(\S+)`\n\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(code)
        written.append(folder / name)
    for diff in re.findall(r"^```diff\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for name, hunks in re.findall(r"^--- (\S+)\n(.*?)(?=^--- |\Z)", diff, re.MULTILINE | re.DOTALL):
            lines = (folder / name).read_text().split("\n")
            for hunk in hunks.split("@@\n")[1:]:
                lines = _changed(lines, hunk.removesuffix("\n").split("\n"), name)
            (folder / name).write_text("\n".join(lines))
            written.append(folder / name)
    return written


def _changed(lines: list[str], hunk: list[str], name: str) -> list[str]:
    old = [line[1:] for line in hunk if not line.startswith("+")]
    new = [line[1:] for line in hunk if not line.startswith("-")]
    places = [at for at in range(len(lines)) if lines[at : at + len(old)] == old]
    assert len(places) == 1, f"{len(places)} places in {name} are\n" + "\n".join(old)
    return [*lines[: places[0]], *new, *lines[places[0] + len(old) :]]
