"""A file that lands, and what becomes of it."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LOADED, QUARANTINED, IGNORED = "loaded", "quarantined", "ignored"
H = "order_id,customer_id,amount,order_date\n"
DAY = "2026-03-04"
T0 = f"{DAY} 00:00:00"


@dataclass(frozen=True)
class Case:
    """A file, and what becomes of it. `orders` are (customer, amount, time), `rejects` (row, reason) by row."""

    name: str
    file: bytes
    status: str = LOADED
    reason: str | None = None
    says: str = ""
    orders: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    rejects: tuple[tuple[int, str], ...] = ()
    before: bytes | None = None
    key: str = ""


def loaded(name: str, file: str | bytes, *ids: str, rejects: Sequence[tuple[int, str]] = (), **more: Any) -> Case:
    """A case whose orders are worth 1.50 each on DAY, of the customer ann."""
    content = file.encode() if isinstance(file, str) else file
    return Case(name, content, orders=dict.fromkeys(ids, ("ann", "1.50", T0)), rejects=tuple(rejects), **more)


def quarantined(name: str, file: str | bytes, reason: str, says: str, **more: Any) -> Case:
    return Case(name, file.encode() if isinstance(file, str) else file, QUARANTINED, reason, says, **more)


def row(order_id: str, amount: str = "1.50", day: str = DAY, customer: str = "ann") -> str:
    return f"{order_id},{customer},{amount},{day}\n"


def as_json(order_id: Any, **more: Any) -> str:
    return json.dumps({"order_id": order_id, "customer_id": "ann", "amount": "1.50", "order_date": DAY, **more})


def parquet(options: dict[str, Any] | None = None, **columns: Any) -> bytes:
    rows = max(len(values) for values in columns.values())
    given: dict[str, Any] = {"customer_id": ["ann"] * rows, "amount": ["1.50"] * rows, "order_date": [DAY] * rows}
    buffer = BytesIO()
    pq.write_table(pa.table({**given, **columns}), buffer, **(options or {}))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("orders.csv", H + row("zip-1"))
    return buffer.getvalue()


def zstd(content: str) -> bytes:
    return bytes(pa.Codec("zstd").compress(content.encode()).to_pybytes())
