"""Compression, and formats that are not read."""

import bz2
import lzma

from orders_pipeline_tests.support.any_file.case import (
    H,
    loaded,
    parquet,
    quarantined,
    row,
    zipped,
    zstd,
)
from orders_pipeline_tests.support.driver import gzipped

CASES = [
    # 14 to 16: compression; a bomb is told in test_limits
    loaded("gzip", gzipped((H + row("gzip-1")).encode()), "gzip-1", key="gzip.csv"),
    loaded("no gzip", H + row("nogzip-1"), "nogzip-1", key="plain.csv.gz"),
    loaded("gzip members", gzipped(H.encode()) + gzipped(row("member-1").encode()), "member-1"),
    loaded("zstd frames", zstd(H) + zstd(row("frame-1")), "frame-1"),
    loaded("gzipped Parquet", gzipped(parquet(order_id=["gzpq-1"])), "gzpq-1"),
    quarantined("gzip cut", gzipped((H + row("x") * 99).encode())[:-9], "compression_broken", "whole"),
    quarantined("gzip with more", gzipped((H + row("x")).encode()) + b"more", "compression_broken", "gzip"),
    quarantined("zstd cut", zstd(H + row("x") * 99)[:-5], "compression_broken", "whole"),
    quarantined("gzip twice", gzipped(gzipped(H.encode())), "compressed_twice", "once"),
    quarantined("Parquet cut", parquet(order_id=["x"])[:-20], "parquet_unreadable", "Parquet"),
    quarantined(
        "Parquet footer",
        parquet(order_id=["x"])[:-60] + b"\xff" * 52 + b"\x00\x00\x00PAR1",
        "parquet_unreadable",
        "Parquet",
    ),
    quarantined("workbook or zip", zipped(), "format_unsupported", "Excel"),
    quarantined("bzip2", bz2.compress(H.encode()), "format_unsupported", "bzip2"),
    quarantined("xz", lzma.compress(H.encode()), "format_unsupported", "xz"),
    quarantined("web page", b"\n<!DOCTYPE html><html><body>Log in</body></html>", "format_unsupported", "HTML"),
    quarantined("xml", b'<?xml version="1.0"?><orders/>', "format_unsupported", "XML"),
    quarantined("pdf", b"%PDF-1.7\n%\xe2\xe3", "format_unsupported", "PDF"),
]
