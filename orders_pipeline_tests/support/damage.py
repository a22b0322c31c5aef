"""What a disk, or a program that mistakes one file for another, does to objects of the lake."""

from collections.abc import Callable
from pathlib import Path
from typing import Final


def flip(path: Path, at: float = 0.5) -> None:
    """Change one bit. `at`: where, as a share of the length."""
    content = bytearray(path.read_bytes())
    content[min(int(at * len(content)), len(content) - 1)] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path, at: float = 0.5) -> None:
    """Lose the end."""
    content = path.read_bytes()
    path.write_bytes(content[: int(at * len(content))])


def exchange(path: Path, at: float = 0.5) -> None:
    """Become another object, of the same folder if it has any."""
    near = [one for folder in (path.parent, path.parent.parent) for one in sorted(folder.rglob("*.parquet"))]
    others = [one for one in near if one != path]
    path.write_bytes(others[int(at * len(others))].read_bytes() if others else b"PAR1 no more")


def remove(path: Path, _at: float = 0.5) -> None:
    """Be gone."""
    path.unlink()


DAMAGES: Final[list[Callable[[Path, float], None]]] = [flip, cut, exchange, remove]
