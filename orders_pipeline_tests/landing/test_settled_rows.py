"""Orders in several lines: lines in different batches, what the ledger records, what a change reaches."""

from pathlib import Path

import polars as pl
import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.formats import rows as formats_rows
from orders_pipeline.landing import raw_objects, settled_rows
from orders_pipeline.resources import S3Resource
from orders_pipeline.settings import read_settings
from orders_pipeline.tables import totals as all_totals
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline

DAY, NEXT = "2026-03-04", "2026-03-05"
SUM = 'lines = "sum"'


def source(fields: str = SUM) -> str:
    """The declaration of a source of all keys."""
    return f'[[source]]\nname = "acme"\nkeys = "landing/*"\n{fields}\n'


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of an order are in several batches, parts and shares."""
    monkeypatch.setattr(formats_rows, "BATCH_ROWS", 7)
    monkeypatch.setattr(raw_objects, "_ROWS_AT_ONCE", 5)
    monkeypatch.setattr(settled_rows, "_ROWS_AT_ONCE", 11)


def cut_off(*_: object) -> None:
    raise AssertionError("Nothing is to be read from S3.")


@pytest.mark.usefixtures("small_batches")
def test_lines_are_summed_across_batches_and_shares(pipeline: Pipeline) -> None:
    pipeline.declare(source())
    orders = [f"o{number % 40},ann,{number}.01,{DAY}" for number in range(100)]
    pipeline.land_rows("a.csv", *orders)

    assert pipeline.sync().failed_checks == {}

    expected: dict[str, int] = {}
    for number in range(100):
        expected[f"o{number % 40}"] = expected.get(f"o{number % 40}", 0) + number * 100 + 1
    found = {order_id: amount for order_id, (_, amount, _) in pipeline.orders().items()}
    assert found == {order_id: f"{cents // 100}.{cents % 100:02}" for order_id, cents in expected.items()}
    rows = pl.read_parquet(_object(pipeline, "landing/a.csv"))
    assert rows["_row_number"].to_list() == list(range(2, 102))
    assert rows["amount"].to_list() == [row.split(",")[2] for row in orders]


def test_rows_and_money_are_conserved_by_outcome(pipeline: Pipeline) -> None:
    pipeline.declare(source(f'{SUM}\ndeletes = {{ Op = ["D"] }}\ndrop = {{ Status = ["draft"] }}'))
    pipeline.land_rows(
        "a.csv",
        f",,1,ann,10.00,{DAY}",
        f",,1,ann,20.00,{DAY}",
        f",draft,1,ann,40.00,{DAY}",  # of an order that counts: neither in the sum, nor a delete
        ",,1,,,",
        f",draft,2,ann,80.00,{DAY}",
        "D,,3,,160.00,",
        f",,4,ann,320.00,{DAY}",
        f",,4,ann,640.00,{NEXT}",
        f",,5,ann,1280.00,{DAY}",
        f",,5,,2560.00,{DAY}",
        header=f"Op,Status,{HEADER}",
    )

    assert pipeline.sync().is_complete

    columns = "rows, clean_rows, void_rows, merged_rows, blank_rows, clean_amount, void_amount, rejected_amount"
    ((*found,),) = pipeline.query(f"SELECT {columns} FROM ledger.landed_files")
    assert [str(value) for value in found] == ["10", "1", "2", "2", "1", "30.00", "280.00", "4800.00"]
    assert [(number, reason) for _, number, reason, _ in pipeline.rejected()] == [
        (8, "lines_differ"),
        (9, "lines_differ"),
        (10, "line_rejected"),
        (11, "customer_id_missing"),
    ]
    assert pipeline.rejected()[2][3] == f",,5,ann,1280.00,{DAY}"
    with pipeline.connect() as connection:
        held = all_totals.totals(connection, read_settings())
    assert (held.rows, held.clean_orders, held.merged_rows, held.blank_rows) == (10, 1, 2, 1)
    totals = pipeline.status().totals
    assert (totals["merged_rows"], totals["blank_rows"], totals["superseded_or_out_of_range"]) == (2, 1, 0)
    assert "2 void + 2 merged + 1 blank" in call("status").output


def test_merged_and_blank_rows_are_no_rejects(pipeline: Pipeline) -> None:
    pipeline.declare(source(f'{SUM}\nmax_reject_share = "1%"'))
    pipeline.land_rows("a.csv", *[f"1,ann,1.00,{DAY}"] * 30, *["1,,,"] * 30)
    pipeline.land_rows("b.csv", "2,ann,x,2026-03-04", "2,,,")

    failed = pipeline.sync().failed_checks

    assert pipeline.revenue() == {DAY: ("30.00", 1)}
    assert failed.keys() == {"few_rows_are_rejected"}
    assert "landing/b.csv: 1 of 2" in failed["few_rows_are_rejected"]  # nothing of it counts
    assert "a.csv" not in failed["few_rows_are_rejected"]


def test_orders_without_any_amount_are_rejected(pipeline: Pipeline) -> None:
    pipeline.declare(source())
    pipeline.land_rows("a.csv", *(f"{number},ann,,{DAY}" for number in range(50)))

    failed = pipeline.sync().failed_checks

    assert {reason for _, _, reason, _ in pipeline.rejected()} == {"amount_missing"}
    assert len(pipeline.rejected()) == 50
    assert "landing/a.csv: 50 of 50" in failed["few_rows_are_rejected"]


@pytest.mark.usefixtures("small_batches")
def test_a_row_without_an_amount_finds_its_order_in_other_batches(pipeline: Pipeline) -> None:
    pipeline.declare(source())
    pipeline.land_rows(
        "a.csv",
        *(f"{number},ann,,{DAY}" for number in range(40)),
        *(f"{number},ann,1.00,{DAY}" for number in range(30)),
    )

    pipeline.sync()

    assert pipeline.query("SELECT clean_rows, merged_rows, blank_rows FROM ledger.landed_files") == [(30, 0, 30)]
    assert [(number, reason, text) for _, number, reason, text in pipeline.rejected()] == [
        (number + 2, "amount_missing", f"{number},ann,,{DAY}") for number in range(30, 40)
    ]
    rows = pl.read_parquet(_object(pipeline, "landing/a.csv"))
    assert rows.filter(pl.col("_text").is_not_null())["_outcome"].unique().to_list() == ["rejected"]


def test_a_later_file_with_a_part_of_an_order_replaces_it_whole(pipeline: Pipeline) -> None:
    pipeline.declare(source())
    pipeline.land_rows("a.csv", f"1,ann,10,{DAY}", f"1,ann,20,{DAY}", f"2,ann,1,{DAY}", f"2,ann,1,{DAY}")
    pipeline.sync()
    pipeline.land_rows("b.csv", f"1,ann,5,{NEXT}")
    pipeline.land_rows("c.csv", f"2,ann,3,{NEXT}", f"2,ann,x,{NEXT}")  # set aside: replaces nothing

    done = pipeline.sync()

    assert pipeline.revenue() == {DAY: ("2.00", 1), NEXT: ("5.00", 1)}
    assert pipeline.superseded() == {(DAY, "landing/b.csv", "landing/a.csv"): (1, "30.00", 0)}
    assert "no_order_is_lost" not in done.failed_checks


def test_a_change_of_lines_is_answered_from_the_lake_and_back(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", f"1,ann,10.00,{DAY}", f"1,ann,20.00,{DAY}", f"2,ann,1.00,{NEXT}", "2,,,", "1,ann,x,")
    pipeline.sync()
    found = [pipeline.revenue()]
    monkeypatch.setattr(S3Resource, "download", cut_off)

    for fields in (SUM, 'lines = "refuse"', 'lines = "last"'):
        pipeline.declare(source(fields) if fields else "")
        assert pipeline.sync().is_complete
        found.append(pipeline.revenue())

    plain = {DAY: ("20.00", 1), NEXT: ("1.00", 1)}
    assert found == [plain, {NEXT: ("1.00", 1)}, {}, plain]
    assert len(pipeline.rejected()) == 2


def test_the_lines_of_the_source_table_are_summed_within_a_day(pipeline: Pipeline) -> None:
    pipeline.declare('[[source]]\nname = "shop"\ntable = "orders"\nlines = "sum"\n')
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date date)")
    pipeline.execute(f"INSERT INTO orders VALUES ('1', 'ann', 10, '{DAY}'), ('1', 'ann', 20, '{DAY}')")

    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("30.00", 1)}


@pytest.mark.parametrize("fields", ["", '\ndrop = { Op = ["T"] }'])
def test_a_delete_that_no_one_declared_is_no_blank_line(fields: str, pipeline: Pipeline) -> None:
    pipeline.declare(source(f"{SUM}{fields}"))
    pipeline.land_rows("a.csv", f"I,1,ann,1.00,{DAY}", "D,1,,,", header=f"Op,{HEADER}")

    pipeline.sync()

    assert [file.reason for file in pipeline.status().quarantined] == ["format_unsupported"]


def _object(pipeline: Pipeline, key: str) -> Path:
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files WHERE key = :key AND active", key=key)
    return Path(s3.lake().uri) / str(path)
