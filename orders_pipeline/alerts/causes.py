"""How a failure is identified, and the text of its alert. No I/O."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

import dagster as dg

from orders_pipeline import run_tags
from orders_pipeline.alert_selection import CHECKS, RUNS
from orders_pipeline.runs.backoff import fingerprint
from orders_pipeline.text import printable

_ROOT_RUN_TAG: Final = "dagster/root_run_id"
_LONGEST_WHY: Final = 700  # characters, of what may be a file's name or a page of SQL
_NEVER: Final = ""
# What differs from one attempt to the next: numbers, and hexadecimal names of things. Days do not.
_PASSING: Final = re.compile(
    r"(?P<day>\b\d{4}-\d\d-\d\d\b)|\b0x[0-9a-f]+|\b(?=[a-z]*\d)[0-9a-f]{8,}|\d+", re.IGNORECASE
)


@dataclass(frozen=True)
class Alert:
    """What is posted. `key`: the same for the same cause and the run in which it was met, so that a receiver can drop
    what it has; a cause that is met again after its end has another."""

    text: str
    key: str

    @property
    def headline(self) -> str:
        """What failed."""
        return self.text.splitlines()[0]


@dataclass(frozen=True)
class Event:
    """Something that happened, or a state that was seen.

    `kind`: by which ORDERS_ALERTS chooses. `ends`: what works again, and `resolved`: what to post if its failure was
    reported. For a failure, `causes`: what identifies it, each with what ends it; an alert for one of them is enough.
    `alert`: what to post."""

    kind: str
    ends: frozenset[str] = frozenset()
    causes: Mapping[str, str] = field(default_factory=dict)
    alert: Alert | None = None
    resolved: Alert | None = None

    def unreported(self) -> Self:
        """The same, if no one wants to know of its kind: it still ends what was reported."""
        return replace(self, causes={}, alert=None)


def run_succeeded(run: dg.DagsterRun, dagster_url: str) -> Event:
    """Its work is done, and what its job failed of before is over."""
    resolved = _alert(f"Resolved: {_name(run)} succeeded", "", run, dagster_url, ["succeeded"])
    return Event(RUNS, ends=frozenset({_job(run), _work(run)} - {_NEVER}), resolved=resolved)


def run_failed(run: dg.DagsterRun, step: str | None, error: str, dagster_url: str) -> Event:
    """The same cause: another attempt at the same work, or the same error, in whichever job, until the job in which it
    was met succeeds.

    `error`: the error of the step, or of the run itself."""
    error = re.sub(r"\A(?:\w+\.)+(?=\w+(?::|\s*\Z))", "", error)  # the class without its module
    attempt = fingerprint([_work(run) or run.tags[run_tags.BACKFILL]])
    what = f"Run failed: {_name(run)}" + (f", step {step}" if step else "")
    causes = {attempt: _work(run), fingerprint([lasting(error)]): _job(run)}
    return Event(RUNS, causes=causes, alert=_alert(what, error, run, dagster_url, causes))


def check_evaluated(run: dg.DagsterRun, check: dg.AssetCheckEvaluation, dagster_url: str) -> Event:
    """A failed check of severity ERROR; the same cause: the same finding, until the check passes. One that warns is
    no event."""
    name = f"{check.check_name} of {check.asset_key.to_user_string()}"
    if check.passed:
        resolved = _alert(f"Resolved: {name} passed", "", run, dagster_url, ["passed", name])
        return Event(CHECKS, ends=frozenset({name}), resolved=resolved)
    if check.severity is not dg.AssetCheckSeverity.ERROR:
        return Event(CHECKS)
    found = check.description or "No further details."
    what = f"Check failed: {name}, in {_name(run)}"
    causes = {fingerprint([name, lasting(found)]): name}
    return Event(CHECKS, causes=causes, alert=_alert(what, found, run, dagster_url, causes))


def lasting(text: str) -> str:
    """What does not differ from one attempt to the next."""
    return _PASSING.sub(lambda found: found["day"] or "#", text)


def _job(run: dg.DagsterRun) -> str:
    return f"job {run.job_name}"


def _work(run: dg.DagsterRun) -> str:
    """What ends when the work of this run is done; nothing for a backfill, of which each run does another part."""
    if run_tags.BACKFILL in run.tags:
        return _NEVER
    return f"work {run_tags.work_of(run.tags) or run.tags.get(_ROOT_RUN_TAG) or run.run_id}"


def _name(run: dg.DagsterRun) -> str:
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    days = run.tags.get("dagster/partition") or (first if first == last else f"{first} to {last}")
    return f"{run.job_name} for {days}" if days else run.job_name


def failure_text(what: str, why: str, link: str) -> str:
    """What failed, why, and where to look, as Slack reads it: no key or value can begin a link or a mention."""
    return "\n".join(filter(None, (_plain(what), _plain(why), link)))


def _alert(what: str, why: str, run: dg.DagsterRun, dagster_url: str, key: Iterable[str]) -> Alert:
    link = f"{dagster_url.rstrip('/')}/runs/{run.run_id}"
    return Alert(failure_text(what, why, link), fingerprint([*key, run.run_id]))


def _plain(text: str) -> str:
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST_WHY else f"{line[: _LONGEST_WHY - 4]} ..."
    return printable(line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
