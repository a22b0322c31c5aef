"""What a run says of itself: short for people; and the fingerprint of its work, which they do not see."""

from datetime import date

from dagster._core.storage.tags import TagType, get_tag_type

from orders_pipeline.run_tags import DAYS, FILES, SOURCE, WORK_TAG, of_days, of_files
from orders_pipeline.sources.declaration import parse

UNDECLARED = parse("")


def test_dagster_hides_the_fingerprint_and_shows_what_people_read() -> None:
    assert get_tag_type(WORK_TAG) is TagType.HIDDEN
    assert {get_tag_type(tag) for tag in (DAYS, FILES, SOURCE)} == {TagType.USER_PROVIDED}


def test_files_are_named_without_their_folders_and_days_of_the_source_table_are_no_files() -> None:
    landed = [("bucket", "landing/shop/2026-03-04/a.csv"), ("bucket", "landing/b.csv")]

    assert of_files([*landed, ("", "table:orders/2026-03-04")], UNDECLARED) == {
        SOURCE: "landing/, landing/shop/, the source table",
        FILES: "a.csv, b.csv",
    }
    assert of_files([("", "table:orders/2026-03-04")], UNDECLARED) == {SOURCE: "the source table"}
    assert of_files([], UNDECLARED) == {}


def test_values_are_short_whatever_a_key_contains() -> None:
    many = [("bucket", f"landing/{number}.csv") for number in range(1_000)]
    long = [("bucket", f"landing/{'x' * 900}/{'y' * 900}\x1b.csv")]

    assert of_files(many, UNDECLARED)[FILES] == "0.csv, 1.csv, 2.csv and 997 more"
    assert all(len(value) <= 100 and value.isprintable() for value in of_files(long, UNDECLARED).values())


def test_days_are_joined_and_no_day_is_no_tag() -> None:
    assert of_days([date(2026, 3, 5), date(2026, 3, 4), date(2026, 3, 7)]) == {
        DAYS: "2026-03-04 to 2026-03-05, 2026-03-07"
    }
    assert of_days([]) == {}
