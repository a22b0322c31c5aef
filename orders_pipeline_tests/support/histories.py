"""Random histories of files, table rows and runs, each compared with the oracle: whatever happens in whatever order,
the tables are what the bytes say, and no day is rebuilt that was not touched.

`make chaos N=1000 SEED=7` plays more, and the same ones again. S3 keeps whole seconds, so a failure may depend on when
a second ended: the landing times are among the notes of a failing example.
"""

import csv
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import dagster as dg
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orders_pipeline import run_tags
from orders_pipeline.definitions import defs, postgres, s3
from orders_pipeline.landing.declare import apply
from orders_pipeline.landing.ingest import Ingest, ingesting
from orders_pipeline.landing.recovery import recover
from orders_pipeline.landing.verification import everything, verify
from orders_pipeline.ledger import files
from orders_pipeline.ledger.vacuum import vacuum
from orders_pipeline.sensors import s3_arrival_sensor, stale_days_sensor
from orders_pipeline.settings import read_settings
from orders_pipeline_tests.support.damage import DAMAGES
from orders_pipeline_tests.support.driver import Pipeline, check_results, gzipped, put_in_parts
from orders_pipeline_tests.support.oracle import IGNORED, Declared, Oracle, Readable, is_table, latest, touched
from orders_pipeline_tests.support.places import database_of, new_bucket, new_database, variables
from orders_pipeline_tests.support.seed import SEED_VARIABLE
from orders_pipeline_tests.support.shown import BY_A_PERSON, BY_EITHER, BY_THE_SENDER, Asked, ShownFigures

# Read at import: tests run in an environment without the developer's variables. Parallel workers share the seed.
SEED: Final = int(os.environ[SEED_VARIABLE])
STEPS: Final = 14

UNPARTITIONED: Final = ("cleaned_orders", "daily_revenue")
PARTITIONED: Final = ("daily_orders", "daily_revenue_partitioned")
BY_DAY: Final = (*UNPARTITIONED, *PARTITIONED)
IN_THE_LAKE: Final = ("raw_orders", "raw_orders", "cleaned_orders", "daily_orders")
ERROR: Final = dg.AssetCheckSeverity.ERROR
VANISHED: Final = "no_revenue_vanishes"

# Small pools, so that orders meet often: in a file, between files, with the table, and from day to day.
# Those of two senders, whatever the day.
KEYS: Final = st.sampled_from(["a.csv", "B.csv", "b/ü +1.csv", "b/2026-03-05/z.csv", "b/skip/c.csv"])
IDS: Final = st.sampled_from(["1", "2", "10", "01", "a", "B", "é"])
CUSTOMERS: Final = st.sampled_from(["ann", "bob", "007", "zoë"])
AMOUNTS: Final = st.sampled_from(["1.10", "2", "-305", "-3.05", "0.70", "9999999999999999.99"])
DAYS: Final = [date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 6), date(2026, 3, 29)]
OUTSIDE: Final = [date(2025, 12, 31), date(2199, 1, 1)]  # before the first partition, and to come
CLOCKS: Final = ["", " 00:00:00", "T23:59:59", " 12:30", "T23:30:00-02:00", " 00:30:00+05:30", "T02:30:00Z"]
TIMES: Final = st.builds("{}{}".format, st.sampled_from([*DAYS, *DAYS, *OUTSIDE]), st.sampled_from(CLOCKS))
# Older than every landing, between, and newer; ties on purpose.
UPDATES: Final = st.sampled_from(
    ["", "", "2026-03-10", "2026-03-10T00:00:00Z", "2026-03-10 01:00:00+01:00", "2199-01-01"]
)
WRONG: Final = {
    "order_id": st.sampled_from(["", " ", "null"]),
    "customer_id": st.sampled_from(["", "N/A"]),
    "amount": st.sampled_from(["", "1,5", "1.005", "x"]),
    "order_date": st.sampled_from(["", "2026-02-29", "soon"]),
    "updated_at": st.just("soon"),
}
COLUMNS: Final = {
    "order_id": IDS,
    "customer_id": CUSTOMERS,
    "amount": AMOUNTS,
    "order_date": TIMES,
    "updated_at": UPDATES,
    "kind": st.sampled_from(["sold", "sold", " sold", "gone", "draft", ""]),
}


@st.composite
def rows(draw: st.DrawFn, columns: list[str]) -> list[str]:
    """A row of a file; one in eight or so has something wrong with it."""
    row = {name: draw(COLUMNS.get(name, st.just("?"))) for name in columns}
    if draw(st.integers(0, 7)) == 7:
        name = draw(st.sampled_from([*columns, "fields"]))
        if name == "fields":
            return list(row.values())[:-1]
        row[name] = draw(WRONG.get(name, st.just("")))
    return list(row.values())


@st.composite
def parts(draw: st.DrawFn, columns: list[str], lines: list[list[str]]) -> list[str]:
    """Another line of an order that the file has."""
    line = draw(st.sampled_from(lines))
    changed = {"amount": AMOUNTS | WRONG["amount"], "kind": COLUMNS["kind"], "updated_at": UPDATES}
    different = draw(
        st.sampled_from([["amount"], ["amount"], ["amount"], ["amount", "kind"], ["amount", "updated_at"]])
    )
    return [draw(changed[name]) if name in different else field for name, field in zip(columns, line, strict=False)]


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """A file that can be read."""
    columns = draw(st.permutations(["order_id", "customer_id", "amount", "order_date"]))
    more = [["kind"], ["updated_at", "kind"], ["updated_at", "kind"], ["kind", "updated_at", "note"], ["updated_at"]]
    columns = [*columns, *draw(st.sampled_from(more))]
    lines = draw(st.lists(st.one_of(rows(columns), rows(columns), rows(columns), st.just([])), min_size=3, max_size=6))
    lines += draw(st.lists(parts(columns, lines), max_size=3))
    content = _csv(
        [columns, *lines],
        end=draw(st.sampled_from(["\n", "\r\n"])),
        delimiter=draw(st.sampled_from(",,,;")),
        encoding=draw(st.sampled_from(["utf-8", "utf-8", "cp1252"])),
    )
    return gzipped(content) if draw(st.integers(0, 5)) == 5 else content


DECLARATIONS: Final = [
    None,
    Declared("deletes", "kind", frozenset({"gone"})),
    Declared("drop", "kind", frozenset({"draft", ""})),
    Declared("keep", "kind", frozenset({"sold"})),
    Declared(lines="sum"),
    Declared("deletes", "kind", frozenset({"gone"}), "sum"),
    Declared("drop", "kind", frozenset({"draft", ""}), "sum"),
    Declared(lines="refuse"),
    Declared("drop", "kind", frozenset({"draft", ""}), "refuse"),
    Declared(decimal=","),
    Declared("drop", "kind", frozenset({"draft", ""}), "sum", decimal=","),
    # Those that need the bytes of a file again
    Declared(encoding="cp1252"),
    Declared(delimiter=";"),
    Declared(order_id_prefix="p-"),
    Declared("deletes", "kind", frozenset({"gone"}), "sum", customer_id_prefix="c-", amount_unit="minor"),
    Declared("drop", "kind", frozenset({"draft", ""}), decimal=",", encoding="cp1252"),
    Declared(lines="sum", amount_unit="minor", encoding="cp1252", order_id_prefix="p-"),
]
ZONES: Final = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"])
UNREADABLE: Final = st.sampled_from(
    [
        b"",
        b"order_id,customer_id,order_date\n1,ann,2026-03-04\n",
        b'order_id,customer_id,amount,order_date\n1,ann,1.10,"2026-03-04\n',
        gzipped(b"order_id,customer_id,amount,order_date\n1,ann,1.10,2026-03-04\n")[:-12],
    ]
)


CHANGES: Final = {
    "update": "UPDATE orders SET amount = CAST(:amount AS numeric) WHERE order_id = :order_id",
    "move": "UPDATE orders SET order_date = :day WHERE order_id = :order_id",
    "move all": "UPDATE orders SET order_date = :day",
    "delete": "DELETE FROM orders WHERE order_id = :order_id",
    "drop": "DROP TABLE orders",
}


SHARED_ORDERS: Final = """
    SELECT file.key, other.key FROM ledger.shared_orders
    JOIN ledger.landed_files file ON file.active AND file.path = shared_orders.path
    JOIN ledger.landed_files other ON other.active AND other.path = shared_orders.other
"""


class Landed(NamedTuple):
    """An object as S3 holds it. Equal bytes have another ETag if they came in parts."""

    content: bytes
    landed_at: datetime
    etag: str


@dataclass
class Backup:
    """A copy of the database, what was known then, and what a person has done since."""

    url: str
    oracle: Oracle
    figures: ShownFigures
    declared: list[str] = field(default_factory=list)  # as TOML
    retracted: set[str] = field(default_factory=set)  # keys


class History(RuleBasedStateMachine):
    """A pipeline, and beside it the oracle and a model of which days are stale; the three must agree at every step."""

    def __init__(self, services: Path, template: str) -> None:
        super().__init__()
        self.services = services
        self.stack = ExitStack()
        self.environment = self.stack.enter_context(pytest.MonkeyPatch.context())
        self.pipeline = self.stack.enter_context(fresh_pipeline(services, template, self.environment))
        self.landed: dict[str, Landed] = {}  # what S3 holds
        self.earlier: dict[str, bytes] = {}  # what a key held before it held other bytes
        self.table: str | None = None
        self.retried: set[str] = set()
        self.stale: dict[str, set[date]] = {asset: set() for asset in BY_DAY}
        self.delivered: set[date] = set()
        self.built: dict[str, set[date]] = {asset: set() for asset in BY_DAY}
        self.figures = ShownFigures()
        self.put: dict[tuple[str, str, datetime], bytes] = {}  # all that ever landed, by key, ETag and time
        self.backup: Backup | None = None

    @initialize(
        zone=ZONES,
        declared=st.sampled_from(DECLARATIONS),
        first=contents(),
        second=contents(),
        is_backed_up=st.sampled_from([False, False, True]),
    )
    def begin(self, zone: str, declared: Declared | None, first: bytes, second: bytes, is_backed_up: bool) -> None:
        """Two files that share orders, and all tables built from them: from here on something can go wrong."""
        self.environment.setenv("ORDERS_TIMEZONE", zone)
        self.oracle = Oracle(ZoneInfo(zone), date(2026, 1, 1), _today(zone))
        self._declare(declared)
        self._put(f"{s3.prefix}a.csv", first)
        self._put(f"{s3.prefix}b/2026-03-05/z.csv", second)
        self.sync()
        if is_backed_up:
            self.back_up()

    # What happens to files

    @rule(key=KEYS, content=contents(), at_once=st.booleans())
    def land(self, key: str, content: bytes, at_once: bool) -> None:
        """A new key, or another version of one; maybe taken before anything else happens."""
        self._put(f"{s3.prefix}{key}", content)
        if at_once:
            self._arrive([f"{s3.prefix}{key}"])

    @rule(key=KEYS, content=UNREADABLE)
    def land_unreadable(self, key: str, content: bytes) -> None:
        self._put(f"{s3.prefix}{key}", content)

    @rule(key=KEYS)
    def take_back(self, key: str) -> None:
        """A header alone: readable, and without rows."""
        self._put(f"{s3.prefix}{key}", b"order_id,customer_id,amount,order_date,kind\n")

    @precondition(lambda self: self.landed)
    @rule(
        data=st.data(),
        what=st.sampled_from(["again", "repair", "return", "rename", "remove"]),
        to=KEYS,
        in_parts=st.booleans(),
        at_once=st.booleans(),
    )
    def move_bytes(self, data: st.DataObject, what: str, to: str, in_parts: bool, at_once: bool) -> None:
        """Land the same bytes again, those that counted before something unreadable came, or those before the present
        ones; rename; remove."""
        key = self._some(data, self.landed)
        content = self.landed[key].content
        if what in ("rename", "remove"):
            self._remove(key)
        if what == "repair" and key in self.oracle.active:
            content = self.oracle.active[key].content
        if what == "return":
            content = self.earlier.get(key, content)
        if what == "remove":
            return
        target = f"{s3.prefix}{to}" if what == "rename" else key
        self._put(target, content, in_parts=in_parts and bool(content))
        if at_once:
            self._arrive([target])

    @precondition(lambda self: self.landed)
    @rule(data=st.data())
    def copy_in_place(self, data: st.DataObject) -> None:
        """As a change of the storage class or of the key of encryption does it: the ETag is another, not the bytes."""
        key = self._some(data, self.landed)
        if content := self.landed[key].content:
            self._put(key, content, in_parts=not self.landed[key].etag.endswith("-1"))

    @precondition(lambda self: self.oracle.active)
    @rule(data=st.data())
    def retract(self, data: st.DataObject) -> None:
        key = self._some(data, self.oracle.active)
        before = dict(self.oracle.active)
        days = self._retract([key])
        self.oracle.retract(key)
        if self.backup:
            self.backup.retracted.add(key)
        assert days == self._touch(before, BY_A_PERSON)

    @precondition(lambda self: self._quarantined())
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """Another attempt at a quarantined file: its bytes are what they were."""
        key = self._some(data, self._quarantined())
        with postgres.ledger().begin() as transaction:
            assert files.retry(transaction, s3.bucket, key)
        self.retried.add(key)

    # What happens to the source table

    @rule(with_updates=st.booleans())
    def make_table(self, with_updates: bool) -> None:
        self.pipeline.execute("DROP TABLE IF EXISTS orders")
        self.table = "updates" if with_updates else "plain"
        columns = "order_date timestamptz, updated_at timestamptz" if with_updates else "order_date timestamp"
        self.pipeline.execute(f"CREATE TABLE orders (order_id text, customer_id text, amount numeric, {columns})")

    @precondition(lambda self: self.table)
    @rule(
        orders=st.lists(
            st.tuples(IDS, CUSTOMERS | st.none(), AMOUNTS, TIMES | st.none(), UPDATES), min_size=2, max_size=4
        )
    )
    def insert(self, orders: list[tuple[str | None, ...]]) -> None:
        types = ["text", "text", "numeric", "timestamp" if self.table == "plain" else "timestamptz", "timestamptz"]
        for order in orders:
            row = order if self.table == "updates" else order[:-1]
            values = {f"v{number}": value or None for number, value in enumerate(row)}
            bound = ", ".join(f"CAST(:{name} AS {kind})" for name, kind in zip(values, types, strict=False))
            self.pipeline.execute(f"INSERT INTO orders VALUES ({bound})", **values)

    @precondition(lambda self: self.table)
    @rule(order_id=IDS, amount=AMOUNTS, day=st.sampled_from([*DAYS, *OUTSIDE]), change=st.sampled_from(sorted(CHANGES)))
    def change_the_table(self, change: str, **values: Any) -> None:
        """Rows change, move to another day or go; a table that is gone altogether retracts nothing."""
        self.pipeline.execute(
            CHANGES[change], **{name: value for name, value in values.items() if f":{name}" in CHANGES[change]}
        )
        if change == "drop":
            self.table = None

    # Runs

    @rule(data=st.data(), full_refresh=st.sampled_from([False, False, False, True]))
    def arrive(self, data: st.DataObject, full_refresh: bool) -> None:
        """The arrival job: over everything, or over the keys that a sensor's tick found."""
        keys = data.draw(st.lists(st.sampled_from(sorted(self.landed)), unique=True)) if self.landed else []
        self._arrive(keys, full_refresh)

    @rule(
        assets=st.sets(
            st.sampled_from(["raw_orders", "cleaned_orders", "rejected_orders", "daily_revenue"]), min_size=1
        )
    )
    def materialize(self, assets: set[str]) -> None:
        """Some of the unpartitioned assets, as a person may choose them."""
        if "raw_orders" in assets:
            self._observe([])
        self._run("s3_arrival", self._build_unpartitioned(assets), assets=sorted(assets))

    @rule(
        first=st.sampled_from(DAYS),
        last=st.sampled_from(DAYS),
        assets=st.sampled_from([PARTITIONED, PARTITIONED, PARTITIONED[:1], PARTITIONED[1:]]),
        full_refresh=st.sampled_from([False, False, False, True]),
    )
    def materialize_days(self, first: date, last: date, assets: tuple[str, ...], full_refresh: bool) -> None:
        """A partition, or a range of them."""
        first, last = sorted([first, last])
        asked = {day for day in self.delivered if first <= day <= last}
        never_built = bool(asked - self.built["daily_orders"]) and "daily_orders" not in assets
        # A day that no order was ever delivered for fails when it is the only one.
        empty = first == last and not asked and "daily_orders" in assets
        expected = {} if never_built else self._build(PARTITIONED, assets, (first, last), full_refresh)
        tags = {"orders/full_refresh": "true"} if full_refresh else {}
        if first != last:
            tags |= run_tags.of_range(first, last)
        self._run(
            "stale_days",
            expected,
            fails=never_built or empty,
            partition=str(first) if first == last else None,
            tags=tags,
            assets=assets,
        )

    @rule(day=st.sampled_from(DAYS))
    def daily_pipeline(self, day: date) -> None:
        self._observe([])
        expected = self._build_unpartitioned()
        fails = day not in self.delivered
        expected |= self._build(PARTITIONED, PARTITIONED, (day, day), False)
        self._run("daily_pipeline", expected, fails=fails, partition=str(day))

    @rule()
    def let_the_sensors_tick(self) -> None:
        """What arrived is asked for by key; else what is stale."""
        pending = {key for key in self.landed if self.oracle.seen.get(key) != self.landed[key]}
        pending |= self.retried & self.landed.keys()
        pending = {key for key in pending if not self.oracle.ignores(key)}
        keys = []
        for request in self._tick(s3_arrival_sensor):
            keys = request.run_config.get("ops", {}).get("raw_orders", {}).get("config", {}).get("s3_keys", [])
            if keys:
                self._observe(keys)
            assets = [asset.to_user_string() for asset in request.asset_selection or []]
            self._run("s3_arrival", self._build_unpartitioned(), config=request.run_config, assets=assets)
        assert set(keys) == pending
        assert not any(self.stale[asset] for asset in UNPARTITIONED)
        expected = self._build(PARTITIONED, PARTITIONED, (date.min, date.max), False)
        for request in self._tick(stale_days_sensor):
            first, last = sorted(value for tag, value in request.tags.items() if "partition_range" in tag)
            days = {asset: {day for day in found if first <= str(day) <= last} for asset, found in expected.items()}
            self._run("stale_days", days, tags=request.tags)
        assert not any(self.pipeline.stale(asset) for asset in PARTITIONED)

    @rule(zone=ZONES)
    def change_the_time_zone(self, zone: str) -> None:
        """All rows are judged again, and all days rebuilt; at once, so that no day is left from the zone before."""
        if zone == self.oracle.zone.key:
            return
        self.environment.setenv("ORDERS_TIMEZONE", zone)
        before = dict(self.oracle.active)
        self.oracle.zone = ZoneInfo(zone)
        self._observe([])  # what a newer version replaces is not judged again
        self.oracle.move_to(ZoneInfo(zone), _today(zone))
        for asset in BY_DAY:
            self.stale[asset] |= self.built[asset]
        self._touch_all(before)
        self.sync()

    @rule(data=st.data(), declared=st.sampled_from(DECLARATIONS), expires=st.sampled_from([False, False, True]))
    def declare(self, data: st.DataObject, declared: Declared | None, expires: bool) -> None:
        """All files are read by another declaration; at once, as no day is built from those that are yet to be. One may
        have left S3 just before."""
        if declared == self.oracle.declared:
            return
        if expires and self.landed:
            self._remove(self._some(data, self.landed))
        self._declare(declared)
        self._observe([])
        before = dict(self.oracle.active)
        self.oracle.revalidate({key: landed.content for key, landed in self.landed.items()})
        self._touch(before, BY_A_PERSON)
        self.sync()

    @rule()
    def vacuum(self) -> None:
        """With no age at all: whatever the ledger does not name is gone at once."""
        vacuum(postgres.ledger(), s3.lake(), age=timedelta())

    @precondition(lambda self: self.backup is None and self.oracle.active)
    @rule(data=st.data(), damage=st.sampled_from(DAMAGES), at=st.floats(0, 0.99), table=st.sampled_from(IN_THE_LAKE))
    def damage(self, data: st.DataObject, damage: Callable[[Path, float], None], at: float, table: str) -> None:
        """An object is damaged, and then whatever is due is done. Which days are rebuilt for that is not predicted."""
        self._observe([])
        objects = self._objects(table)
        if not objects:
            return
        path = Path(s3.lake().uri) / self._some(data, objects)
        note(f"{damage.__name__} {path}")
        damage(path, at)
        assert self.pipeline.sync().is_complete
        if table == "raw_orders":
            self._compare()  # whatever read it, and whether or not
        verify(postgres.ledger(), s3.lake(), everything)
        self._believe_the_ledger(self.figures.copy())
        vacuum(postgres.ledger(), s3.lake(), age=timedelta())

    # Backups of the database

    @precondition(lambda self: self.backup is None)
    @rule()
    def back_up(self) -> None:
        postgres.engine().dispose()  # a database in use cannot be copied
        name = database_of(postgres.engine().url.render_as_string())
        url = self.stack.enter_context(new_database(self.services, name))
        self.backup = Backup(url, self.oracle.copy(), self.figures.copy())

    @precondition(lambda self: self.backup)
    @rule()
    def restore(self) -> None:
        """Postgres goes back, but not S3, the lake and the source table. What the runbook says to do then brings back
        what counts, with its rank. Which days are stale until then is not predicted."""
        backup, self.backup = self.backup, None
        assert backup
        expected = self.oracle.copy()
        self._show(expected)
        if not expected.is_as_declared():
            return  # what the present declaration cannot read counts by an earlier one: the lake may have several
        if not self.table:
            expected.keep_table_of(backup.oracle, backup.retracted)
        self._go_back_to(backup)
        with self._ingesting() as ingest:
            found = recover(ingest, s3, read_settings())
        assert not found.damaged
        assert [declared.toml for declared in found.declarations] == backup.declared
        assert not (self.table and found.table_days)
        lost = set(found.unrecoverable)
        assert not {key for key in lost & expected.active.keys() if self.table or not is_table(key)}
        for key in lost:
            expected.retract(key)
        self._retract(lost)
        self.pipeline.sync()
        again = self._active().keys() - expected.active.keys()
        assert again <= backup.retracted
        self._retract(again)
        assert self._active().keys() == expected.active.keys()
        self.oracle = expected
        self._believe_what_cannot_be_known()
        # Bytes that were retracted and landed again, unseen until now, may keep the rank that they had.
        ranks = dict(self.pipeline.query("SELECT key, ranked_at FROM ledger.landed_files WHERE active"))
        for key in backup.retracted & expected.active.keys():
            content = expected.active[key].content
            earlier = [rank for version, rank in expected.counted.get(key, []) if version[0] == content]
            if ranks[key] in earlier:
                expected.let_count(key, content, ranks[key].astimezone(UTC))
        self._believe_the_ledger(backup.figures)

    @rule()
    def sync(self) -> None:
        """Bring everything up to date, and compare."""
        self._observe([])
        expected = self._build_unpartitioned()
        expected |= self._build(PARTITIONED, PARTITIONED, (date.min, date.max), False)
        synced = self.pipeline.sync()
        assert synced.is_complete, synced
        assert _not_empty(synced.rebuilt) == _not_empty(expected)
        assert not [check for check, found in synced.failed_checks.items() if found.startswith("ERROR")], synced
        assert self.pipeline.sync().runs == 0
        self._compare()

    @invariant()
    def stale_days_are_those_that_were_touched_since(self) -> None:
        assert {asset: set(self.pipeline.stale(asset)) for asset in BY_DAY} == self.stale

    @invariant()
    def files_that_share_an_order_know_of_each_other(self) -> None:
        ids = {key: {order.order_id for order in file.orders} for key, file in self.oracle.active.items()}
        expected = {(one, other) for one in ids for other in ids if one != other and ids[one] & ids[other]}
        assert set(self.pipeline.query(SHARED_ORDERS)) == expected

    @invariant()
    def the_last_published_figures_are_those_that_the_table_shows(self) -> None:
        assert self.pipeline.unpublished() == []

    @invariant()
    def days_that_lost_their_revenue_are_findings_unless_a_person_asked_for_it(self) -> None:
        found = self.pipeline.query(
            "SELECT subject FROM ledger.findings WHERE kind = :kind AND settled_at IS NULL", kind=VANISHED
        )
        must, may = self.figures.have_vanished()
        assert must <= {day for (day,) in found} <= may

    def teardown(self) -> None:
        """Every history ends with a sync, and before that its backup is restored, if there is one."""
        with self.stack:
            if sys.exc_info()[1] is None and hasattr(self, "oracle"):
                if self.backup:
                    self.restore()
                self.sync()

    def _arrive(self, keys: list[str], full_refresh: bool = False) -> None:
        self._observe(keys)
        expected = self._build_unpartitioned(everything=full_refresh)
        config = {"ops": {"raw_orders": {"config": {"s3_keys": keys}}}} if keys else {}
        self._run("s3_arrival", expected, config=config, tags={"orders/full_refresh": str(full_refresh).lower()})

    def _declare(self, declared: Declared | None) -> None:
        toml = "" if declared is None else _toml(declared)
        apply(postgres.ledger(), s3, read_settings(), toml, "a history")
        if self.backup:
            self.backup.declared.append(toml)
        self.oracle.declare(declared)

    # The model

    def _observe(self, keys: list[str]) -> None:
        """Let the oracle see what a run takes: some keys, or all and the table."""
        active = dict(self.oracle.active)
        self._show(self.oracle, keys)
        if self.backup:
            self.backup.retracted -= self.oracle.active.keys()
        self.retried -= set(keys or self.landed)
        now = self.oracle.active
        same = {key: now[key] for key in active.keys() & now.keys() if active[key].content == now[key].content}
        self._touch_days(touched(active, active | same), BY_A_PERSON)  # by what a person declared meanwhile
        self._touch_days(touched(active | same, now), BY_THE_SENDER)

    def _show(self, oracle: Oracle, keys: Collection[str] = ()) -> None:
        """Let an oracle see some keys, or all and the table."""
        for key in keys or self.landed:
            oracle.see(key, *self.landed[key])
        if not keys and self.table:
            oracle.see_table(self._table_days())

    def _touch(self, before: dict[str, Readable], asked: Asked) -> set[date]:
        days = touched(before, self.oracle.active)
        self._touch_days(days, asked)
        return days

    def _quarantined(self) -> list[str]:
        return [key for key, seen in self.oracle.seen.items() if seen[0] and self.oracle.is_unreadable(key)]

    def _touch_all(self, before: dict[str, Readable]) -> None:
        for versions in (before, self.oracle.active):
            self._touch_days({order.day for file in versions.values() for order in file.clean}, BY_EITHER)

    def _touch_days(self, days: set[date], asked: Asked) -> None:
        days = {day for day in days if self.oracle.is_in_range(day)}
        self.figures.change(days, asked)
        self.delivered |= days
        for asset in ("cleaned_orders", "daily_orders"):
            self.stale[asset] |= days

    def _build_unpartitioned(
        self, assets: Collection[str] = UNPARTITIONED, *, everything: bool = False
    ) -> dict[str, set[date]]:
        expected = self._build(UNPARTITIONED, assets, (date.min, date.max), everything)
        if cleaned := expected.get("cleaned_orders"):
            self.figures.clean(cleaned, self.oracle.tables().revenue)
        self.figures.show(expected.get("daily_revenue", set()))
        return expected

    def _build(
        self, chain: tuple[str, str], assets: Collection[str], asked: tuple[date, date], everything: bool
    ) -> dict[str, set[date]]:
        """Which days a run over these assets has to build, and no others; they are stale no more."""
        expected = {}
        first, derived = chain
        if first in assets:
            expected[first] = _between(asked, self.delivered if everything else self.stale[first])
            self.built[first] |= expected[first]
            self.stale[first] -= expected[first]
            self.stale[derived] |= expected[first]
        if derived in assets:
            expected[derived] = _between(asked, self.built[first] if everything else self.stale[derived])
            self.built[derived] |= expected[derived]
            self.stale[derived] -= expected[derived]
        return expected

    def _run(self, job: str, expected: dict[str, set[date]], *, fails: bool = False, **how: Any) -> None:
        result = self.pipeline.run(job, **how)
        assert result.success is not fails
        wrong = {name for name, found in check_results(result).items() if not found.passed and found.severity == ERROR}
        assert wrong <= {"orders_not_empty"}
        rebuilt: dict[str, set[date]] = {}
        query = "SELECT asset, day FROM ledger.built_days WHERE run_id = :run"
        for asset, day in self.pipeline.query(query, run=result.run_id):
            rebuilt.setdefault(asset, set()).add(day)
        assert rebuilt == _not_empty(expected)

    def _compare(self) -> None:
        """All six tables, and the ledger's count of each file's rows, against the oracle."""
        expected, pipeline = self.oracle.tables(), self.pipeline
        assert pipeline.orders("cleaned_orders") == expected.orders
        assert pipeline.orders("daily_orders") == expected.orders
        assert pipeline.revenue() == expected.revenue
        assert pipeline.spend() == expected.spend
        assert sorted(row[:3] for row in pipeline.rejected()) == expected.rejected
        assert pipeline.superseded() == expected.superseded
        assert pipeline.suspected() == self.oracle.suspected()
        counts = "rows, clean_rows, void_rows, merged_rows, blank_rows"
        counted = pipeline.query(f"SELECT key, {counts} FROM ledger.landed_files WHERE active")
        assert {key: outcomes for key, *outcomes in counted} == {
            key: _outcomes(file) for key, file in self.oracle.active.items()
        }
        winners = latest(order for file in self.oracle.active.values() for order in file.orders)
        counting = [order for order in winners if not order.is_void and self.oracle.is_in_range(order.day)]
        places = {(order.source, order.rank[2]) for order in counting}
        for asset in ("cleaned_orders", "daily_orders"):
            assert {(row["_source"], row["_row_number"]) for row in pipeline.lake_frame(asset).to_dicts()} == places
        status = pipeline.status()
        assert status.is_current
        assert status.totals["clean_orders"] == len(expected.orders)
        assert status.totals["rejected_rows"] == len(expected.rejected)
        clean = [order for file in self.oracle.active.values() for order in file.clean]
        assert status.totals["clean_amount"] == sum(order.amount for order in clean)
        outside = sum(order.amount for order in clean if not self.oracle.is_in_range(order.day))
        assert status.totals["revenue"] + status.totals["superseded_amount"] + outside == status.totals["clean_amount"]

    # After a restored backup

    def _go_back_to(self, backup: Backup) -> None:
        """Use the backup. The source table is not part of it."""
        rows = self.pipeline.query("SELECT * FROM orders") if self.table else []
        self.environment.setenv("ORDERS_DATABASE_URL", backup.url)
        self.pipeline.execute("DROP TABLE IF EXISTS orders")
        if self.table:
            self.make_table(self.table == "updates")
        for row in rows:
            values = {f"v{number}": value for number, value in enumerate(row)}
            self.pipeline.execute(f"INSERT INTO orders VALUES ({', '.join(f':{name}' for name in values)})", **values)

    def _believe_what_cannot_be_known(self) -> None:
        """Of keys that S3 no longer has: which version was the last, if several landed in one second, and which entry
        of the ledger is the latest."""
        oracle, active = self.oracle, self._active()
        for key in [key for key in oracle.active if key not in self.landed and not is_table(key)]:
            last, _ = oracle.counted[key][-1]
            twins = {(etag, time): (content, rank) for (content, time, etag), rank in oracle.counted[key]}
            content, rank = twins[active[key]]
            if content != last[0]:
                assert active[key][1] == last[1]
                oracle.let_count(key, content, rank)
        entries = (
            "SELECT DISTINCT ON (key) key, etag, last_modified, status FROM ledger.landed_files WHERE bucket <> ''"
        )
        for key in [key for key in oracle.seen if self._is_gone(key)]:
            del oracle.seen[key]
        for key, etag, time, status in self.pipeline.query(f"{entries} ORDER BY key, id DESC"):
            if self._is_gone(key):
                landed_at = time.astimezone(UTC)
                oracle.seen[key] = self.put[key, etag, landed_at], landed_at, etag
                if status != "quarantined":
                    oracle.counted.setdefault(key, []).append((oracle.seen[key], landed_at))

    def _is_gone(self, key: str) -> bool:
        return not is_table(key) and (key not in self.landed or self.oracle.ignores(key))

    def _believe_the_ledger(self, before: ShownFigures) -> None:
        """What each table was built of, and what it has shown: not less than the backup knew."""
        assert self.pipeline.sync().is_complete
        self.retried = set()
        self._compare()
        assert {key: file.ranked_at for key, file in self.oracle.active.items()} == dict(
            self.pipeline.query("SELECT key, ranked_at FROM ledger.landed_files WHERE active")
        )
        self.stale = {asset: set() for asset in BY_DAY}
        self.built = {asset: set() for asset in BY_DAY}
        for asset, day in self.pipeline.query("SELECT asset, day FROM ledger.built_days"):
            self.built.get(asset, set()).add(day)
        self.delivered = set(self.built["cleaned_orders"])
        assert all(self.built[asset] == self.delivered for asset in BY_DAY)
        figures = "SELECT day, revenue, orders, asked_for FROM ledger.published ORDER BY id"
        self.figures = ShownFigures.of(self.pipeline.query(figures), self.delivered)
        self.figures.assert_continues(before)

    def _objects(self, table: str) -> list[str]:
        """The objects of built days, or those of files that can be read again."""
        if table != "raw_orders":
            query = "SELECT path FROM ledger.built_days WHERE asset = :t"
            return [path for (path,) in self.pipeline.query(query, t=table)]
        active = self.oracle.active.keys() & self.landed.keys()
        again = {key for key in active if self.oracle.active[key].content == self.landed[key].content}
        again = {key for key in again if not self.oracle.ignores(key)}
        return [
            path
            for key, path in self.pipeline.query("SELECT key, path FROM ledger.landed_files WHERE active")
            if key in again
        ]

    def _active(self) -> dict[str, tuple[str, datetime]]:
        """The ETag and time of the active version of each key."""
        active = self.pipeline.query("SELECT key, etag, last_modified FROM ledger.landed_files WHERE active")
        return {key: (etag, time.astimezone(UTC)) for key, etag, time in active}

    # The services

    @contextmanager
    def _ingesting(self) -> Iterator[Ingest]:
        log = logging.getLogger(__name__)
        with ingesting(postgres.ledger(), s3.lake(), self.oracle.zone.key, "by hand", log) as ingest:
            yield ingest

    def _retract(self, keys: Collection[str]) -> set[date]:
        named = [("" if is_table(key) else s3.bucket, key) for key in keys]
        with self._ingesting() as ingest:
            return ingest.retract(named, "Retracted by hand.", asked_for=True)

    def _tick(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest]:
        resources = {"postgres": postgres, "s3": s3} if sensor is s3_arrival_sensor else {"postgres": postgres}
        context = dg.build_sensor_context(instance=self.pipeline.instance, definitions=defs, resources=resources)
        return list(sensor.evaluate_tick(context).run_requests or [])

    def _put(self, key: str, content: bytes, *, in_parts: bool = False) -> None:
        if in_parts:
            put_in_parts(key, content)
        else:
            s3.client().put_object(Bucket=s3.bucket, Key=key, Body=content)
        head = s3.client().head_object(Bucket=s3.bucket, Key=key)
        landed = Landed(content, head["LastModified"].astimezone(UTC), head["ETag"].strip('"'))
        if key in self.landed and self.landed[key].content != content:
            self.earlier[key] = self.landed[key].content
        self.landed[key] = landed
        self.put[key, landed.etag, landed.landed_at] = content
        note(f"{key} landed at {landed.landed_at}, its ETag {landed.etag}")

    def _remove(self, key: str) -> None:
        s3.client().delete_object(Bucket=s3.bucket, Key=key)
        del self.landed[key]

    def _table_days(self) -> dict[str, bytes]:
        """The source table as CSV files by day, their rows in the order of their texts, nulls first."""
        names = [
            "order_id",
            "customer_id",
            "amount",
            "order_date",
            *(["updated_at"] if self.table == "updates" else []),
        ]
        texts = ", ".join(f"t.{name}::text" for name in names)
        days: dict[str, list[tuple[str, ...]]] = {}
        for fields in sorted(self.pipeline.query(f"SELECT {texts} FROM orders t"), key=_bytewise):
            days.setdefault(f"table:orders/{self._day(fields[3])}", []).append(tuple(field or "" for field in fields))
        return {key: _csv([names, *rows]) for key, rows in days.items()}

    def _day(self, text: str | None) -> str:
        if text is None:
            return "none"
        time = datetime.fromisoformat(text)
        return str((time if time.tzinfo is None else time.astimezone(self.oracle.zone)).date())

    @staticmethod
    def _some(data: st.DataObject, keys: Collection[str]) -> str:
        return data.draw(st.sampled_from(sorted(keys)))


def _outcomes(file: Readable) -> list[int]:
    """How many rows a file has, and how many of them are clean, void, merged and blank."""
    void = len(file.orders) - len(file.clean) + file.without_id
    rows = len(file.clean) + void + file.merged + file.blank + len(file.rejects)
    return [rows, len(file.clean), void, file.merged, file.blank]


def _toml(declared: Declared) -> str:
    """The declaration of a source for all files."""
    values = ", ".join(f"'{value}'" for value in sorted(declared.values))
    ignore = f"ignore = ['*{IGNORED}*']\n"
    condition = f"{declared.how} = {{ {declared.column} = [{values}] }}\n" if declared.how else ""
    plain = Declared()
    written = "".join(
        f"{name} = '{getattr(declared, name)}'\n"
        for name in ("decimal", "amount_unit", "delimiter", "encoding", "order_id_prefix", "customer_id_prefix")
        if getattr(declared, name) != getattr(plain, name)
    )
    return f"[[source]]\nname = 'all'\nkeys = '{s3.prefix}*'\n{condition}lines = '{declared.lines}'\n{written}{ignore}"


def _today(zone: str) -> date:
    return datetime.now(ZoneInfo(zone)).date()


def _between(asked: tuple[date, date], days: set[date]) -> set[date]:
    return {day for day in days if asked[0] <= day <= asked[1]}


def _not_empty(days: Mapping[str, Collection[date]]) -> dict[str, set[date]]:
    return {asset: set(found) for asset, found in days.items() if found}


def _bytewise(row: tuple[str | None, ...]) -> list[bytes]:
    return [b"" if field is None else b"\1" + field.encode() for field in row]


def _csv(lines: Iterable[Iterable[str]], end: str = "\n", *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator=end, delimiter=delimiter).writerows(lines)
    return text.getvalue().encode(encoding)


@contextmanager
def fresh_pipeline(services: Path, template: str, environment: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline for one example: what the fixtures make for one test."""
    with (
        new_database(services, template) as url,
        TemporaryDirectory() as folder,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        for variable, value in variables(services, url, new_bucket(services), Path(folder)).items():
            environment.setenv(variable, value)
        yield Pipeline(Path(folder), instance)


def play(histories: int, seed: int, services: Path, template: str) -> None:
    """Play histories from a seed, which a failure names."""
    machine = partial(History, services, template)
    hypothesis.seed(seed)(machine)
    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]  # any callable will do, it says
        settings=settings(
            max_examples=histories,
            stateful_step_count=STEPS,
            deadline=None,
            # No shrinking: it plays hundreds of histories more, each of some seconds; set ORDERS_SHRINK to have it.
            phases=[*Phase] if os.environ.get("ORDERS_SHRINK") else [Phase.generate],
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
