"""Files of orders, and the rows that are read from them."""

from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from orders_pipeline.formats.detect import read_rows

HEADER = b"order_id,customer_id,amount,order_date\n"
ORDER = ["order_id", "customer_id", "amount", "order_date"]


def read(tmp_path: Path, content: bytes) -> list[dict[str, Any]]:
    file = tmp_path / "file"
    file.write_bytes(content)
    return [row for batch in read_rows(file) for row in batch.to_dicts()]


def fields(rows: list[dict[str, Any]]) -> list[list[Any]]:
    return [[row[name] for name in ORDER] for row in rows]


def parquet(**columns: Any) -> bytes:
    buffer = BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


ONE_ROW = [["007", "ann", "1.50", "2026-03-04"]]
JSON_ROW = {"order_id": "007", "customer_id": "ann", "amount": "1.50", "order_date": "2026-03-04"}
