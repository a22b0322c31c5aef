"""Parquet: typed values become their exact text."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.schema import PROBLEM, ROW_NUMBER, TEXT
from orders_pipeline_tests.support.files import JSON_ROW, fields, parquet, read


def test_typed_parquet_columns_become_their_exact_text(tmp_path: Path) -> None:
    content = parquet(
        order_id=[1, 2],
        customer_id=pl.Series(["ann", None], dtype=pl.Categorical),
        amount=[Decimal("1.50"), None],
        order_date=[datetime(2026, 3, 4, 1, tzinfo=UTC), None],
        updated_at=[datetime(2026, 3, 4, 1, 2, 3, 250000), None],
        shares=[[1], [2]],
    )

    rows = read(tmp_path, content)

    assert fields(rows) == [["1", "ann", "1.50", "2026-03-04 01:00:00.000000Z"], ["2", None, None, None]]
    assert rows[0]["updated_at"] == "2026-03-04 01:02:03.250000"
    assert rows[1][ROW_NUMBER] == 2


def test_parquet_dates_and_floats_become_their_shortest_text(tmp_path: Path) -> None:
    content = parquet(order_id=["1"], customer_id=["a"], amount=[0.1], order_date=[date(2026, 3, 4)])

    assert fields(read(tmp_path, content)) == [["1", "a", "0.1", "2026-03-04"]]


def test_parquet_ids_of_other_types_become_the_text_that_was_meant(tmp_path: Path) -> None:
    content = parquet(
        order_id=[b"00a", b"\xff"], customer_id=[7.0, 7.5], amount=["1", "1"], order_date=["2026-03-04"] * 2
    )

    rows = read(tmp_path, content)

    assert fields(rows)[0] == ["00a", "7", "1", "2026-03-04"]
    assert (rows[1][PROBLEM], rows[1][TEXT]) == ("not_utf8", r"\xff,7.5,1,2026-03-04")


def test_an_order_column_that_holds_lists_is_refused(tmp_path: Path) -> None:
    content = parquet(order_id=[[1]], customer_id=["a"], amount=["1"], order_date=["2026-03-04"])

    with pytest.raises(QuarantineError, match="column_type"):
        read(tmp_path, content)


def test_a_time_beyond_all_calendars_is_a_text_that_says_so(tmp_path: Path) -> None:
    columns = {name: pa.array([value]) for name, value in JSON_ROW.items()}
    file = tmp_path / "file"
    pq.write_table(pa.table({**columns, "at": pa.array([2**63 - 1], pa.timestamp("us"))}), file)

    (row,) = [row for batch in read_rows(file) for row in batch.to_dicts()]
    assert row["at"] == "<value out of range: 9223372036854775807>"


def test_old_times_beyond_the_reach_of_nanoseconds_do_not_come_round_again(tmp_path: Path) -> None:
    text = {key: ["1", "2"] for key in ["order_id", "customer_id", "amount"]}
    times = pa.array([datetime(2026, 3, 4), datetime(2026, 3, 5)], pa.timestamp("ns"))
    file = tmp_path / "file"
    pq.write_table(
        pa.table({**text, "order_date": times}),
        file,
        use_deprecated_int96_timestamps=True,
        use_dictionary=False,
        compression="none",
        write_statistics=False,
    )
    day = (2_440_588 + (date(2026, 3, 5) - date(1970, 1, 1)).days).to_bytes(4, "little")
    far = (2_440_588 + (date(2610, 3, 5) - date(1970, 1, 1)).days).to_bytes(4, "little")
    content = file.read_bytes()
    assert content.count(day) == 1

    rows = read(tmp_path, content.replace(day, far))

    assert [row["order_date"][:10] for row in rows] == ["2026-03-04", "2610-03-05"]
