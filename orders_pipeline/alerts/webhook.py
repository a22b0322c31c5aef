"""Posts an alert to a webhook. The URL is a secret: neither logs nor answers nor errors hold any part of it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread, get_ident
from typing import Final

import requests

_CONNECT_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 10.0  # all in all, for a name that is not found or an answer that drips
_NOT_TAKEN: Final = 503  # "not now", where any other 5xx may mean anything
_PERHAPS: Final = " and may have taken it: it is not posted again"


@dataclass(frozen=True)
class Answer:
    """What became of an alert. `refused`: the receiver has certainly not taken it."""

    refused: bool
    words: str


class _Letter(io.BytesIO):
    """A body that knows whether its sending has begun, and can be held back until then."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._lock = Lock()
        self._begun = self._held_back = False

    def read(self, size: int | None = -1) -> bytes:
        with self._lock:
            if self._held_back:
                raise TimeoutError
            self._begun = True
        return super().read(size)

    def hold_back(self) -> bool:
        """Whether it has not been sent, and will not be."""
        with self._lock:
            self._held_back = not self._begun
            return self._held_back


def post(url: str, text: str) -> Answer:
    """Post an alert as `{"text": ...}`. Raises nothing, follows no redirect, and is back within seconds."""
    letter = _Letter(json.dumps({"text": text}).encode())
    answers: list[Answer] = []
    # A thread of its own: the timeouts of sockets begin anew with each byte, and a name server has none.
    thread = Thread(target=lambda: answers.append(_post(url, letter)), daemon=True)
    thread.start()
    thread.join(_LONGEST_SECONDS)
    return answers[0] if answers else _no_answer(letter, "in time")


def _post(url: str, letter: _Letter) -> Answer:
    try:
        with _unlogged(), requests.Session() as session:
            status = session.post(
                url,
                data=letter,
                headers={"Content-Type": "application/json"},
                timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
                allow_redirects=False,
                stream=True,  # nobody reads the answer's body, however long it is
            ).status_code
    except Exception as error:  # its text may hold the URL, its name does not
        return _no_answer(letter, f"({type(error).__name__})")
    if status < 300:
        return Answer(refused=False, words="delivered")
    if status < 500 or status == _NOT_TAKEN:
        return Answer(refused=True, words=f"the receiver answered {status}")
    return Answer(refused=False, words=f"the receiver answered {status}{_PERHAPS}")


def _no_answer(letter: _Letter, how: str) -> Answer:
    if letter.hold_back():
        return Answer(refused=True, words=f"the receiver could not be reached {how}")
    return Answer(refused=False, words=f"the receiver did not answer {how}{_PERHAPS}")


@contextmanager
def _unlogged() -> Iterator[None]:
    """Without what urllib3 logs in this thread: the path of each request on debug, the whole URL in some warnings."""
    this, names = get_ident(), [name for name in logging.root.manager.loggerDict if name.startswith("urllib3")]

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != this

    for name in names:
        logging.getLogger(name).addFilter(of_others)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeFilter(of_others)
