"""The terminal: lines, and progress as bars (or as plain lines, when standard output is no terminal)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich import markup
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orders_pipeline import progress as reports
from orders_pipeline.text import printable

console: Final = Console(highlight=False, soft_wrap=True)
_LINE_EVERY: Final = 100  # without a terminal: a line per so many


def escape(text: str) -> str:
    """As it is, line by line: neither markup of ours nor anything that a terminal would obey."""
    return markup.escape("\n".join(map(printable, text.splitlines())))


def say(text: str) -> None:
    """A line of what is happening."""
    console.print(f"[dim]·[/dim] {escape(text)}")


def warn(text: str) -> None:
    """A line of what you may want to change."""
    console.print(f"[yellow]·[/yellow] {escape(text)}")


@contextmanager
def progress() -> Iterator[None]:
    """Show how far long work is while the block runs."""
    if not console.is_terminal:
        with reports.listening(_say_now_and_then):
            yield
        return
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total, visible=done < total)

        with reports.listening(show):
            yield


def _say_now_and_then(what: str, done: int, total: int) -> None:
    if done % _LINE_EVERY == 0 and done < total:
        say(f"{done} of {total} {what}")
