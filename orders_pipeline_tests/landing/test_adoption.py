"""Which versions a recovery adopts from the lake, and how an object names the one that it holds."""

from datetime import UTC, datetime, timedelta

import pytest

from orders_pipeline.landing.provenance import Origin, origin_of
from orders_pipeline.landing.recovery import Copy, to_adopt
from orders_pipeline.ledger.versions import TABLE, Entry, FileVersion, Status
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline.sources.declaration import PLAIN, Source

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)


def version(etag: str, seconds: int, key: str = "landing/a.csv") -> FileVersion:
    return FileVersion("bucket", key, etag, 1, NOON + timedelta(seconds=seconds))


def copy(of: FileVersion, path: str = "", rules: int = CODE_VERSIONS["raw_orders"]) -> Copy:
    return Copy(path or of.etag, Origin(of, rules, "UTC", PLAIN, None, of.last_modified))


def entry(of: FileVersion, status: Status = Status.LOADED) -> Entry:
    return Entry(of, status, 0, due=True)


OLD, NEW, NEWER = version("old", 0), version("new", 5), version("newer", 9)


@pytest.mark.parametrize(
    ("copies", "history", "listed", "adopted"),
    [
        ([OLD, NEWER, NEW], [], None, [NEWER, NEW, OLD]),
        ([OLD, NEWER], [NEW], None, [NEWER]),
        ([OLD], [NEW], None, []),
        ([NEW], [NEW], None, []),
        ([version("other", 5)], [NEW], None, [version("other", 5)]),  # in the same second, and not seen before
        ([NEWER], [NEWER, OLD], None, []),  # seen before an older one came back
        ([NEW, NEWER], [OLD], NEWER, []),  # sync takes it
        ([NEW], [OLD], NEWER, [NEW]),  # unless what S3 has cannot be read, this one counts
        ([NEWER], [OLD], NEW, [NEWER]),
    ],
)
def test_the_newest_version_that_the_ledger_has_not_seen_is_adopted(
    copies: list[FileVersion], history: list[FileVersion], listed: FileVersion | None, adopted: list[FileVersion]
) -> None:
    found = to_adopt([copy(of) for of in copies], [entry(of) for of in history], listed, "UTC")

    assert [one.version for one in found] == adopted


@pytest.mark.parametrize(
    ("status", "listed", "is_adopted"),
    [
        (Status.FAILING, None, True),  # it was in hand when the backup was made
        (Status.FAILING, NEW, False),  # sync takes it
        (Status.QUARANTINED, None, True),  # it was read after a retry
        (Status.QUARANTINED, NEW, True),  # sync would leave it there
        (Status.IGNORED, None, False),  # retracted, or dismissed by hand
        (Status.LOADED, None, False),
    ],
)
def test_of_the_version_that_the_ledger_saw_last_its_status_decides(
    status: Status, listed: FileVersion | None, is_adopted: bool
) -> None:
    assert bool(to_adopt([copy(NEW)], [entry(OLD), entry(NEW, status)], listed, "UTC")) is is_adopted


def test_of_several_copies_of_a_version_one_validated_by_todays_rules_is_preferred() -> None:
    copies = [copy(NEW, "z", rules=0), copy(NEW, "b"), copy(NEW, "a")]

    assert [one.path for one in to_adopt(copies, [], None, "UTC")] == ["b", "a", "z"]


def test_an_object_says_what_it_was_made_of_and_others_say_nothing() -> None:
    table_day = FileVersion(TABLE, "table:orders/none", "3:4", 3, datetime(1, 1, 1, tzinfo=UTC))
    declared = Source(columns={"amount": "Total"}, keep={"Status": ("paid",)})
    for origin in (
        Origin(NEW, 1, "UTC", declared, "hash", NOON),
        Origin(table_day, 2, "Europe/Berlin", PLAIN, None, table_day.last_modified),
    ):
        assert origin_of(origin.as_metadata()) == origin
    for said in ({}, {"orders": "{"}, {"orders": "[]"}, {"orders": "{}"}, {"orders": '{"last_modified": "soon"}'}):
        assert origin_of(said) is None
