"""How long the sensors wait before they request the same work again, so that a run that fails at once is not started
twice a minute for ever. Nothing is stored: it follows from Dagster's runs. Without those, a request comes earlier."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from orders_pipeline import run_tags

_FIRST_PAUSE: Final = timedelta(seconds=30)
_COUNTED: Final = 8
_ENDED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Backoff:
    """Work that previous runs did not finish. `runs`: how many, up to a limit."""

    runs: int
    until: datetime

    def __str__(self) -> str:
        runs = "last run" if self.runs == 1 else f"last {self.runs} runs"
        return f"the {runs} did not finish this work; next attempt at {self.until:%H:%M:%S} UTC, or when it changes"


def fingerprint(work: Iterable[object]) -> str:
    """The same text for the same work, in any order, and another as soon as something new comes in."""
    return hashlib.sha256("\n".join(sorted(repr(item) for item in work)).encode()).hexdigest()[:32]


def backoff_of(instance: dg.DagsterInstance, job: str, work: str, longest: timedelta) -> Backoff | None:
    """The backoff of this work: 30 seconds after the first run that did not finish it, then twice as long each time.

    A run that succeeded counts too: its work is still due."""
    now = datetime.now(UTC)
    lately = now - _COUNTED * longest  # the same work may have been done, and be due again
    runs: list[dg.RunRecord] = []
    for tag in (run_tags.WORK_TAG, run_tags.FORMER_WORK_TAG):
        of_this_work = dg.RunsFilter(job_name=job, statuses=_ENDED, tags={tag: work}, updated_after=lately)
        runs += instance.get_run_records(of_this_work, limit=_COUNTED)[: _COUNTED - len(runs)]
    if not runs:
        return None
    ended = max(datetime.fromtimestamp(run.end_time, UTC) if run.end_time else run.update_timestamp for run in runs)
    pause = min(_FIRST_PAUSE * 2 ** (len(runs) - 1), longest)
    # An end in the future comes from another machine's clock: do not wait for it.
    return Backoff(len(runs), ended + pause) if ended <= now < ended + pause else None
