"""How the bytes of a source's files are read: a declaration reaches what is quarantined and what was loaded."""

import json
import re
from decimal import Decimal

import pytest

from orders_pipeline.resources import S3Resource
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.landed import statuses

DAY, NEXT = "2026-03-04", "2026-03-05"
ROWS = f"1,ann,5.00,{DAY}\n2,bob,1.00,{NEXT}\n"
ORDERS = [dict(zip(HEADER.split(","), row.split(","), strict=True)) for row in ROWS.split()]
BRACKETED = "columns = {" + ", ".join(f'{name} = "[{name}]"' for name in HEADER.split(",")) + "}"
REVENUE = {DAY: ("5.00", 1), NEXT: ("1.00", 1)}


def source(fields: str, keys: str = "landing/*") -> str:
    return f'[[source]]\nname = "acme"\nkeys = "{keys}"\n{fields}\n'


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (f"Report of all orders\n\n\n{HEADER}\n{ROWS}", "skip_lines = 3"),
        (
            json.dumps({"next": None, "data": {"orders": ORDERS}}, indent=1),
            'json_records = "data.orders"',
        ),
    ],
)
def test_what_the_message_of_a_quarantined_file_says_can_be_declared(
    pipeline: Pipeline, content: str, field: str
) -> None:
    key = pipeline.land("a.csv", content.encode())
    pipeline.sync()
    (refused,) = pipeline.status().quarantined
    assert re.findall(r"`((?:skip_lines|json_records) = [^`]+)`", refused.message) == [field]

    pipeline.declare(source(field))

    assert pipeline.status().pending == [key]
    assert pipeline.sync().is_complete
    assert pipeline.status().quarantined == []
    assert pipeline.revenue() == REVENUE


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (f"{HEADER}\n{ROWS}".encode("utf-16"), 'encoding = "utf-16"'),
        (f"{HEADER}\n{ROWS}".replace(",", "^").encode(), 'delimiter = "^"'),
        (f"{HEADER}\n{ROWS}".replace(",", "§").encode("cp1252"), 'encoding = "windows-1252"\ndelimiter = "§"'),
        (f"[{HEADER.replace(',', '];[')}]\n{ROWS.replace(',', ';')}".encode(), f'format = "csv"\n{BRACKETED}'),
    ],
)
def test_a_quarantined_file_is_read_by_the_declaration_that_fits(
    pipeline: Pipeline, content: bytes, fields: str
) -> None:
    key = pipeline.land("a.csv", content)
    pipeline.sync()
    assert statuses(pipeline)[key][0] == "quarantined"

    pipeline.declare(source(fields))

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == REVENUE
    assert pipeline.sync().runs == 0


def test_a_loaded_file_is_read_again_in_the_encoding_that_is_declared_later_and_back(pipeline: Pipeline) -> None:
    key = pipeline.land("a.csv", f"{HEADER}\n1,ann,5.00,{DAY}\n2,Zoë,1.00,{NEXT}\n".encode("cp1252"))
    pipeline.land_rows("b/other.csv", f"9,eve,3.00,{DAY}")
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("8.00", 2)}
    assert [(number, reason, text) for _, number, reason, text in pipeline.rejected()] == [
        (3, "not_utf8", rf"2,Zo\xeb,1.00,{NEXT}")
    ]

    pipeline.declare(source('encoding = "cp1252"', keys="landing/a*"))
    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("8.00", 2), NEXT: ("1.00", 1)}
    assert pipeline.rejected() == []
    assert pipeline.spend()[NEXT, "Zoë"] == "1.00"

    pipeline.declare(source('encoding = "ascii"', keys="landing/a*"))
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("8.00", 2)}
    assert [(source, reason) for source, _, reason, _ in pipeline.rejected()] == [(key, "not_utf8")]


def test_a_declaration_that_reads_nothing_of_a_loaded_file_changes_no_figure(pipeline: Pipeline) -> None:
    key = pipeline.land("a.csv", f"{HEADER}\n{ROWS}".encode())
    pipeline.sync()

    for fields, reason in [
        ("skip_lines = 1", "column_missing"),
        ('encoding = "utf-16"', "encoding_other"),
        ('json_records = "orders"\nformat = "json"', "format_other"),
    ]:
        pipeline.declare(source(fields))
        assert pipeline.sync().is_complete
        (kept,) = pipeline.status().quarantined
        assert (kept.key, kept.reason, kept.still_counts) == (key, reason, True), kept.message
        assert pipeline.revenue() == REVENUE


def test_what_defaults_say_of_files_does_not_concern_the_table(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric(10,2), order_date date)")
    pipeline.execute(f"INSERT INTO orders VALUES ('1', 'Zoë', 5, '{DAY}')")
    defaults = '[defaults]\nencoding = "utf-16"\ndelimiter = "^"\njson_records = "a"\n'
    pipeline.declare(defaults)
    pipeline.land("a.csv", f"{HEADER}\n2,bob,1.00,{NEXT}\n".replace(",", "^").encode("utf-16"))
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == REVENUE

    monkeypatch.setattr(S3Resource, "download", None)
    pipeline.declare(defaults + '[[source]]\nname = "shop"\ntable = "orders"\n')

    assert pipeline.sync().runs == 0  # the table is not read again


def test_every_row_of_a_declared_file_has_an_outcome(pipeline: Pipeline) -> None:
    lines = ["Export", HEADER, f"1,ann,5.00,{DAY}", "2,bob", f",eve,1.25,{DAY}", "", f"3,Z\x81,7.00,{DAY}"]
    pipeline.declare(source('encoding = "cp1252"\nskip_lines = 1'))
    pipeline.land("a.csv", "\n".join(lines).encode("latin-1"))

    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("5.00", 1)}
    assert [(number, reason, text) for _, number, reason, text in pipeline.rejected()] == [
        (4, "field_count", "2,bob"),
        (5, "order_id_missing", f",eve,1.25,{DAY}"),
        (7, "not_utf8", rf"3,Z\xff,7.00,{DAY}"),
    ]
    ((rows, clean, amount),) = pipeline.query("SELECT rows, clean_rows, rejected_amount FROM ledger.landed_files")
    assert (rows, clean, amount) == (4, 1, Decimal("1.25"))
