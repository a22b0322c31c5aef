"""Posts an alert to a webhook. The URL is a secret: no log, answer or error holds any part of it."""

import logging
from threading import Thread
from typing import Final

import requests

from orders_pipeline.alerts.causes import Alert

_SECONDS: Final = 5.0  # a tick posts a few times, in the 60 that Dagster allows
_THREAD: Final = "alert"


def post(url: str, alert: Alert) -> str | None:
    """Post `{"text": ...}` with the alert's key as Idempotency-Key, which no receiver refuses, unlike an unknown field.

    Returns what went wrong, None if the receiver accepted it. Raises nothing, follows no redirect, and returns within
    seconds; a request that takes longer may still arrive."""
    problems: list[str | None] = []
    # In a thread: the timeout of a socket starts again with each byte, and resolving a name has none.
    thread = Thread(target=lambda: problems.append(_post(url, alert)), name=_THREAD, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return problems[0] if problems else "the receiver did not answer in time"


def _post(url: str, alert: Alert) -> str | None:
    # urllib3 logs the path of each request on debug, and the whole URL in some warnings.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("urllib3")]:
        logging.getLogger(name).addFilter(_is_of_others)
    try:
        with requests.post(
            url,
            json={"text": alert.text},
            headers={"Idempotency-Key": alert.key},
            timeout=_SECONDS,
            allow_redirects=False,
            stream=True,  # the body of the answer is not read, however long it is
        ) as answer:
            return None if answer.status_code < 300 else f"the receiver answered {answer.status_code}"
    except Exception as error:  # its text may hold the URL, its name does not
        return f"the receiver did not answer ({type(error).__name__})"


def _is_of_others(record: logging.LogRecord) -> bool:
    return record.threadName != _THREAD
