"""How the command line calls files that are not simply loaded, and days of the source table."""

from collections.abc import Sequence
from typing import TypeVar

from orders_pipeline.cli.status import FileStatus
from orders_pipeline.cli.terminal import escape
from orders_pipeline.landing.source_table import WHOLE, called
from orders_pipeline.ledger.files import MAX_ATTEMPTS
from orders_pipeline.ledger.reports import UnloadedFile
from orders_pipeline.settings import read_settings
from orders_pipeline.text import counted, shortened

_File = TypeVar("_File", UnloadedFile, FileStatus)


def failing(files: Sequence[tuple[str, _File]]) -> list[str]:
    """A line for each message: files that meet the same mistake, as when S3 refuses all of them, share one."""
    of = dict[str, list[tuple[str, _File]]]()
    for key, file in files:
        of.setdefault(file.message, []).append((key, file))
    return [_line([key for key, _ in same], same[0][1]) for same in of.values()]


def _line(keys: Sequence[str], file: _File) -> str:
    tried = f" (tried {file.attempts} of {MAX_ATTEMPTS} times)" if file.attempts else ""
    told = f"{below(file.message)}{standing(file)}{tried}"
    if keys == [WHOLE.key]:
        return told  # which begins with the source table
    names = named(keys[0]) if len(keys) == 1 else f"{counted(len(keys), 'file')} ({escape(shortened(keys))})"
    return f"{names}: {told}"


def named(key: str) -> str:
    """A key as people read it."""
    return escape(called(key, read_settings().source_table))


def below(message: str) -> str:
    """The message of a file, its further lines indented."""
    return escape(message).replace("\n", "\n        ")


def standing(file: UnloadedFile | FileStatus) -> str:
    """Whether something of a file counts all the same."""
    return " Its last readable version still counts." if file.still_counts else ""
