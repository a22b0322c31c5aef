"""What a source adds to rows: prefixes of ids, a customer for orders without one, the business day in the key."""

from pathlib import Path

import polars as pl
import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing.additions import with_additions
from orders_pipeline.sources.declaration import Source
from orders_pipeline.validation import validate
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

DAY, NEXT = "2026-03-04", "2026-03-05"


def declare(tmp_path: Path, *sources: str) -> str:
    file = tmp_path / "sources.toml"
    file.write_text("\n".join(f'[[source]]\nname = "source-{n}"\n{fields}' for n, fields in enumerate(sources)))
    return str(call("sources", "apply", str(file)))


def test_two_senders_may_use_the_same_ids(pipeline: Pipeline, tmp_path: Path) -> None:
    declare(
        tmp_path,
        'keys = "landing/a/*"\norder_id_prefix = "a-"\ncustomer_id_prefix = "a-"',
        'keys = "landing/b/*"\norder_id_prefix = "b-"',
    )
    pipeline.land_rows("a/1.csv", f"1,ann,10.00,{DAY}")
    pipeline.land_rows("b/1.csv", f"1,ann,5.00,{DAY}", f"2,ann,1.00,{NEXT}")
    assert pipeline.sync().is_complete

    pipeline.land_rows("b/2.csv", f"1,ann,6.00,{NEXT}")  # replaces b-1, and not a-1
    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("10.00", 1), NEXT: ("7.00", 2)}
    assert pipeline.spend() == {(DAY, "a-ann"): "10.00", (NEXT, "ann"): "7.00"}
    assert pipeline.orders().keys() == {"a-1", "b-1", "b-2"}


def test_a_prefix_that_is_declared_later_reaches_what_was_loaded(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a/1.csv", f"1,ann,10.00,{DAY}")
    pipeline.land_rows("b/1.csv", f"1,ann,5.00,{DAY}")
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("5.00", 1)}

    declare(tmp_path, 'keys = "landing/a/*"\norder_id_prefix = "a-"')
    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("15.00", 2)}


def test_an_id_that_is_missing_gets_no_prefix_and_a_damaged_one_is_named_behind_it(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    declare(tmp_path, 'keys = "landing/*"\norder_id_prefix = "a-"\ncustomer_id_prefix = "c-"')
    pipeline.land_rows(
        "1.csv", f",ann,1.00,{DAY}", f"#N/A,ann,1.00,{DAY}", f"7,NULL,1.00,{DAY}", f"1001.0,x,1.00,{DAY}"
    )

    synced = pipeline.sync()

    assert [reason for _, _, reason, _ in pipeline.rejected()] == [
        "order_id_missing", "order_id_missing", "customer_id_missing",
    ]  # fmt: skip
    assert pipeline.orders().keys() == {"a-1001.0"}
    assert "'1001.0'" in synced.failed_checks["ids_look_intact"]


def test_orders_without_a_customer_count_for_the_declared_one(pipeline: Pipeline, tmp_path: Path) -> None:
    declare(tmp_path, 'keys = "landing/*"\ncustomer_default = "guest"\ncustomer_id_prefix = "c-"')
    pipeline.land_rows("1.csv", f"1,,1.00,{DAY}", f"2,nan,2.00,{DAY}", f"3,ann,4.00,{DAY}", ",,,")

    assert pipeline.sync().is_complete

    assert pipeline.spend() == {(DAY, "c-guest"): "3.00", (DAY, "c-ann"): "4.00"}


def test_conditions_are_on_what_the_sender_wrote() -> None:
    source = Source(
        order_id_prefix="o-",
        customer_id_prefix="o-",
        customer_default="guest",
        drop={"customer_id": ("test", "")},
        deletes={"order_id": ("o-9", "8")},
    )
    customers = {"1": "ann", "2": "test", "3": None, "4": " test ", "8": "ann", "9": "ann", "o-9": "ann", "5": "o-test"}
    raw = pl.DataFrame({"order_id": list(customers), "customer_id": list(customers.values())}).with_columns(
        amount=pl.lit("1"), order_date=pl.lit(DAY)
    )

    rows = validate(with_additions(raw, source, "landing/x.csv"), "UTC", source)

    assert dict(zip(customers, rows["_outcome"], strict=True)) == {
        "1": "counts", "2": "void", "3": "void", "4": "void", "8": "void", "9": "counts", "o-9": "void", "5": "counts",
    }  # fmt: skip


def test_the_business_day_is_the_one_in_the_key(pipeline: Pipeline, tmp_path: Path) -> None:
    header = "order_id,customer_id,amount,order_date"
    declare(tmp_path, 'keys = "landing/*"\ndate_from_key = "day=(%Y-%m-%d)/"')
    pipeline.land_rows(f"day={DAY}/1.csv", "1,ann,1.00", header="order_id,customer_id,amount")
    pipeline.land_rows(f"day={NEXT}/1.csv", "2,ann,2.00,1999-01-01", header=header)  # a column is not looked at
    pipeline.land_rows(f"day={NEXT}/2.jsonl", '{"order_id": "3", "customer_id": "bob", "amount": 4}', header="")
    pipeline.land_rows(f"day={DAY}/day={NEXT}/x.csv", "4,ann,1.00", header="order_id,customer_id,amount")
    pipeline.land_rows("day=2026-02-30/x.csv", "5,ann,1.00", header="order_id,customer_id,amount")

    pipeline.sync()

    assert pipeline.revenue() == {DAY: ("1.00", 1), NEXT: ("6.00", 2)}
    messages = {file.key: (file.reason, file.message) for file in pipeline.status().quarantined}
    several, none = messages[f"landing/day={DAY}/day={NEXT}/x.csv"], messages["landing/day=2026-02-30/x.csv"]
    assert several[0] == none[0] == "date_not_in_key"
    assert f"several dates ({DAY}, {NEXT})" in several[1]
    assert "no date like 'day=(%Y-%m-%d)/'" in none[1]
    assert "date_from_key" in none[1]


@pytest.mark.parametrize(
    ("declared", "key", "found"),
    [
        ("(%Y%m%d)", "orders-20260305.csv", "2026-03-05"),
        ("-(%d.%m.%y).", "orders-5.3.26.csv", "2026-03-05"),
        ("(%Y)", None, None),
        ("/(%Y/%m/%d)/", "landing/2026/03/05/2026-03-06.csv", "2026-03-05"),
        ("(%Y%m%d)", "120260305.csv", "2026-03-05"),  # 1202-60-30 is no date
        ("(%Y%m%d)", "2026030520260306.csv", None),
        ("x*(%Y-%m-%d)", "xx2026-03-05", None),  # what is around the date stands for itself
        ("(%d-%m-%Y)", "10-11-2026-12-2027", None),
    ],
)
def test_a_date_is_taken_from_a_key_only_if_it_is_the_only_one(
    declared: str, key: str | None, found: str | None
) -> None:
    if key is None:
        with pytest.raises(ValueError, match="year, month and day"):
            Source(date_from_key=declared)
        return
    rows, source = pl.DataFrame({"order_id": ["1"]}), Source(date_from_key=declared)
    if found is None:
        with pytest.raises(QuarantineError):
            with_additions(rows, source, key)
    else:
        assert with_additions(rows, source, key)["order_date"].to_list() == [found]
