"""One round of alerts: read what failed, post what is new, and say what became of it."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import dagster as dg

from orders_pipeline.alerts.log import begin, catch_up
from orders_pipeline.alerts.memory import Waiting, forget, keep, recall
from orders_pipeline.alerts.webhook import post
from orders_pipeline.settings import Settings

MOST_ATTEMPTS: Final = 960  # at one in half a minute, a night

_POSTING_SECONDS: Final = 30  # of the 60 that Dagster allows; what is begun then takes a few more


def tell(
    instance: dg.DagsterInstance, key: str, is_ours: Callable[[dg.DagsterRun], bool], settings: Settings
) -> list[str]:
    """Tell the webhook of what failed, each cause at most once; returns what there is to say of it.

    An alert is taken off what waits before it is posted, so that whatever dies in between cannot post it twice; it is
    put back only if the receiver has certainly not taken it.

    Args:
        key: names the memory in Dagster's storage, which may serve other code locations too.
    """
    if settings.alert_webhook_url is None:
        forget(instance, key)
        return ["ORDERS_ALERT_WEBHOOK_URL is not set: nobody is told of what fails."]
    url = settings.alert_webhook_url.get_secret_value()
    before = recall(instance, key)
    if before is None:
        keep(instance, key, begin(instance))
        return ["What fails from now on is told."]
    memory = catch_up(instance, before, is_ours, settings.dagster_url)
    deadline, said = time.monotonic() + _POSTING_SECONDS, []
    for alert in sorted(memory.waiting, key=lambda alert: alert.attempts):
        if time.monotonic() > deadline:
            break
        memory = replace(memory, waiting=tuple(other for other in memory.waiting if other != alert))
        keep(instance, key, memory)
        answer = post(url, alert.text)
        words = f"{alert.text.splitlines()[0]}: {answer.words}"
        if not answer.refused:
            said.append(f"{words}.")
        elif alert.attempts + 1 == MOST_ATTEMPTS:
            said.append(f"{words}, and is given up after {MOST_ATTEMPTS} attempts.")
        else:
            memory = replace(memory, waiting=(*memory.waiting, Waiting(alert.text, alert.attempts + 1)))
            said.append(f"{words}, and is tried again (attempt {alert.attempts + 1} of {MOST_ATTEMPTS}).")
    if memory != before:
        keep(instance, key, memory)
    return said or ["Nothing new has failed."]
