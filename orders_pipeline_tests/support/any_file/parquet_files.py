"""Parquet."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa

from orders_pipeline_tests.support.any_file.case import DAY, T0, Case, loaded, parquet, quarantined

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CASES = [
    # 17: Parquet
    Case(
        "typed",
        parquet(
            order_id=pa.array([7_001, 7_002, 7_003], pa.int64()),
            amount=pa.array([Decimal("1.50"), Decimal("-0.10"), None], pa.decimal128(18, 2)),
            order_date=pa.array([datetime(2026, 3, 4, 1, 2, 3, 4), datetime(2026, 3, 4), None], pa.timestamp("us")),
            basket=[[{"sku": "a"}], None, []],
        ),
        orders={"7001": ("ann", "1.50", f"{DAY} 01:02:03.000004"), "7002": ("ann", "-0.10", T0)},
        rejects=((3, "amount_missing"),),
    ),
    Case(
        "zoned",
        parquet(
            order_id=["zoned-1"],
            order_date=pa.array([NOON.astimezone(timezone(timedelta(hours=9)))], pa.timestamp("us", "Asia/Tokyo")),
        ),
        orders={"zoned-1": ("ann", "1.50", f"{DAY} 12:00:00")},
    ),
    loaded("dates", parquet(order_id=["dates-1"], order_date=[date(2026, 3, 4)]), "dates-1"),
    loaded(
        "old times",
        parquet({"use_deprecated_int96_timestamps": True}, order_id=["int96-1"], order_date=[datetime(2026, 3, 4)]),
        "int96-1",
    ),
    loaded(
        "nanoseconds",
        parquet(
            order_id=["ns-1", "ns-2"],
            order_date=pa.array([1772582400 * 10**9, 1772582400 * 10**9 + 1], pa.timestamp("ns")),
        ),
        "ns-1",
        "ns-2",
    ),
    loaded(
        "absurd times",
        parquet(order_id=["far-1", "far-2"], order_date=pa.array([1772582400000, 2**62], pa.timestamp("ms"))),
        "far-1",
        rejects=[(2, "order_date_unreadable")],
    ),
    loaded(
        "floats",
        parquet(
            order_id=[f"float-{i}" for i in range(6)], amount=[1.5, 0.1 + 0.2, float("nan"), float("inf"), 1e300, 1.005]
        ),
        "float-0",
        rejects=[(n, "amount_not_decimal") for n in range(2, 7)],
    ),
    loaded("small floats", parquet(order_id=["f32-1"], amount=pa.array([1.5], pa.float32())), "f32-1"),
    loaded("float ids", parquet(order_id=[8_001.0, None]), "8001", rejects=[(2, "order_id_missing")]),
    loaded(
        "odd types",
        parquet(
            {"data_page_version": "2.0", "compression": "zstd"},
            order_id=pa.array(["odd-1"]).dictionary_encode(),
            customer_id=pa.array(["ann"], pa.large_string()),
            amount=pa.array([b"1.50"], pa.large_binary()),
            extra=pa.array([5], pa.duration("ns")),
            flag=[True],
            none=pa.nulls(1),
        ),
        "odd-1",
    ),
    loaded(
        "bytes of other text",
        parquet(order_id=[b"bytes-1", b"bytes-2"], customer_id=[b"ann", b"\xf6"]),
        "bytes-1",
        rejects=[(2, "not_utf8")],
    ),
    quarantined("lists as ids", parquet(order_id=[["x"]]), "column_type", "order_id"),
    loaded(
        "no row groups",
        parquet(
            order_id=pa.array([], pa.string()),
            customer_id=pa.array([], pa.string()),
            amount=pa.array([], pa.string()),
            order_date=pa.array([], pa.string()),
        ),
    ),
]
