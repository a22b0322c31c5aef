"""Calls a webhook. Its URL is a secret: no log, answer or error holds any part of it."""

import logging
from collections.abc import Mapping
from threading import Thread
from typing import Any, Final

import requests

from orders_pipeline.alerts.causes import Alert

_SECONDS: Final = 5.0  # a tick calls a few times, in the 60 that Dagster allows
_THREAD: Final = "alert"


def post(url: str, alert: Alert) -> str | None:
    """Post `{"text": ...}` with the alert's key as Idempotency-Key, which no receiver refuses, unlike an unknown field.

    Returns what went wrong, None if the receiver accepted it. Raises nothing, follows no redirect, and returns within
    seconds; a request that takes longer may still arrive."""
    return _in_time("POST", url, {"json": {"text": alert.text}, "headers": {"Idempotency-Key": alert.key}})


def beat(url: str) -> str | None:
    """Call a dead man's switch with GET. Returns and raises as `post` does."""
    return _in_time("GET", url, {})


def _in_time(method: str, url: str, what: Mapping[str, Any]) -> str | None:
    problems: list[str | None] = []
    # In a thread: the timeout of a socket starts again with each byte, and resolving a name has none.
    thread = Thread(target=lambda: problems.append(_call(method, url, what)), name=_THREAD, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return problems[0] if problems else "the receiver did not answer in time"


def _call(method: str, url: str, what: Mapping[str, Any]) -> str | None:
    # urllib3 logs the path of each request on debug, and the whole URL in some warnings.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("urllib3")]:
        logging.getLogger(name).addFilter(_is_of_others)
    try:
        # The body of the answer is not read, however long it is.
        with requests.request(method, url, timeout=_SECONDS, allow_redirects=False, stream=True, **what) as answer:
            return None if answer.status_code < 300 else f"the receiver answered {answer.status_code}"
    except Exception as error:  # its text may hold the URL, its name does not
        return f"the receiver did not answer ({type(error).__name__})"


def _is_of_others(record: logging.LogRecord) -> bool:
    return record.threadName != _THREAD
