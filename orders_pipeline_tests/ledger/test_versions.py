"""Which listed versions are due: a pure decision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orders_pipeline.ledger.versions import Entry, FileVersion, Status, pending

VERSION = FileVersion("bucket", "landing/a.csv", "etag", 10, datetime(2026, 3, 4, tzinfo=UTC))


def entry(status: Status, *, due: bool = True) -> Entry:
    return Entry(VERSION, status, 1, due)


def test_an_unknown_key_is_pending() -> None:
    assert pending([(VERSION, None)]) == [VERSION]


@pytest.mark.parametrize("status", [Status.LOADED, Status.QUARANTINED, Status.IGNORED])
def test_a_settled_version_is_not(status: Status) -> None:
    assert pending([(VERSION, entry(status))]) == []


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(
    "other",
    [
        replace(VERSION, etag="other"),
        replace(VERSION, size=11),
        replace(VERSION, last_modified=VERSION.last_modified + timedelta(seconds=1)),
        replace(VERSION, last_modified=VERSION.last_modified - timedelta(days=1)),
    ],
)
def test_a_version_that_differs_in_anything_is_pending_whatever_became_of_the_last(
    status: Status, other: FileVersion
) -> None:
    assert pending([(other, entry(status, due=False))]) == [other]


def test_a_lost_version_that_is_listed_is_pending() -> None:
    lost = Entry(VERSION, Status.QUARANTINED, 0, due=True, is_lost=True)
    assert pending([(VERSION, lost)]) == [VERSION]


def test_a_failing_version_is_pending_when_its_time_has_come() -> None:
    assert pending([(VERSION, entry(Status.FAILING, due=True))]) == [VERSION]
    assert pending([(VERSION, entry(Status.FAILING, due=False))]) == []
