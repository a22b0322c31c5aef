"""Whose file it is: the same sender on each day, and another one for another folder or declared source."""

import pytest

from orders_pipeline.sources.declaration import parse
from orders_pipeline.sources.senders import THE_TABLE, sender_of, undated_folder

SAME = {
    "one folder": ("landing/shop/a.csv", "landing/shop/b-17.csv"),
    "no folder": ("2026-03-05.csv", "other.csv"),
    "a folder for each part": ("orders/2026/03/05/x.csv", "orders/2026/11/30/x.csv", "orders/x.csv"),
    "parts without zeros": ("orders/2026/3/5/x.csv", "orders/2026/3/15/x.csv", "orders/2026/11/5/x.csv"),
    "a day": ("orders/2026-03-05/x.csv", "orders/2027-12-31/x.csv"),
    "a day without marks": ("orders/20260305/x.csv", "orders/20271231/x.csv"),
    "a day first": ("orders/05.03.2026/x.csv", "orders/31-12-2027/x.csv"),
    "a time": ("in/2026-03-05T07/x.csv", "in/2026-03-05T08:30:00Z/x.csv", "in/20260306T073000.123+0100/x.csv"),
    "a quoted time": ("in/ts=2026-03-05 07%3A00%3A00/x.csv", "in/ts=2026-03-06%2008%3A00%3A00/x.csv"),
    "hours": ("in/2026/03/05/07/x.csv", "in/2026/03/05/23/59/x.csv", "in/2026-03-05/07/x.csv"),
    "a month": ("in/2026-03/x.csv", "in/202604/x.csv", "in/2026/03/x.csv", "in/2026/2026-03/2026-03-05/x.csv"),
    "weeks and quarters": ("in/2026-W10/x.csv", "in/2026W11/x.csv", "in/2026/Q1/x.csv", "in/2026-Q2/x.csv"),
    "a partition": ("in/dt=2026-03-05/x.csv", "in/dt=2026-03-06/x.csv", "in/dt=20260307/hour=07/x.csv"),
    "partitions": ("in/year=2026/month=03/day=05/x.csv", "in/year=2027/month=3/day=6/hour=23/x.csv"),
    "a partition between": ("in/year=2026/country=de/month=03/x.csv", "in/year=2027/country=de/month=04/x.csv"),
    "a date beside a name": ("shop-a-2026-03-05/x.csv", "shop-a-2026-03-06/x.csv"),
    "a date before a name": ("20260305_shop-a/x.csv", "20260306_shop-a/x.csv"),
    "from one day to another": ("in/2026-03-01_2026-03-07/x.csv", "in/2026-03-08_2026-03-14/x.csv"),
    "all over": ("2026/shop/2026-03-05/x.csv", "2027/shop/2027-01-01/x.csv"),
}
OTHER = {
    "names": ("shop-a/1.csv", "shop-b/1.csv"),
    "numbers": ("shop-1/1.csv", "shop-2/1.csv"),
    "numbers alone": ("shops/12/1.csv", "shops/13/1.csv"),
    "partitions": ("in/shop=1/x.csv", "in/shop=2/x.csv"),
    "a number that may be a year": ("in/shop=2021/x.csv", "in/shop=2022/x.csv"),
    "a longer number": ("in/202603051/x.csv", "in/202603052/x.csv"),
    "no month": ("in/2026-13-05/x.csv", "in/2026-14-05/x.csv"),
    "an id with digits of a year": ("shop-2021/x.csv", "shop-2022/x.csv"),
    "beside a date": ("shop-1-2026-03-05/x.csv", "shop-2-2026-03-05/x.csv"),
    "below a date": ("2026/03/05/shop-1/x.csv", "2026/03/05/shop-2/x.csv"),
    "deeper": ("in/x.csv", "in/more/x.csv"),
    "the prefix": ("landing/a.csv", "incoming/a.csv"),
}
TWO_SHOPS = parse(
    "[[source]]\nname = 'acme'\nkeys = 'landing/acme*'\n[[source]]\nname = 'b'\nkeys = 'landing/b-*'\n"
    "[[source]]\nname = 'db'\ntable = 'orders'\n"
)


@pytest.mark.parametrize("keys", SAME.values(), ids=SAME.keys())
def test_files_of_one_folder_are_of_one_sender_whatever_the_day(keys: tuple[str, ...]) -> None:
    assert len({undated_folder(key) for key in keys}) == 1, [undated_folder(key) for key in keys]


@pytest.mark.parametrize("keys", OTHER.values(), ids=OTHER.keys())
def test_files_of_two_folders_are_of_two_senders(keys: tuple[str, ...]) -> None:
    assert len({undated_folder(key) for key in keys}) == len(keys), [undated_folder(key) for key in keys]


def test_a_declared_source_is_one_sender_whatever_the_folder() -> None:
    keys = "landing/acme/1.csv", "landing/acme-2/1.csv"

    assert {sender_of(TWO_SHOPS, "b", key) for key in keys} == {"acme"}
    assert len({sender_of(parse(""), "b", key) for key in keys}) == 2


def test_two_declared_sources_are_two_senders_in_one_folder() -> None:
    keys = "landing/b-1.csv", "landing/acme.csv", "landing/c.csv"

    assert [sender_of(TWO_SHOPS, "b", key) for key in keys] == ["b", "acme", "landing/"]


def test_defaults_of_all_sources_make_no_sender() -> None:
    defaults = parse("[defaults]\nmax_reject_share = '2%'\n")

    assert sender_of(defaults, "b", "x/1.csv") != sender_of(defaults, "b", "y/1.csv")


@pytest.mark.parametrize("sources", [parse(""), TWO_SHOPS])
def test_all_days_of_the_source_table_are_of_one_sender(sources: object) -> None:
    days = "table:orders/2026-03-04", "table:orders/2026-03-05", "table:orders/none"

    assert {sender_of(sources, "", key) for key in days} == {THE_TABLE}  # type: ignore[arg-type]
