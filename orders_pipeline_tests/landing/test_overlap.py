"""Files that hold the same order: one of them wins, and the days of the others are rebuilt."""

from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.landing import overlap
from orders_pipeline.ledger import active, overlaps
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline

DAY = "2026-03-04"
HASHES = [-3811523526868657873, -649571662916077706]  # of 1 and é


def test_the_same_bytes_under_another_key_count_once(pipeline: Pipeline) -> None:
    for key in ("a.csv", "b.csv"):
        pipeline.land_rows(key, "1,ann,1.00,2026-03-04")
        pipeline.sync()

    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_an_order_that_moves_to_another_day_leaves_the_old_one(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,bob,2.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("c.csv", "9,bob,2.00,2026-03-10")
    pipeline.sync()
    tables = ("cleaned_orders", "daily_revenue", "daily_orders", "daily_revenue_partitioned")
    untouched = {table: pipeline.built(table)["2026-03-10"] for table in tables}
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-06,2027-01-01", header=f"{HEADER},updated_at")

    synced = pipeline.sync()

    assert pipeline.revenue() == {DAY: ("2.00", 1), "2026-03-06": ("1.00", 1), "2026-03-10": ("2.00", 1)}
    assert [str(day) for day in synced.rebuilt["cleaned_orders"]] == [DAY, "2026-03-06"]
    assert {table: pipeline.built(table)["2026-03-10"] for table in tables} == untouched


@pytest.mark.parametrize("shared", ["7", "9", "10", "55", "a"])
def test_large_files_that_share_an_order_know_of_each_other_by_its_id(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, shared: str
) -> None:
    """Whichever end of the ids of a file it lies at, bytewise or by length."""
    monkeypatch.setattr(overlap, "SMALL", 0)
    rows = [f"{id_},ann,1.00,2026-03-04" for id_ in ("9", "10", "55", "7", "a")]
    pipeline.land_rows("a.csv", *rows)
    pipeline.sync()
    pipeline.land_rows("b.csv", f"{shared},ann,2.00,2026-03-05")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("4.00", 4), "2026-03-05": ("2.00", 1)}


@pytest.mark.parametrize(("small_before", "small"), [(500, 500), (0, 500), (500, 0)])
def test_small_files_and_others_know_of_each_other(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, small_before: int, small: int
) -> None:
    """A file that an earlier release loaded counts as large: the ledger has no hashes of its ids."""
    monkeypatch.setattr(overlap, "SMALL", small_before)
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "5,ann,1.00,2026-03-04", "9,ann,1.00,2026-03-04")
    pipeline.sync()
    monkeypatch.setattr(overlap, "SMALL", small)
    pipeline.land_rows("b.csv", "5,ann,2.00,2026-03-05")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("2.00", 2), "2026-03-05": ("2.00", 1)}


def test_an_arrival_reads_only_the_small_files_that_hold_its_orders(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although all ranges of ids overlap."""
    for number in range(1, 7):
        rows = [f"{id_},ann,1.00,2026-03-{number:02}" for id_ in (f"0{number}", f"9{number}")]
        pipeline.land_rows(f"{number}.csv", *rows)
    pipeline.sync()
    opened = _opened(monkeypatch)
    pipeline.land_rows("new.csv", "93,ann,2.00,2026-03-20", "50,ann,3.00,2026-03-20")
    pipeline.sync()

    key_of = dict(pipeline.query("SELECT path, key FROM ledger.landed_files WHERE active"))
    assert {key_of[path] for path in opened if path in key_of} == {"landing/3.csv", "landing/new.csv"}
    assert (pipeline.revenue()["2026-03-03"], pipeline.revenue()["2026-03-20"]) == (("1.00", 1), ("5.00", 2))


def test_the_ledger_has_the_hashes_of_active_files_only(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.land_rows("a.csv", "2,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "3,ann,1.00,2026-03-04")
    pipeline.sync()

    paths = pipeline.query("SELECT path FROM ledger.landed_files WHERE active ORDER BY path")
    assert pipeline.query("SELECT path FROM ledger.id_hashes ORDER BY path") == paths
    assert len(paths) == 2


def test_what_an_older_release_replaces_hides_nothing(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashes of the replaced version stay until the vacuum removes them, and the new version has none."""
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "2,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute("CREATE TABLE before AS TABLE ledger.id_hashes")
    with monkeypatch.context() as older:
        older.setattr(overlap, "SMALL", 0)
        pipeline.land_rows("a.csv", "3,ann,1.00,2026-03-05")
        pipeline.sync()
    pipeline.execute("INSERT INTO ledger.id_hashes TABLE before ON CONFLICT DO NOTHING")
    pipeline.land_rows("c.csv", "1,ann,2.00,2026-03-06", "3,ann,2.00,2026-03-06")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1), "2026-03-06": ("4.00", 2)}
    indexed = "SELECT DISTINCT key, active FROM ledger.id_hashes JOIN ledger.landed_files USING (path) ORDER BY key"
    kept = [("landing/b.csv", True), ("landing/c.csv", True)]
    assert pipeline.query(indexed) == [("landing/a.csv", False), *kept]
    assert call("vacuum").exit_code == 0
    assert pipeline.query(indexed) == kept


def test_a_file_that_is_retracted_and_comes_back_is_found_by_its_orders(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    assert call("retract", "landing/a.csv").exit_code == 0
    assert pipeline.query("SELECT path FROM ledger.id_hashes") == []
    assert call("retract", "--undo", "landing/a.csv").exit_code == 0
    pipeline.land_rows("b.csv", "1,ann,2.00,2026-03-05")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-05": ("2.00", 1)}
    assert len(pipeline.query("SELECT path FROM ledger.id_hashes")) == 2


def test_hashes_that_the_ledger_has_are_those_of_every_release(pipeline: Pipeline) -> None:
    """Other hashes would hide overlaps with every file that was loaded before."""
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "é,ann,1.00,2026-03-04")
    pipeline.sync()

    assert pipeline.query("SELECT hashes FROM ledger.id_hashes") == [(HASHES,)]


def test_an_arrival_finds_files_and_their_partners_by_an_index(pipeline: Pipeline) -> None:
    pipeline.execute(
        "INSERT INTO ledger.landed_files (bucket, key, etag, size, last_modified, status, active, rows, clean_rows,"
        " days, first_id, last_id, first_short_id, last_short_id, path) SELECT 'b', 'landing/' || n, 'e', 1, now(),"
        " 'loaded', true, 10, 10, ARRAY[date '2000-01-01' + n], '0', 'z', '0', 'zzzz', 'raw_orders/' || n"
        " FROM generate_series(1, 5000) AS n"
    )
    pipeline.execute(
        "INSERT INTO ledger.id_hashes SELECT 'raw_orders/' || n, ARRAY[n, -n] FROM generate_series(1, 5000) n"
    )
    pipeline.execute(
        "INSERT INTO ledger.shared_orders"
        " SELECT 'raw_orders/' || n, 'raw_orders/' || (n + 82) FROM generate_series(1, 4900) AS n"
    )
    with postgres.ledger().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE ledger.landed_files, ledger.id_hashes, ledger.shared_orders"))
    with pipeline.connect() as connection:
        file = active.all_files(connection)[0]
        plans = _plans(connection)
        found = active.overlapping(connection, [file], {file.raw.path: [17, 1_000_000]})
        held = active.holding(connection, found[0].raw.days)
        partners = overlaps.partners(connection, held)

    assert [one.version.key for one in found] == [one.version.key for one in held] == ["landing/17"]
    assert [one.version.key for one in partners] == ["landing/99"]
    _hashes, by_path, _without_hashes, by_day, by_pair = plans
    assert all("landed_files_path" in plan for plan in (by_path, by_pair))
    assert "landed_files_days" in by_day
    assert all("Seq Scan" not in plan for plan in (by_path, by_day, by_pair))


def test_a_batch_of_many_orders_is_compared_at_once(pipeline: Pipeline) -> None:
    """Also while Postgres knows nothing about the table. Array by array, it would take minutes."""
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.sync()
    pipeline.execute(
        "INSERT INTO ledger.id_hashes SELECT 'raw_orders/' || n, array_agg(n * 1000 + i)"
        " FROM generate_series(1, 2000) n, generate_series(1, 100) i GROUP BY n"
    )
    with pipeline.connect() as connection:
        file = active.all_files(connection)[0]
        connection.execute(sa.text("SET LOCAL statement_timeout = '10s'"))
        found = active.overlapping(connection, [file], {file.raw.path: [*range(-50_000, 0), *HASHES]})

    assert [one.version.key for one in found] == ["landing/a.csv"]


def test_which_files_share_an_order_is_known_exactly_whatever_other_columns_they_have(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,1.00,2026-03-04,web", "3,ann,1.00,2026-03-04,web", header=f"{HEADER},channel")
    pipeline.land_rows(
        "c.csv", "0,bob,1.00,2026-03-04,2027-01-01", "4,bob,1.00,2026-03-04,", header=f"{HEADER},updated_at"
    )
    pipeline.sync()

    shared = pipeline.query(
        "SELECT one.key, other.key FROM ledger.shared_orders pair JOIN ledger.landed_files one ON one.path = pair.path"
        " JOIN ledger.landed_files other ON other.path = pair.other WHERE one.key < other.key"
    )
    assert [tuple(pair) for pair in shared] == [("landing/a.csv", "landing/b.csv")]


def test_an_order_falls_back_to_its_earlier_row_when_its_correction_is_taken_back(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "1,ann,7.00,2026-03-06,2027-01-01", header=f"{HEADER},updated_at")
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-06": ("7.00", 1)}
    pipeline.land_rows("b.csv", header=f"{HEADER},updated_at")
    pipeline.sync()

    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def _opened(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The objects of the lake that are read or looked for from now on."""
    opened, lake = set[str](), type(s3.lake())

    def recorded(method: Any) -> Any:
        def call(self: Any, names: Iterable[str], **options: Any) -> pl.LazyFrame | list[str]:
            names = list(names)
            opened.update(names)
            return method(self, names, **options)

        return call

    for name in ("scan", "damaged"):
        monkeypatch.setattr(lake, name, recorded(getattr(lake, name)))
    return opened


def _plans(connection: sa.Connection) -> list[str]:
    """The plans of the queries that this connection executes from now on."""
    plans = list[str]()

    def explain(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        cursor.execute(f"EXPLAIN {statement}", values)
        plans.append("\n".join(line for (line,) in cursor.fetchall()))

    sa.event.listen(connection, "before_cursor_execute", explain)
    return plans
