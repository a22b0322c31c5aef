"""Finds out what a text means, and reads what is known of it."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.explain.day import Day
from orders_pipeline.explain.file import File
from orders_pipeline.explain.meaning import Kind, day_of, is_storable, is_surely_a_file, keys_of, looks_like_a_file
from orders_pipeline.explain.order import Order
from orders_pipeline.explain.read_day import read_day
from orders_pipeline.explain.read_file import read_file
from orders_pipeline.explain.read_order import read_orders
from orders_pipeline.landing.overlap import id_hash
from orders_pipeline.ledger import active, declarations, history
from orders_pipeline.ledger.versions import TABLE
from orders_pipeline.resources import S3Resource
from orders_pipeline.s3_settings import place
from orders_pipeline.settings import Settings
from orders_pipeline.text import examples, printable

_MOST_NAMED: Final = 6
_Key = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """What is known of a text. `note`: what else it may mean, or how to write what was meant; None: nothing else."""

    what: str
    found: Day | Order | File
    note: str | None = None


def look_up(engine: Engine, s3: S3Resource, settings: Settings, text: str, meant: Kind | None) -> list[Answer]:
    """What is known of a text: one answer, or one for each order that it may mean. `meant`: what it is; None: what it
    looks like. A name of a file that is known goes before an order id.

    Raises:
        OrdersPipelineError: it is not what it is said to be.
        ServiceUnavailableError: the lake did not answer.
    """
    day = day_of(text, settings.today())
    if meant is Kind.DAY and day is None:
        raise OrdersPipelineError(f"{printable(text)!r} is no day. Write it like 2026-03-05, or `yesterday`.")
    if day is not None and meant in (None, Kind.DAY):
        note = _as_order(engine, text) if meant is None else None
        return [Answer(text, read_day(engine, s3, settings, day), note)]
    if meant is Kind.ORDER:
        return [Answer(text, order) for order in read_orders(engine, s3, settings, text)]
    is_file = meant is Kind.FILE or is_surely_a_file(text)
    keys = _keys(engine, s3, settings, text, may_be_new=is_file or looks_like_a_file(text))
    if len(keys) == 1:
        note = None if is_file else _as_order(engine, text)
        return [Answer(text, read_file(engine, s3, settings, *keys[0]), note)]
    if len(keys) > 1:
        names = examples(key for _, key in keys)
        return [_unknown_file(engine, s3, settings, text, f"Several files end with this: {names}. Write a whole key.")]
    if is_file:
        return [_unknown_file(engine, s3, settings, text, None)]
    orders = read_orders(engine, s3, settings, text)
    if orders[0].rows:
        return [Answer(text, order) for order in orders]
    if looks_like_a_file(text):
        return [_unknown_file(engine, s3, settings, text, "No order has it as its id, either.")]
    return [Answer(text, orders[0], "It is no day like 2026-03-05, and no file of this name is known, either.")]


def _unknown_file(engine: Engine, s3: S3Resource, settings: Settings, text: str, note: str | None) -> Answer:
    bucket, key = _place(text, settings)
    return Answer(text, read_file(engine, s3, settings, bucket, key), note)


def _place(text: str, settings: Settings) -> _Key:
    """The bucket and key that a name means of which nothing is known, or a whole one."""
    if text.startswith("s3://"):
        try:
            full = place(text)
        except ValueError as error:
            raise OrdersPipelineError(str(error)) from error
        return full.bucket, full.prefix
    if is_surely_a_file(text):
        return TABLE, text
    names = keys_of(text, settings.landing_prefix)
    listed = (key for key in names if settings.landing_zone.holds(settings.landing_bucket, key))
    return settings.landing_bucket, next(listed, text)


def _keys(engine: Engine, s3: S3Resource, settings: Settings, text: str, *, may_be_new: bool) -> list[_Key]:
    """The files that a name means, by the ledger; or, if it knows none, by S3. `may_be_new`: also look for the end of a
    key, and on S3."""
    if is_surely_a_file(text) or not is_storable(text):
        return [_place(text, settings)] if is_surely_a_file(text) else []
    bucket = settings.landing_bucket
    names = keys_of(text, settings.landing_prefix)
    with engine.connect() as connection:
        if found := [(bucket, key) for key in names if _is_known(connection, bucket, key)]:
            return found[:1]
        if not may_be_new:
            return []
        ends = history.keys_that_end_with(connection, bucket, text, _MOST_NAMED)
    if ends:
        return [(bucket, key) for key in ends]
    listed = (key for key in names if settings.landing_zone.holds(bucket, key))
    return [(bucket, key) for key in listed if s3.current(key) is not None][:1]


def _is_known(connection: Connection, bucket: str, key: str) -> bool:
    return bool(history.of_key(connection, bucket, key, declarations.current(connection)))


def _as_order(engine: Engine, text: str) -> str | None:
    """A note, if the text is an order id as well."""
    with engine.connect() as connection:
        is_id = is_storable(text) and active.has_hash(connection, id_hash(text))
    return "An order has this as its id, too: add --order." if is_id else None
