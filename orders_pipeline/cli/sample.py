"""Sample orders for the demo: ninety days of a small shop up to a given one, the same on every machine, untidy as life.

Every table and every check gets something to show: four formats, two sources, late files, a correction, an order that
moves to another day, a duplicate, bad rows, a bad file.
"""

import csv
import gzip
import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from orders_pipeline.errors import OrdersPipelineError

DAYS: Final = 90
_SEED: Final = 20260101
_CUSTOMERS: Final = 240
_FILE_OF_A_DAY: Final = re.compile(r"web/(\d{4}-\d{2}-\d{2})\.")
_SAMPLE_ID: Final = "^P[0-9]{6}-00[0-5]$"  # of the source table, whichever day the sample ends
_COLUMNS: Final = ("order_id", "customer_id", "amount", "order_date", "updated_at")


@dataclass(frozen=True)
class Order:
    """An order as a shop's system would export it; all text but the times."""

    order_id: str
    customer_id: str
    amount: str
    order_date: datetime
    updated_at: datetime

    def fields(self) -> list[str]:
        return [self.order_id, self.customer_id, self.amount, self.order_date.isoformat(), self.updated_at.isoformat()]


@dataclass(frozen=True)
class Sample:
    """What lands first and what comes later: keys below the landing prefix with their bytes, and the source table."""

    last_day: date
    first_files: dict[str, bytes]
    later_files: dict[str, bytes]
    first_table: list[Order]
    later_table: list[Order]


def make_sample(last_day: date) -> Sample:
    """The sample that ends on a day: the same for the same day."""
    chance = random.Random(_SEED)  # noqa: S311 - no secret hangs on it
    days = [last_day - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    web = {day: _day(chance, number, day, "W") for number, day in enumerate(days)}
    phone = [order for number in range(0, DAYS, 2) for order in _day(chance, number, days[number], "P")[:6]]
    late = [order for day in days[40:44] for order in web[day][-5:]]
    held_back = {order.order_id for order in late}
    files = {}
    for number, (day, orders) in enumerate(web.items()):
        on_time = [order for order in orders if order.order_id not in held_back]
        suffix, encode = _FORMATS[number % len(_FORMATS)]
        files[f"web/{day}{suffix}"] = encode(on_time)
    some_day = web[days[20]]
    files[f"web/{days[20]}-again.csv"] = _csv(some_day[:10])  # orders that another file brings as well
    files[f"partners/{days[40]}.csv"] = _untidy(chance, 40, days[40])
    files[f"partners/{days[47]}.csv.gz"] = gzip.compress(_csv(some_day), mtime=0)[:-20]  # cut short on its way
    files["partners/_SUCCESS"] = b""
    return Sample(
        last_day=last_day,
        first_files=files,
        later_files={
            "web/late.csv": _csv(late),
            # A wrong price put right, and an order that was booked on the wrong day.
            "web/corrections.csv": _csv([_repriced(web[days[63]][3]), _moved(web[days[67]][7])]),
        },
        first_table=phone,
        later_table=[_raised(order) if order.order_date.date() == days[2] else order for order in phone[:-4]],
    )


def last_day_of(keys: Iterable[str]) -> date | None:
    """The day on which the sample with these keys ends. None: they are no keys of a sample."""
    return max((date.fromisoformat(found[1]) for key in keys if (found := _FILE_OF_A_DAY.search(key))), default=None)


def write_source_table(engine: Engine, orders: Iterable[Order]) -> None:
    """Make the table `orders` hold just these rows, in one transaction.

    Raises:
        OrdersPipelineError: it holds orders of no sample, which are left as they are.
    """
    metadata = sa.MetaData()
    table = sa.Table(
        "orders",
        metadata,
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text),
        sa.Column("amount", sa.Numeric(18, 2)),
        sa.Column("order_date", sa.DateTime),
        sa.Column("updated_at", sa.DateTime),
    )
    rows = [vars(order) | {"amount": Decimal(order.amount)} for order in orders]
    with engine.begin() as connection:
        metadata.create_all(connection)
        # As JSON: a table of somebody else may have other columns.
        id_ = sa.func.coalesce(sa.literal_column("to_jsonb(orders.*)->>'order_id'", sa.Text), "")
        theirs = sa.select(sa.literal(1)).select_from(table).where(~id_.regexp_match(_SAMPLE_ID))
        if connection.execute(theirs.limit(1)).first():
            raise OrdersPipelineError(
                "The table `orders` holds orders that are not the sample's, and the demo would replace them."
                " Nothing was written. Give the demo a separate database."
            )
        connection.execute(sa.delete(table))
        connection.execute(sa.insert(table), rows)


def _day(chance: random.Random, number: int, day: date, letter: str) -> list[Order]:
    weekend = day.weekday() >= 5
    trend = 1 + number / 200
    orders = []
    for count in range(int(chance.gauss(28 if weekend else 40, 4) * trend)):
        placed = datetime(day.year, day.month, day.day) + timedelta(seconds=chance.randrange(7 * 3600, 23 * 3600))  # noqa: DTZ001 - wall clock of the shop
        cents = int(chance.lognormvariate(8.3, 0.7))
        is_return = chance.random() < 0.03
        orders.append(
            Order(
                order_id=f"{letter}{day:%y%m%d}-{count:03}",
                customer_id=f"{chance.randrange(_CUSTOMERS):05}",
                amount=f"{'-' if is_return else ''}{cents // 100}.{cents % 100:02}",
                order_date=placed,
                updated_at=placed,
            )
        )
    return orders


def _repriced(order: Order) -> Order:
    return replace(order, amount="19.90", updated_at=order.updated_at + timedelta(days=2))


def _moved(order: Order) -> Order:
    earlier, later = order.order_date - timedelta(days=1), order.updated_at + timedelta(days=2)
    return replace(order, order_date=earlier, updated_at=later)


def _raised(order: Order) -> Order:
    return replace(order, amount=f"{Decimal(order.amount) + 1:.2f}", updated_at=order.updated_at + timedelta(days=1))


def _untidy(chance: random.Random, number: int, day: date) -> bytes:
    """A partner's export: enough good rows to make the day unusual, and one of each kind that cannot be used."""
    rows = [order.fields() for letter in "XY" for order in _day(chance, number, day, letter)]
    rows[2][1] = ""
    rows[4][2] = "1,234.50"
    rows[6][3] = f"{day.year}-02-30"
    rows[8] = [*rows[8], "surplus"]
    return _csv_rows(rows)


def _csv(orders: Iterable[Order]) -> bytes:
    return _csv_rows([order.fields() for order in orders])


def _csv_rows(rows: list[list[str]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()


def _json_lines(orders: Iterable[Order]) -> bytes:
    return "".join(json.dumps(dict(zip(_COLUMNS, order.fields(), strict=True))) + "\n" for order in orders).encode()


def _parquet(orders: Iterable[Order]) -> bytes:
    frame = pl.DataFrame([order.fields() for order in orders], schema=list(_COLUMNS), orient="row")
    typed = frame.with_columns(
        pl.col("amount").cast(pl.Decimal(18, 2)),
        pl.col("order_date", "updated_at").str.to_datetime("%Y-%m-%dT%H:%M:%S"),
    )
    buffer = BytesIO()
    typed.write_parquet(buffer)
    return buffer.getvalue()


def _gzip(orders: Iterable[Order]) -> bytes:
    return gzip.compress(_csv(orders), mtime=0)


_FORMATS: Final[list[tuple[str, Callable[[Iterable[Order]], bytes]]]] = [
    (".csv", _csv),
    (".csv.gz", _gzip),
    (".jsonl", _json_lines),
    (".csv", _csv),
    (".parquet", _parquet),
]
