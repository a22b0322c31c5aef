"""The sample orders end on the day before the demo, whichever day that is, and always have something to show."""

from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO

import polars as pl
import pytest

from orders_pipeline.cli.demo import sample_here
from orders_pipeline.cli.sample import DAYS, last_day_of, make_sample, write_source_table
from orders_pipeline.settings import read_settings
from orders_pipeline.storage.postgres import source_engine
from orders_pipeline_tests.support.driver import Pipeline

A_WEEK = [date(2026, 11, 23) + timedelta(days=number) for number in range(7)]


@pytest.mark.parametrize("last_day", A_WEEK, ids="{:%A}".format)
def test_the_sample_is_the_same_for_a_day_ends_on_it_and_has_an_unusual_day(last_day: date) -> None:
    made = make_sample(last_day)

    assert made == make_sample(last_day)
    assert last_day_of(made.first_files) == last_day
    days = [last_day - timedelta(days=number) for number in range(DAYS)]
    assert {order.order_date.date() for order in made.first_table} <= {*days}
    assert all(any(key.startswith(f"web/{day}.") for key in made.first_files) for day in days)
    assert all(order.updated_at.date() <= last_day for order in made.later_table)
    [partner] = [key for key in made.first_files if key.startswith("partners/") and key.endswith(".csv")]
    same_day = f"web/{partner.removeprefix('partners/')}"
    assert spent(made.first_files[partner]) > Decimal("1.5") * spent(made.first_files[same_day])


def spent(csv: bytes) -> Decimal:
    """The amounts of a CSV file; those that are none, and rows that are too long, aside."""
    rows = pl.read_csv(BytesIO(csv), infer_schema=False, truncate_ragged_lines=True)
    amounts = rows["amount"].str.replace(r"^.*,.*$", "0").to_list()
    return sum(map(Decimal, amounts), Decimal(0))


def test_a_demo_on_a_later_day_lands_what_landed_before(pipeline: Pipeline) -> None:
    yesterday = read_settings().today() - timedelta(days=1)
    assert sample_here().last_day == yesterday
    pipeline.land_rows("demo/web/2026-03-30.csv", "1,ann,1.00,2026-03-30")
    pipeline.land_rows("demo/web/2026-03-29-again.csv", "1,ann,1.00,2026-03-30")
    pipeline.land_rows("web/2026-04-02.csv", "2,ann,1.00,2026-04-02")  # of someone else
    pipeline.run("s3_arrival")

    assert sample_here().last_day == date(2026, 3, 30)


def test_the_table_of_an_earlier_sample_is_replaced(pipeline: Pipeline) -> None:
    engine = source_engine(read_settings())
    for last_day in A_WEEK[:2]:
        write_source_table(engine, make_sample(last_day).later_table)

    [(latest,)] = pipeline.query("SELECT max(order_date)::date FROM orders")
    assert latest == A_WEEK[1] - timedelta(days=1)
