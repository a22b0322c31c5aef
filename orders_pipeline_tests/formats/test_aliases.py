"""Columns go by their own name or by an alias."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading, parse_aliases
from orders_pipeline_tests.support.files import ONE_ROW, ORDER, fields, parquet

ALIASES = 'Name=order_id,Nummer=order_id,"Total, EUR"=amount,"a=b"=customer_id'


def as_csv(header: list[str], row: list[str]) -> bytes:
    return ("\n".join(";".join(line) for line in (header, row)) + "\n").encode()


def as_parquet(header: list[str], row: list[str]) -> bytes:
    return parquet(**{name: [value] for name, value in zip(header, row, strict=True)})


@pytest.mark.parametrize("write", [as_csv, as_parquet])
@pytest.mark.parametrize("alias", ["name", "Name", " NUMMER "])
def test_the_name_of_a_column_wins_over_its_aliases(
    tmp_path: Path, write: Callable[[list[str], list[str]], bytes], alias: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(write([alias, *ORDER], ["Smith", *ONE_ROW[0]]))

    rows = [row for batch in read_rows(file, Reading(aliases=parse_aliases(ALIASES))) for row in batch.to_dicts()]

    assert fields(rows) == ONE_ROW
    assert rows[0][alias.strip()] == "Smith"


@pytest.mark.parametrize("write", [as_csv, as_parquet])
def test_aliases_with_commas_and_equals_signs_are_read(
    tmp_path: Path, write: Callable[[list[str], list[str]], bytes]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(write(["nummer", "A=B", "Total, EUR", "order_date"], ONE_ROW[0]))

    rows = [row for batch in read_rows(file, Reading(aliases=parse_aliases(ALIASES))) for row in batch.to_dicts()]

    assert fields(rows) == ONE_ROW


@pytest.mark.parametrize("write", [as_csv, as_parquet])
@pytest.mark.parametrize(
    ("header", "named"),
    [
        (["Name", "nummer", *ORDER[1:]], "'Name' (an alias of order_id) and 'nummer' (an alias of order_id)"),
        (["order_id", "Order_ID", *ORDER[1:]], "'order_id' and 'Order_ID'. Remove or rename all but one."),
        (["Name", "order_id", " ORDER_ID", *ORDER[1:]], "'order_id' and 'ORDER_ID'"),
    ],
)
def test_two_columns_that_are_one_are_named_as_written(
    tmp_path: Path, write: Callable[[list[str], list[str]], bytes], header: list[str], named: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(write(header, ["1"] * len(header)))

    with pytest.raises(QuarantineError, match=f"column_twice: More than one column order_id: .*{re.escape(named)}"):
        list(read_rows(file, Reading(aliases=parse_aliases(ALIASES))))
