"""Source tables of any columns, and what the pipeline sees of them."""

import csv
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from orders_pipeline.definitions import postgres
from orders_pipeline.landing.source_table import Snapshot, snapshot
from orders_pipeline.settings import Settings

DAY = "2026-03-04"
ORDERS = "order_id text, customer_id text, amount numeric(18,2), order_date timestamp"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def execute(*statements: str) -> None:
    """Each statement as it is: in SQLAlchemy's own texts a colon begins a parameter."""
    with postgres.engine().begin() as transaction:
        cursor: Any = transaction.connection.cursor()
        for statement in statements:
            cursor.execute(statement)


def settings_of(url: str, table: str = "orders") -> Settings:
    return Settings(source_url=SecretStr(url), source_table=table)


def etags(seen: Snapshot | None) -> dict[str, str]:
    assert seen is not None
    return {version.key: version.etag for version in seen.versions()}


def copied_rows(url: str, folder: Path, table: str = "orders") -> list[dict[str, str]]:
    """What is copied of all days of a table."""
    with snapshot(settings_of(url, table)) as seen:
        assert seen is not None
        files = seen.copy_days([version.key for version in seen.versions()], folder)
    return [row for path in files.values() for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]
