"""The check files_are_in_the_landing_zone: files that count and that no listing shows are named by their place."""

from decimal import Decimal

import pytest
import sqlalchemy as sa

from orders_pipeline.definitions import s3
from orders_pipeline.ledger.places import within
from orders_pipeline.s3_settings import Place, place
from orders_pipeline_tests.support.checks import evaluate
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

CHECK = "files_are_in_the_landing_zone"


def test_places_outside_are_named_with_their_files_and_money_until_they_are_retracted(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date timestamp)")
    pipeline.execute("INSERT INTO orders VALUES ('t', 'eve', 5, '2026-03-04')")
    pipeline.land_rows("a/1.csv", "1,ann,1.00,2026-03-04", "2,ann,2.00,2026-03-04")
    pipeline.land_rows("b/2.csv", "3,ann,4.00,2026-03-04")
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", "x/y/")
    pipeline.land_rows("z/3.csv", "4,ann,8.00,2026-03-04")
    pipeline.sync()
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", "landing/")
    pipeline.sync()
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", "landing/a/")

    found = evaluate(pipeline, "raw_orders", CHECK)

    assert not found.passed
    folders = [f"s3://{s3.bucket}/{folder}" for folder in ("x/y/z/", "landing/b/")]
    assert f"{folders[1]} (1 file, 1 order worth 4.00)" in str(found.description)
    assert f"{folders[0]} (1 file, 1 order worth 8.00)" in str(found.description)
    assert "`orders-pipeline relocate FROM TO`" in str(found.description)
    assert {(one.subject, one.amount) for one in pipeline.status().findings if one.kind == CHECK} == {
        (f"s3://{s3.bucket}/x/", Decimal("8.00")),
        (f"s3://{s3.bucket}/landing/", Decimal("4.00")),
    }
    assert call("retract", f"{folders[0]}*", f"{folders[1]}2.csv").exit_code == 0
    assert evaluate(pipeline, "raw_orders", CHECK).passed


@pytest.mark.parametrize("name", ["s3://b/", "s3://b/l/", "s3://b/l_%/", "s3://b/l/a", "s3://c/l/"])
def test_a_query_finds_what_is_in_a_place(pipeline: Pipeline, name: str) -> None:
    keys = ["l/a", "l/ab", "l/", "l", "lx/a", "l_%/a", "lxx/a"]
    rows = sa.values(sa.column("bucket", sa.Text), sa.column("key", sa.Text), name="f").data([("b", k) for k in keys])
    with pipeline.connect() as connection:
        found = set(connection.execute(sa.select(rows.c.key).where(within(rows.c, place(name)))).scalars())

    assert found == {key for key in keys if place(name).holds("b", key)}


def test_a_full_name_may_be_of_an_access_point() -> None:
    arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/orders"

    assert place(f"s3://{arn}/landing/") == Place(arn, "landing/")
