"""The check few_rows_are_rejected: files with many rejects are named."""

import pytest

from orders_pipeline_tests.support.checks import WARN, evaluate
from orders_pipeline_tests.support.driver import Pipeline, check_results


def test_files_with_many_rejects_are_named_with_their_most_common_reasons(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [f"{n},ann,1.00,2026-03-04" for n in range(38)]
    pipeline.land_rows("bad.csv", *good, "x,ann,one,2026-03-04", "y,,1.00,2026-03-04", "z,,1.00,2026-03-04")
    pipeline.land_rows("good.csv", *good, "x,ann,one,2026-03-04", "y,,1.00,2026-03-04")
    pipeline.land_rows("small.csv", "x,ann,one,2026-03-04", "1,ann,1.00,2026-03-04")

    found = check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"]

    assert (found.passed, found.severity) == (False, WARN)
    assert "in 1 of 3 files" in (found.description or "")
    assert "landing/bad.csv: 3 of 41 (customer_id_missing 2, amount_not_decimal 1)" in (found.description or "")

    monkeypatch.setenv("ORDERS_MAX_REJECT_SHARE", "8%")
    again = evaluate(pipeline, "rejected_orders", "few_rows_are_rejected")
    assert again.passed
    assert "None of the 3 files" in (again.description or "")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([f'{n},ann,"{n},50",2026-03-04' for n in range(10)], "10 of 10 (amount_not_decimal 10)"),
        (["1,ann,1.00,04.03.2026"], "1 of 1 (order_date_unreadable 1)"),
        (["1,,1.00,2026-03-04", "2,ann,1.00,2026-03-04", "3,,,2026-03-04"], "2 of 3 (customer_id_missing 2)"),
        (
            [*(f"{n},ann,1.00,2026-03-04" for n in range(2)), "2,a,x,2026-03-04", "3,a,,2026-03-04", "4,a,1.00,?"],
            "3 of 5 (amount_missing 1, amount_not_decimal 1, order_date_unreadable 1)",
        ),
        ([",ann,1.00,2026-03-04"] * 19, "19 of 19 (order_id_missing 19)"),
    ],
)
def test_a_file_hardly_any_of_whose_rows_count_is_named_at_any_size(
    pipeline: Pipeline, rows: list[str], told: str
) -> None:
    pipeline.land_rows("small.csv", *rows)

    found = pipeline.sync().failed_checks["few_rows_are_rejected"]

    assert found.startswith("WARN: Too many rows are rejected in 1 of 1 file: landing/small.csv: ")
    assert told in found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("one of five", [*(f"{n},ann,1.00,2026-03-04" for n in range(4)), "x,ann,one,2026-03-04"]),
        ("half of them", ["1,ann,1.00,2026-03-04", "x,ann,one,2026-03-04"]),
        ("a header alone", []),
        ("blank lines", ["", "1,ann,1.00,2026-03-04", "", ""]),
    ],
)
def test_a_small_file_may_have_some_rejects(pipeline: Pipeline, name: str, content: list[str]) -> None:
    pipeline.land_rows("small.csv", *content)

    assert check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"].passed, name


def test_days_of_the_source_table_are_named_like_files(pipeline: Pipeline) -> None:
    pipeline.execute("CREATE TABLE orders (order_id int, customer_id text, amount text, order_date date)")
    pipeline.execute("INSERT INTO orders VALUES (1, 'ann', '1,50', '2026-03-04'), (2, 'ann', '2.50', '2026-03-05')")

    found = pipeline.sync().failed_checks["few_rows_are_rejected"]

    assert "in 1 of 2 files: table:orders/2026-03-04: 1 of 1 (amount_not_decimal 1)" in found


def test_the_share_that_is_set_holds_for_small_files_too_where_it_is_the_larger(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_MAX_REJECT_SHARE", "80%")
    pipeline.land_rows("allowed.csv", "1,ann,1.00,2026-03-04", "2,ann,,2026-03-04", "3,ann,,2026-03-04")
    assert check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"].passed

    monkeypatch.setenv("ORDERS_MAX_REJECT_SHARE", "100%")
    pipeline.land_rows("nothing.csv", *("1,ann,,2026-03-04",) * 30)
    found = check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"]
    assert "in 1 of 2 files: landing/nothing.csv: 30 of 30" in (found.description or "")


def test_the_worst_files_are_named_first_and_the_larger_loss_before_the_smaller(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,,2026-03-04", "2,ann,,2026-03-04", "3,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "4,ann,,2026-03-04")
    pipeline.land_rows("c.csv", "5,ann,,2026-03-04", "6,ann,,2026-03-04")

    found = check_results(pipeline.run("s3_arrival"))["few_rows_are_rejected"].description or ""

    assert found.index("landing/c.csv") < found.index("landing/b.csv") < found.index("landing/a.csv")
