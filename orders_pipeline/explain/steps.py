"""What to do next: a sentence, and the command if there is one; and which findings ask for something. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote
from typing import Final

from orders_pipeline.ledger.findings import Recorded
from orders_pipeline.text import printable


@dataclass(frozen=True)
class Step:
    """Something to do. `command`: what to run; None: no command does it."""

    what: str
    command: str | None = None


SYNC: Final = Step("Bring every table up to date now, or wait for the sensors.", "orders-pipeline sync")
ASK_AGAIN: Final = Step("S3 did not answer, so what waits there is not known: correct that, and ask again.")
VERIFY: Final = Step(
    "Find all damaged objects of the lake, then have them made again.", "orders-pipeline recover --verify"
)


def once(steps: Iterable[Step]) -> list[Step]:
    """The steps, the first of those with the same command."""
    found: dict[str, Step] = {}
    for step in steps:
        found.setdefault(step.command or step.what, step)
    return list(found.values())


def on_key(command: str, name: str) -> str:
    """A command of `orders-pipeline` with the name of a file, ready for a shell."""
    return f"orders-pipeline {command} {quote(printable(name))}"


def still_open(findings: Iterable[Recorded]) -> list[Recorded]:
    """Those that no one has accepted."""
    return [one for one in findings if one.accepted_at is None]


def accepted(findings: Iterable[Recorded]) -> list[Recorded]:
    """Those that a person has accepted."""
    return [one for one in findings if one.accepted_at is not None]


def on_findings(ids: list[int]) -> Step:
    """What to do about open findings."""
    return Step(
        "Correct what these findings name; accept those that are as they should be.",
        f"orders-pipeline accept {' '.join(map(str, ids))}",
    )
