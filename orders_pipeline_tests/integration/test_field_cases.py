"""Small inputs in the shape of real exports and public reports. With nothing declared, each ends in the right figure
or in a clear message that names what is wrong; with the declaration that fits, in the right figure."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from orders_pipeline.cli.status import FileStatus
from orders_pipeline.ledger.versions import Status
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

CASES = Path(__file__).parents[3] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases (../shared/cases) are not beside this checkout")


@dataclass(frozen=True)
class Loaded:
    """What counts of a file, and the reasons of its rejects, in the order of its rows."""

    revenue: str
    orders: int
    rejects: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetAside:
    """Why a file is quarantined, and what its message must say for a stranger to know what to do."""

    reason: str
    words: tuple[str, ...]


LOADED = {
    "small_all_rejected.csv": Loaded("0", 0, ("amount_not_decimal",) * 10),
    "wrapper.json": Loaded("2.00", 2),
    "status.csv": Loaded("30.00", 3),
    "cents.json": Loaded("1250.00", 1),
    "nan_ids.csv": Loaded("0", 0, ("order_id_missing",) * 6),
    "nan_customer.csv": Loaded("0", 0, ("customer_id_missing",) * 3),
    "eqquote.csv": Loaded("30.00", 2),
    "apostrophe.csv": Loaded("30.00", 2),
    "float_ids.csv": Loaded("10.00", 1),
    "int_ids.csv": Loaded("10.00", 1),
    "sep_quoted.csv": Loaded("10.00", 1),
    "sep_trailing.csv": Loaded("10.00", 1),
    "sep_upper.csv": Loaded("10.00", 1),
    "empty_rows.csv": Loaded("20.00", 2),
    "total_row.csv": Loaded("30.00", 2, ("customer_id_missing",)),
    "two_producers.jsonl": Loaded("3.00", 2),
    "column_called_name.csv": Loaded("10.00", 1),
    "line_items.tsv": Loaded("15.00", 2),  # and a check names what does not count, as of the next one
    "excel_sci.csv": Loaded("30.00", 1),
}
SET_ASIDE = {
    "woocommerce.csv": SetAside("column_missing", ("line 1", "ORDERS_COLUMN_ALIASES")),
    "shopify.csv": SetAside("column_missing", ("customer_id, order_date", "Financial Status", "ORDERS_COLUMN_ALIASES")),
    "stripe.csv": SetAside("column_missing", ("Created (UTC)", "ORDERS_COLUMN_ALIASES")),
    "etsy.csv": SetAside("column_missing", ("line 1", "ORDERS_COLUMN_ALIASES")),
    "amazon_es.tsv": SetAside("column_missing", ("line 1", "ORDERS_COLUMN_ALIASES")),
    "amazon_items.tsv": SetAside("column_missing", ("line 1", "ORDERS_COLUMN_ALIASES")),
    "german_dates.csv": SetAside("mostly_unreadable", ("line 2", "05.03.2026 14:30:15", "order_date")),
    "decimal_comma.csv": SetAside("mostly_unreadable", ("line 2", "0,50", "amount")),
    "ebay.csv": SetAside("column_missing", ("line 2",)),
    "preamble.csv": SetAside("column_missing", ("line 4", "`skip_lines = 3`")),
    "comment.csv": SetAside("column_missing", ("line 2", "`skip_lines = 1`")),
    "rest_api.json": SetAside("column_missing", ("total_price",)),
    "wrapper_pretty.json": SetAside("column_missing", ("orders", '`json_records = "orders"`', "jq")),
    "debezium.jsonl": SetAside("column_missing", ("Debezium",)),
    "mongo.jsonl": SetAside("format_unsupported", ("MongoDB", "mongoexport")),
}
# By file: the fields of its source, and what then counts.
DECLARED = {
    "dms_cdc.csv": ('deletes = { Op = ["D"] }', Loaded("10.00", 1)),
    "flattened_deleted.jsonl": ('deletes = { __deleted = ["true"] }', Loaded("0", 0, ("not_an_object",))),
    "status.csv": ('keep = { Status = ["paid"] }', Loaded("10.00", 1)),
    "currencies.csv": (
        'currency = "EUR"\ncurrency_column = "currency"',
        Loaded("10.00", 1, ("currency_other", "currency_other")),
    ),
    "woocommerce.csv": (
        'columns = { order_id = "Order ID", customer_id = "Customer ID", amount = "Total Amount", '
        'order_date = "Date Created" }\nkeep = { Status = ["processing", "completed"] }',
        Loaded("1183.93", 1),
    ),
    "stripe.csv": (
        'columns = { order_id = "id", customer_id = "Customer ID", amount = "Amount", order_date = "Created (UTC)" }\n'
        'drop = { Status = ["Failed"] }',
        Loaded("170.00", 2),
    ),
    "line_items.tsv": ('lines = "sum"', Loaded("45.00", 2)),
    "shopify.csv": (
        'columns = { order_id = "Name", customer_id = "Email", amount = "Total", order_date = "Created at" }\n'
        'currency = "EUR"\ncurrency_column = "Currency"\ncustomer_default = "guest"\nlines = "sum"\n'
        'drop = { "Financial Status" = ["voided"] }\norder_id_prefix = "s-"',  # #1001 is in rest_api.json too
        Loaded("80.00", 2, ("currency_other",)),
    ),
    "etsy.csv": (
        'columns = { order_id = "Order ID", customer_id = "Buyer User ID", amount = "Order Total",'
        ' order_date = "Sale Date" }\ndate_formats = ["%m/%d/%y"]',
        Loaded("261.80", 22),
    ),
    "amazon_es.tsv": (
        'columns = { order_id = "amazon-order-id", customer_id = "buyer-email", amount = "item-price",'
        ' order_date = "purchase-date" }\ndate_formats = ["%d-%m-%YT%H:%M:%S%z"]\n'
        'order_id_prefix = "es-"',  # 058-1 is in amazon_items.tsv too
        Loaded("330.00", 22),
    ),
    "german_dates.csv": ('date_formats = ["%d.%m.%Y %H:%M:%S"]', Loaded("312.50", 25)),
    "decimal_comma.csv": ('decimal = ","', Loaded("312.50", 25)),
    "small_all_rejected.csv": ('decimal = ","', Loaded("50.00", 10)),
    "cents.json": ('amount_unit = "minor"', Loaded("12.50", 1)),
    "ebay.csv": (
        'columns = { order_id = "Order Number", customer_id = "Buyer Username", amount = "Total Price",'
        ' order_date = "Sale Date" }\nskip_lines = 1\ncurrency = "USD"\ndate_formats = ["%b-%d-%y %H:%M:%S"]',
        Loaded("12.34", 1, ("field_count", "field_count")),
    ),
    "amazon_items.tsv": (
        'columns = { order_id = "order-id", customer_id = "buyer-email", amount = "item-price",'
        ' order_date = "purchase-date" }\nlines = "sum"',
        Loaded("40.00", 1),
    ),
    "preamble.csv": ("skip_lines = 3", Loaded("10.00", 1)),
    "comment.csv": ("skip_lines = 1", Loaded("10.00", 1)),
    "wrapper.json": ('json_records = "orders"', Loaded("2.00", 2)),
    "wrapper_pretty.json": ('format = "json"\njson_records = "orders"', Loaded("2.00", 2)),
    "rest_api.json": (
        'json_records = "orders"\ncolumns = { order_id = "name", customer_id = "customer.id", amount = "total_price",'
        ' order_date = "created_at" }',
        Loaded("409.94", 1),
    ),
}
ALIASES = "orderId=order_id,total=amount,Name=order_id"


def test_each_export_ends_in_the_right_figure_or_in_a_clear_message(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", ALIASES)
    names = [
        *LOADED,
        *SET_ASIDE,
        "currencies.csv",
        "pretty_objects.json",
        "dotnet_7digits.csv",
        "go_nanos.jsonl",
        "one_odd_object.jsonl",
    ]
    keys = {name: pipeline.land(f"{Path(name).stem}/{name}", (CASES / name).read_bytes()) for name in names}

    synced = pipeline.sync()

    assert synced.is_complete
    aside = {file.key: file for file in pipeline.status().quarantined}
    assert {name: _told(aside.get(keys[name]), expected) for name, expected in SET_ASIDE.items()} == SET_ASIDE
    assert {name: _found(pipeline, keys[name]) for name in LOADED} == LOADED
    assert _found(pipeline, keys["pretty_objects.json"]).rejects == ()
    for name in ("pretty_objects.json", "dotnet_7digits.csv", "go_nanos.jsonl"):
        assert _found(pipeline, keys[name]).orders == _rows(name), name
    assert _found(pipeline, keys["one_odd_object.jsonl"]).orders >= 50
    word = synced.failed_checks["few_rows_are_rejected"]
    for name in ("small_all_rejected.csv", "nan_ids.csv", "nan_customer.csv"):
        assert keys[name] in word
    currencies = synced.failed_checks["amounts_are_in_one_currency"]
    assert currencies.startswith(
        "ERROR: Amounts in several currencies are added up: landing/currencies/ has amounts in"
    )
    assert keys["currencies.csv"] in currencies
    damaged = synced.failed_checks["ids_look_intact"]
    for name, order_id in (("apostrophe.csv", "'00777"), ("float_ids.csv", "1001.0"), ("excel_sci.csv", "1.23457E+12")):
        assert keys[name] in damaged
        assert f"'{order_id}'" in damaged
    repeated = synced.failed_checks["repeated_orders_agree"]
    for name, order_id in (("line_items.tsv", "LI-1"), ("excel_sci.csv", "1.23457E+12")):
        rows = "2 rows worth 30.00 not counted, for example"
        assert f"{keys[name]} repeats orders with other amounts: {rows} {order_id}" in repeated
    assert 'declare `lines = "sum"`' in repeated
    assert {key for check, key in pipeline.suspected() if check == "repeated_orders_agree"} == {
        keys["line_items.tsv"],
        keys["excel_sci.csv"],
    }
    assert "no_order_replaces_another" not in synced.failed_checks


def test_an_order_that_a_change_log_deletes_does_not_count(pipeline: Pipeline) -> None:
    """Whether the file is refused, or the order is left out."""
    for name in ("dms_cdc.csv", "flattened_deleted.jsonl"):
        pipeline.land(name, (CASES / name).read_bytes())

    pipeline.sync()

    assert not {"DM-2", "FD-1"} & pipeline.orders().keys()


def test_each_export_counts_as_its_declaration_says_whether_that_comes_before_or_after_it(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    sources = [
        f'[[source]]\nname = "source-{number}"\nkeys = "landing/*/{name}"\n{fields}\n'
        for number, (name, (fields, _)) in enumerate(DECLARED.items())
    ]
    declaration = tmp_path / "sources.toml"
    declaration.write_text("\n".join(sources))
    before, after = list(DECLARED)[::2], list(DECLARED)[1::2]
    keys = {name: pipeline.land(f"{Path(name).stem}/{name}", (CASES / name).read_bytes()) for name in before}
    pipeline.sync()
    call("sources", "apply", str(declaration))
    keys |= {name: pipeline.land(f"{Path(name).stem}/{name}", (CASES / name).read_bytes()) for name in after}

    assert pipeline.sync().is_complete

    assert {name: _found(pipeline, keys[name]) for name in DECLARED} == {
        name: expected for name, (_, expected) in DECLARED.items()
    }
    assert pipeline.status().quarantined == []
    orders = {order_id: amount for order_id, (_, amount, _) in pipeline.orders().items()}
    assert {name: orders[name] for name in ("LI-1", "LI-2", "058-1")} == {
        "LI-1": "35.00",
        "LI-2": "10.00",
        "058-1": "40.00",
    }


def _told(file: FileStatus | None, expected: SetAside) -> SetAside | str:
    """What a message tells of what is expected; the whole message where that is not all."""
    if file is None:
        return f"not {Status.QUARANTINED}"
    if file.reason == expected.reason and all(word in file.message for word in expected.words):
        return expected
    return f"{file.reason}: {file.message}"


def _found(pipeline: Pipeline, key: str) -> Loaded:
    clean = pipeline.lake_frame("cleaned_orders").filter(pl.col("_source") == key)
    reasons = tuple(reason for source, _, reason, _ in pipeline.rejected() if source == key)
    return Loaded(str(clean["amount"].sum()) if clean.height else "0", clean.height, reasons)


def _rows(name: str) -> int:
    """Each row of these files has one date, and no other line has any."""
    return (CASES / name).read_text().count("2026-03-05")
