"""A file as its source declares it, against the same orders in a plain file: read, validated and stored, as on landing.
By turns, so that a machine that is slower for a while is so for all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, Final

import polars as pl

from bench.orders import Orders, frames
from bench.places import Place
from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.sources.declaration import parse
from orders_pipeline.storage.lake import FolderLake

ORDERS: Final = Orders(200_000, 1, 365)
ROUNDS: Final = 5
PLAIN: Final = "plain"
_LANDED_AT: Final = datetime(2026, 3, 4, tzinfo=UTC)
_TIME: Final = pl.col("order_date").str.to_datetime("%Y-%m-%dT%H:%M:%S")
_GERMAN: Final = {
    "amount": pl.col("amount").str.replace(".", ",", literal=True),
    "order_date": _TIME.dt.strftime("%d.%m.%Y %H:%M:%S"),
}


@dataclass(frozen=True)
class Form:
    """How a sender writes: what it declares, and how its columns differ from plain ones."""

    declared: str = ""
    columns: Mapping[str, pl.Expr] = field(default_factory=dict)
    delimiter: str = ","
    encoding: str = "utf-8"

    def write(self, path: Path) -> None:
        """The orders in this form."""
        rows = pl.concat(frames(ORDERS)).with_columns(**self.columns)
        text = rows.write_csv(separator="\x1f").replace("\x1f", self.delimiter)
        path.write_bytes(text.encode(self.encoding))


FORMS: Final = {
    PLAIN: Form(),
    "another encoding": Form("encoding = 'cp1252'", {"customer_id": "ü" + pl.col("customer_id")}, encoding="cp1252"),
    "a delimiter beyond ASCII": Form("delimiter = '§'", delimiter="§"),
    "decimal commas": Form("decimal = ','", {"amount": _GERMAN["amount"]}, ";"),
    "formats of dates": Form("date_formats = ['%d.%m.%Y %H:%M:%S', '%d.%m.%Y']", {"order_date": _GERMAN["order_date"]}),
    "amounts in cents": Form(
        "amount_unit = 'minor'\ncurrency = 'EUR'", {"amount": pl.col("amount").str.replace(".", "", literal=True)}
    ),
    "prefixes of ids": Form("order_id_prefix = 'a-'\ncustomer_id_prefix = 'a-'"),
    "a time zone": Form("timezone = 'Europe/Berlin'"),
    "orders in lines": Form("lines = 'sum'"),
}


def run(place: Place) -> dict[str, Any]:
    """CPU seconds of each form."""
    folder = place.folder / "declared"
    folder.mkdir()
    for number, form in enumerate(FORMS.values()):
        form.write(folder / str(number))
    spent = dict[str, list[float]]((name, []) for name in FORMS)
    for _ in range(ROUNDS + 1):
        for number, (name, form) in enumerate(FORMS.items()):
            spent[name].append(_land(form, folder / str(number), folder / "lake"))
    return {name: median(seconds[1:]) for name, seconds in spent.items()}  # the first ones are slower


def _land(form: Form, written: Path, lake: Path) -> float:
    """CPU seconds to make a raw object of a file. Reading replaces the file, so it is a copy."""
    (source,) = parse(f"[[source]]\nname = 'sender'\nkeys = '*'\n{form.declared}").declared
    file = written.with_suffix(".landed")
    file.write_bytes(written.read_bytes())
    version = FileVersion("bench", "landing/orders.csv", "etag", file.stat().st_size, _LANDED_AT)
    origin = Origin.of(version, "UTC", source, None, _LANDED_AT)
    started = process_time()
    made = raw_objects.write_object(FolderLake(str(lake)), file, origin)
    seconds = process_time() - started
    assert made.raw.clean_rows > ORDERS.count * 0.99
    return seconds
