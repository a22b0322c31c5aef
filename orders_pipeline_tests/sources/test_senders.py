"""Senders: which files come from the same one."""

import pytest

from orders_pipeline.sources.declaration import UNDECLARED, parse
from orders_pipeline.sources.senders import SOURCE_TABLE, folder_of, sender_of


@pytest.mark.parametrize(
    "dated",
    [
        "2026",
        "2026-03",
        "202603",
        "20260305",
        "2026_03_05",
        "2026.03.05",
        "2026/03/05",
        "2026/03/05/07",
        "2026-03-05T07",
        "2026-03-05T07:30:00Z",
        "20260305T073000Z",
        "dt=2026-03-05",
        "order_date=20260305",
        "year=2026/month=03/day=05",
        "year=2026/month=3/day=5/hour=7",
        "y=2026/m=03/d=05",
    ],
)
def test_a_date_in_a_folder_s_name_does_not_make_another_sender(dated: str) -> None:
    assert folder_of(f"landing/acme/{dated}/orders.csv") == "landing/acme/"
    assert folder_of(f"landing/{dated}/acme/orders.csv") == "landing/acme/"


@pytest.mark.parametrize(
    "name", ["shop-1", "shop-2", "1", "07", "2026-shops", "eu-west-1", "id=7", "1999x", "20261305"]
)
def test_other_folders_are_other_senders(name: str) -> None:
    assert folder_of(f"landing/{name}/orders.csv") == f"landing/{name}/"


def test_a_key_without_a_folder_is_in_the_root() -> None:
    assert folder_of("orders.csv") == "/"


def test_a_declared_source_is_one_sender_whatever_its_folders() -> None:
    sources = parse('[[source]]\nname = "acme"\nkeys = "landing/acme*"')

    assert {sender_of(sources, "b", f"landing/acme-{n}/o.csv") for n in (1, 2)} == {"acme"}
    assert sender_of(sources, "b", "landing/other/o.csv") == "landing/other/"


def test_all_days_of_the_source_table_have_one_sender() -> None:
    declared = parse('[[source]]\nname = "shop"\ntable = "orders"')

    assert sender_of(UNDECLARED, "", "table/2026-03-05") == SOURCE_TABLE
    assert sender_of(declared, "", "table/2026-03-05") == "shop"
