"""How long the sensors wait before they ask for the same work again, so that a run that fails at once is not started
twice a minute for ever. Nothing is kept: Dagster's runs tell it, and to lose those only means to ask earlier."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

WORK_TAG: Final = "orders/work"  # of a run: the fingerprint of what it was asked for

_FIRST_PAUSE: Final = timedelta(seconds=30)
_COUNTED: Final = 8
_ENDED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Backoff:
    """Work that runs were asked for in vain. `runs`: how many, as far as they are counted."""

    runs: int
    until: datetime

    def __str__(self) -> str:
        runs = "last run" if self.runs == 1 else f"last {self.runs} runs"
        return f"the {runs} did not finish this work; next attempt at {self.until:%H:%M:%S} UTC, or when it changes"


def fingerprint(work: Iterable[object]) -> str:
    """The same text for the same work, in any order, and another as soon as something new comes in."""
    return hashlib.sha256("\n".join(sorted(repr(item) for item in work)).encode()).hexdigest()[:32]


def backoff_of(instance: dg.DagsterInstance, job: str, work: str, longest: timedelta) -> Backoff | None:
    """The pause that work is in: 30 seconds after the first run that left it undone, then twice as long each time.

    A run that succeeded counts too: it is of the same work, which is still to be done."""
    now = datetime.now(UTC)
    lately = now - _COUNTED * longest  # the same work may have been done, and come up anew
    asked = dg.RunsFilter(job_name=job, statuses=_ENDED, tags={WORK_TAG: work}, updated_after=lately)
    runs = instance.get_run_records(asked, limit=_COUNTED)
    if not runs:
        return None
    ended = max(datetime.fromtimestamp(run.end_time, UTC) if run.end_time else run.update_timestamp for run in runs)
    pause = min(_FIRST_PAUSE * 2 ** (len(runs) - 1), longest)
    # An end that lies in the future is another machine's clock: not to be waited for.
    return Backoff(len(runs), ended + pause) if ended <= now < ended + pause else None
