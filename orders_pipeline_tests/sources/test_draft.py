"""Drafts of declarations: what is guessed of exports as shops write them, and what is left to a person."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from orders_pipeline.formats.sample import sample_of
from orders_pipeline.sources.declaration import Source, parse
from orders_pipeline.sources.draft import Draft, draft, toml
from orders_pipeline.sources.formats_of_dates import guess_formats
from orders_pipeline.sources.names import guess_columns

ORDER = ("order_id", "customer_id", "amount", "order_date")


def drafted(tmp_path: Path, content: str | bytes, kind: str = "csv") -> Draft:
    path = tmp_path / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    sample = sample_of(path, kind)
    assert sample is not None
    return draft(sample)


def fields(found: Draft) -> dict[str, Any]:
    """A draft as it is read from TOML. The fields that this release knows are those of a declaration that applies."""
    (table,) = tomllib.loads(toml(found, "A shop!", "landing/shop/*"))["source"]
    known = {name: value for name, value in found.fields.items() if name in Source.model_fields}
    (source,) = parse(toml(Draft(known, found.reasons), "A shop!", "landing/shop/*")).declared
    assert (source.name, source.keys) == (table.pop("name"), table.pop("keys")) == ("a-shop", "landing/shop/*")
    return dict(table)


@pytest.mark.parametrize(
    "names",
    [
        "Name,Email,Financial Status,Total,Created at,Id -> Name,Email,Total,Created at",
        "Order ID,Date Created,Status,Customer ID,Total Amount -> Order ID,Customer ID,Total Amount,Date Created",
        "id,Created (UTC),Amount,Customer ID -> id,Customer ID,Amount,Created (UTC)",
        "amazon-order-id,purchase-date,buyer-email,item-price -> amazon-order-id,buyer-email,item-price,purchase-date",
        "Sale Date,Order ID,Buyer User ID,Order Total -> Order ID,Buyer User ID,Order Total,Sale Date",
        "Order Number,Buyer Username,Total Price,Sale Date -> Order Number,Buyer Username,Total Price,Sale Date",
        "Bestellnummer,Käufer,Gesamtbetrag,Bestelldatum -> Bestellnummer,Käufer,Gesamtbetrag,Bestelldatum",
        "Número de pedido,Cliente,Importe total,Fecha -> Número de pedido,Cliente,Importe total,Fecha",
        "N° commande,Client,Montant TTC,Date de commande -> N° commande,Client,Montant TTC,Date de commande",
        "id,customer.id,total_price,created_at -> id,customer.id,total_price,created_at",
        "ORDER_ID,id,customer_id,amount,total,order_date -> ORDER_ID,customer_id,amount,order_date",
    ],
)
def test_columns_are_guessed_by_their_usual_names(names: str) -> None:
    written, expected = (text.split(",") for text in names.split(" -> "))
    assert guess_columns(written) == dict(zip(ORDER, expected, strict=True))


def test_a_german_spreadsheet_is_drafted_with_all_that_it_needs(tmp_path: Path) -> None:
    text = (
        "Bestellungen\nStand: 06.03.2026\n\nBestellnummer;Käufer;Betrag;Datum\n"
        "1;Jörg;1.234,50;05.03.2026 14:30:15\n2;Ann;7,00;15.03.2026 14:30:15\n"
    )

    assert fields(drafted(tmp_path, text.encode("cp1252"))) == {
        "encoding": "cp1252",
        "delimiter": ";",
        "skip_lines": 3,
        "decimal": ",",
        "thousands": ".",
        "date_formats": ["%d.%m.%Y %H:%M:%S"],
        "columns": {"order_id": "Bestellnummer", "customer_id": "Käufer", "amount": "Betrag", "order_date": "Datum"},
    }


def test_a_line_of_totals_is_not_taken_for_the_header(tmp_path: Path) -> None:
    lines = ["Auswertung;;;;", ";;;;", "Beleg-Nr.;Kundenname;Betrag (brutto);Belegdatum;Art"]
    lines += ["R-1;Ann;12,50;15.03.2026;bar", "R-2;Bob;7,00;16.03.2026;bar", "Summe;;19,50;;"]

    found = fields(drafted(tmp_path, "\n".join(lines).encode()))

    assert (found["skip_lines"], found["columns"]) == (
        2,
        {
            "order_id": "Beleg-Nr.",
            "customer_id": "Kundenname",
            "amount": "Betrag (brutto)",
            "order_date": "Belegdatum",
        },
    )


def test_nothing_is_drafted_where_nothing_needs_a_word(tmp_path: Path) -> None:
    assert fields(drafted(tmp_path, "order_id,customer_id,amount,order_date\n1,ann,1.00,2026-03-05T10:00Z\n")) == {}


def test_dates_that_may_be_two_days_are_left_to_a_person(tmp_path: Path) -> None:
    found = drafted(tmp_path, "order_id,customer_id,amount,order_date\n1,ann,1.00,03/05/26\n")

    assert fields(found) == {}
    assert '# date_formats = ["%d/%m/%y"]\n# date_formats = ["%m/%d/%y"]\n' in toml(found, "a", "b")


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        (["03/25/2026"], ["%m/%d/%Y"]),
        (["25/03/2026 10:00", "03/05/2026 10:00"], ["%d/%m/%Y %H:%M"]),
        (["Mar-05-26 23:45:00"], ["%b-%d-%y %H:%M:%S"]),
        (["14-03-2026T18:53:56+00:00"], ["%d-%m-%YT%H:%M:%S%z"]),
        (["05.03.2026", "05.03.2026 10:00"], ["%d.%m.%Y", "%d.%m.%Y %H:%M"]),
        (["2026-03-05", "05.03.2026"], ["%Y-%m-%d", "%d.%m.%Y"]),
        (["n/a", "25.03.2026", "26.03.2026"], ["%d.%m.%Y"]),
        (["soon", "later"], []),
        ([f"week {number} of 2026" for number in range(100)], []),  # at once: not by trying every format on each
        (["2026-03-05", "2026-03-05 10:00:00 +0100"], []),
        ([], []),
    ],
)
def test_formats_of_dates_are_those_that_fit(values: list[str], formats: list[str]) -> None:
    assert guess_formats(values) == (formats, True)


def test_lines_are_summed_if_the_rows_of_an_order_differ_in_amount(tmp_path: Path) -> None:
    header = "order_id,customer_id,amount,order_date,sku\n"
    row = "1,ann,{},2026-03-05,{}\n"

    assert fields(drafted(tmp_path, header + row.format("1.00", "a") + row.format("2.00", "b"))) == {"lines": "sum"}
    assert fields(drafted(tmp_path, header + row.format("1.00", "a") + row.format("", "b"))) == {"lines": "sum"}
    alike = drafted(tmp_path, header + row.format("1.00", "a") + row.format("1.00", "b"))
    assert (fields(alike), '# lines = "sum"' in toml(alike, "a", "b")) == ({}, True)


def test_a_column_of_currencies_is_declared_with_the_most_frequent_one(tmp_path: Path) -> None:
    rows = "1,ann,1.00,2026-03-05,eur\n2,ann,1.00,2026-03-05,EUR\n3,ann,1.00,2026-03-05,USD\n"

    found = drafted(tmp_path, f"order_id,customer_id,amount,order_date,Currency\n{rows}")

    assert fields(found) == {"currency": "EUR", "currency_column": "Currency"}
    assert 'rows in "USD" are rejected' in found.reasons["currency"]


def test_an_array_of_orders_is_found_and_nested_fields_are_named(tmp_path: Path) -> None:
    order = '{"id": 1, "customer": {"id": 2}, "total_price": 1250, "created_at": "2026-03-05T10:00:00Z"}'

    found = drafted(tmp_path, f'{{"data": {{"orders": [{order}, {order}]}}, "next": null}}', "json")

    assert fields(found)["json_records"] == "data.orders"
    assert fields(found)["columns"]["customer_id"] == "customer.id"
    assert '# amount_unit = "minor"' in toml(found, "a", "b")


@pytest.mark.parametrize("name", ['a"b', "a\nb", "\x1b\x7f\x9b", "a.b", "\ud800", "ünï", "\\", " ", "#"])
def test_any_name_of_a_column_is_written_as_toml(name: str) -> None:
    found = Draft()
    found.add("columns", {"order_id": name}, name)
    found.add("keep", {name: [name]}, name)
    found.remark(name, "x = 1")

    (table,) = tomllib.loads(toml(found, name, name))["source"]

    there = name.replace("\ud800", "?")
    assert (table["columns"], table["keep"], table["keys"]) == ({"order_id": there}, {there: [there]}, there)
