"""The check amounts_are_in_one_currency: amounts in several currencies are not added up in silence."""

from decimal import Decimal

from orders_pipeline_tests.support.checks import ERROR, evaluate
from orders_pipeline_tests.support.driver import Pipeline

CHECK = "amounts_are_in_one_currency"
HEADER = "order_id,customer_id,amount,order_date,Currency Code"


def test_two_currencies_in_one_file_are_an_error_that_names_the_file_and_the_money(pipeline: Pipeline) -> None:
    rows = ("1,ann,1.00,2026-03-04,EUR", "2,ann,2.00,2026-03-04,eur", "3,bob,4.00,2026-03-04,USD")
    pipeline.land_rows("a.csv", *rows, header=HEADER)
    pipeline.sync()

    found = evaluate(pipeline, "raw_orders", CHECK)

    assert (found.passed, found.severity) == (False, ERROR)
    assert "landing/ has amounts in USD beside EUR, in 1 file: landing/a.csv." in (found.description or "")
    assert pipeline.query("SELECT amount FROM ledger.findings WHERE kind = :kind", kind=CHECK) == [(Decimal("7.00"),)]


def test_two_senders_with_one_currency_each_are_an_error_and_the_smaller_one_is_named(pipeline: Pipeline) -> None:
    pipeline.land_rows("a/1.csv", *(f"{n},ann,1.00,2026-03-04,EUR" for n in (1, 2, 3)), header=HEADER)
    for day in ("2026-03-04", "2026-03-05"):
        pipeline.land_rows(f"b/{day}/1.csv", f"{day},ann,1.00,{day},CHF", header=HEADER.replace("Currency Code", "ccy"))

    found = pipeline.sync().failed_checks[CHECK]

    assert "landing/b/ has amounts in CHF beside EUR, in 2 files: landing/b/2026-03-04/1.csv" in found


def test_declared_currencies_that_differ_are_an_error(pipeline: Pipeline) -> None:
    sources = "\n".join(
        f'[[source]]\nname = "{name}"\nkeys = "landing/{name}/*"\ncurrency = "{currency}"'
        for name, currency in (("one", "EUR"), ("two", "USD"))
    )
    pipeline.declare(sources)
    pipeline.land_rows("one/1.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-04")
    pipeline.land_rows("two/1.csv", "3,ann,1.00,2026-03-04")

    assert "two has amounts in USD beside EUR" in pipeline.sync().failed_checks[CHECK]


def test_it_settles_when_rows_in_another_currency_are_rejected_by_declaration(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04,EUR", "2,bob,4.00,2026-03-04,USD", header=HEADER)
    assert CHECK in pipeline.sync().failed_checks

    declared = 'currency_column = "Currency Code"\ncurrency = "EUR"'
    pipeline.declare(f'[[source]]\nname = "shop"\nkeys = "landing/*"\n{declared}')

    assert CHECK not in pipeline.sync().failed_checks
    assert evaluate(pipeline, "raw_orders", CHECK).description == "All amounts that say their currency are in EUR."
    assert [(row[1], row[2]) for row in pipeline.rejected()] == [(3, "currency_other")]


def test_a_currency_that_is_missing_is_none(pipeline: Pipeline) -> None:
    texts = ("EUR", "N/A", "null", "-", "nan", " ", "?")
    pipeline.land_rows("a.csv", *(f"{n},ann,1.00,2026-03-04,{text}" for n, text in enumerate(texts)), header=HEADER)

    assert CHECK not in pipeline.sync().failed_checks


def test_a_change_of_the_currency_in_the_source_table_is_noticed(pipeline: Pipeline) -> None:
    columns = "order_id text, customer_id text, amount numeric, order_date date, currency text"
    pipeline.execute(f"CREATE TABLE orders ({columns})")
    for number in range(3):
        pipeline.execute(f"INSERT INTO orders VALUES ('{number}', 'ann', 1, '2026-03-04', 'EUR')")
    assert CHECK not in pipeline.sync().failed_checks

    pipeline.execute("UPDATE orders SET currency = 'USD' WHERE order_id = '1'")

    assert "the source table has amounts in USD beside EUR" in pipeline.sync().failed_checks[CHECK]


def test_files_that_say_no_currency_pass_and_so_does_a_column_of_dates_with_such_a_name(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04,05.03.2026", header=HEADER.replace("Currency Code", "Valuta"))
    pipeline.land_rows("c.csv", "3,ann,1.00,2026-03-04,", header=HEADER)

    assert CHECK not in pipeline.sync().failed_checks
    assert evaluate(pipeline, "raw_orders", CHECK).description == "No file says its currency."
