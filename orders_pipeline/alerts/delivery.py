"""One round of alerts: read what failed, post what is new, and report the result."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

import dagster as dg

from orders_pipeline.alert_selection import Alerts
from orders_pipeline.alerts.causes import Alert, Event
from orders_pipeline.alerts.log import begin, catch_up
from orders_pipeline.alerts.memory import MOST_WAITING, Memory, keep, recall
from orders_pipeline.alerts.webhook import post
from orders_pipeline.runs.backoff import fingerprint
from orders_pipeline.settings import Settings

LONGEST_DIGEST: Final = 4_000  # characters: Slack advises no more

_MOST_ALONE: Final = 5  # alerts of a tick in messages of their own
_MORE: Final = "There are more failures than listed here: see the list of runs in Dagster."


def deliver(
    instance: dg.DagsterInstance,
    key: str,
    is_ours: Callable[[dg.DagsterRun], bool],
    observe: Callable[[Mapping[str, str]], Iterable[Event]],
    settings: Settings,
) -> list[str]:
    """Post failures to the webhook, each cause at least once. Returns lines for the tick.

    A message is posted first and recorded then: a process that dies in between repeats it once, with the same key.
    What had to wait is posted before the log is read on, so that this holds for a digest too.

    Args:
        key: names the memory in Dagster's storage, which may serve other code locations too.
        observe: what else is wrong, or works again, given what was reported.
    """
    before = recall(instance, key)
    if settings.alert_webhook_url is None:
        if before:
            keep(instance, key, None)
        return ["ORDERS_ALERT_WEBHOOK_URL is not set: no alerts are sent."]
    if before is None:
        keep(instance, key, begin(instance))
        return ["Alerts start now: earlier failures are not posted."]
    url, report = settings.alert_webhook_url.get_secret_value(), []

    def deliver(memory: Memory, number: int) -> Memory:
        message = as_message(memory.waiting[:number])
        problem = post(url, message)
        report.append(f"{message.headline}: {problem or 'delivered'}.")
        memory = memory.failed(time.time()) if problem else memory.delivered(number)
        keep(instance, key, memory)
        return memory

    memory = before
    if memory.waiting and not memory.is_paused(time.time()):
        memory = deliver(memory, len(memory.waiting))
    alone = 0 if memory.waiting else _MOST_ALONE
    memory, events = catch_up(instance, memory, is_ours, settings.dagster_url)
    memory = memory.learn(_wanted(events, settings.alerts))
    memory = memory.learn(_wanted(observe(memory.told), settings.alerts))
    for _ in memory.waiting[:alone]:
        if memory.down_since is None:
            memory = deliver(memory, 1)
    if memory != before:
        keep(instance, key, memory)
    if memory.waiting:
        due = datetime.fromtimestamp(max(memory.retry_at, time.time()), UTC)
        report.append(f"Alerts waiting: {len(memory.waiting)}. The first tick after {due:%H:%M:%S} UTC posts them.")
    return report or ["No new failures."]


def _wanted(events: Iterable[Event], alerts: Alerts) -> Iterator[Event]:
    return (event if event.kind in alerts else event.unreported() for event in events)


def as_message(alerts: Sequence[Alert]) -> Alert:
    """One alert as it is; several as a digest of bounded length: their texts, or headlines alone where those are too
    long together."""
    if len(alerts) == 1:
        return alerts[0]
    texts = [alert.text for alert in alerts]
    if sum(map(len, texts)) > LONGEST_DIGEST:
        texts = [alert.headline for alert in alerts]
    listed = [text for text, end in zip(texts, accumulate(map(len, texts)), strict=True) if end <= LONGEST_DIGEST]
    more = [_MORE] if len(listed) < len(alerts) or len(alerts) == MOST_WAITING else []
    text = "\n\n".join([f"{len(alerts)} failures since the last message", *listed, *more])
    return Alert(text, fingerprint(alert.key for alert in alerts))
