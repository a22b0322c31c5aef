"""Whatever lands: real bytes through the whole pipeline, and what the ledger, the rejects and the marts say of them.

The cases are rows of one table. All of them land at once in one pipeline (those with a version before, in two steps),
so that each also proves that it disturbs no other. docs/landing.md has the rules that they are examples of.
"""

import bz2
import json
import lzma
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.schema import REASONS
from orders_pipeline.validation import LONGEST_TEXT
from orders_pipeline_tests.support.driver import Pipeline, check_results, gzipped

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


ID35 = "x" * 35
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)

CASES = [
    # 1 to 3: nothing in it
    Case(
        "zero bytes", b"", IGNORED, "empty", before=(H + row("zero-1")).encode(), orders={"zero-1": ("ann", "1.50", T0)}
    ),
    Case("gzip of nothing", gzipped(b""), IGNORED, "empty"),
    loaded("header only", H, before=(H + row("taken-back-1")).encode()),
    Case("folder", b"", IGNORED, "empty", key="folder/"),
    Case("folder with bytes", H.encode(), IGNORED, "empty", key="folder-with-bytes/"),
    # 4, 5: encodings
    loaded("mark", "\ufeff" + H + row("mark-1"), "mark-1"),
    loaded(
        "cp1252 row",
        H.encode() + b"cp-1,J\xf6rg,1.50,2026-03-04\n" + row("cp-2").encode(),
        "cp-2",
        rejects=[(2, "not_utf8")],
    ),
    quarantined("cp1252 header", b"Gr\xf6\xdfe," + H.encode(), "encoding_not_utf8", "header"),
    quarantined("cp1252 rows", H.encode() + b"9,J\xf6rg,1,2026-03-04\n" * 30, "mostly_unreadable", "30 of 30"),
    quarantined("utf-16", (H + row("u")).encode("utf-16"), "encoding_not_utf8", "UTF-16"),
    quarantined("utf-16 unmarked", (H + row("u")).encode("utf-16-le"), "encoding_not_utf8", "UTF-16"),
    quarantined("utf-32", (H + row("u")).encode("utf-32"), "encoding_not_utf8", "UTF-16"),
    # 6 to 9: quotes, fields, lines
    Case(
        "quotes",
        (H + 'quotes-1,"ann ""the"" first, of\nher name",1.50,2026-03-04\n' + row("quotes-2", "x")).encode(),
        orders={"quotes-1": ('ann "the" first, of\nher name', "1.50", T0)},
        rejects=((4, "amount_not_decimal"),),
    ),
    quarantined("unclosed quote", H + 'open-1,"ann,1.50,2026-03-04\n' + row("open-2"), "csv_unreadable", "Line 3"),
    quarantined("after a quote", H + 'after-1,"ann"x,1.50,2026-03-04\n', "csv_unreadable", "Line 2"),
    loaded(
        "field count",
        H + "fields-1,ann,1.50\nfields-2,ann,1,50,2026-03-04\n" + row("fields-3"),
        "fields-3",
        rejects=[(2, "field_count"), (3, "field_count")],
    ),
    loaded(
        "trailing delimiter",
        H + row("trail-1").replace("\n", ",\n") + row("trail-2"),
        "trail-2",
        rejects=[(2, "field_count")],
    ),
    loaded(
        "blank lines",
        "\n" + H + "\n   \n" + row("blank-1") + "\r\n\n" + row("blank-2", "?"),
        "blank-1",
        rejects=[(8, "amount_not_decimal")],
    ),
    loaded(
        "carriage returns",
        (H + row("cr-1") + row("cr-2", "?")).replace("\n", "\r"),
        "cr-1",
        rejects=[(3, "amount_not_decimal")],
    ),
    loaded(
        "mixed line ends",
        H.replace("\n", "\r\n") + row("mixed-1").replace("\n", "\r") + row("mixed-2"),
        "mixed-1",
        "mixed-2",
    ),
    loaded("odd line ends", H + row("odd\u2028\x0b\x85-1") + row("odd-2"), "odd\u2028\x0b\x85-1", "odd-2"),
    loaded("no last line end", (H + row("nolast-1")).rstrip(), "nolast-1"),
    # 10 to 13: headers
    loaded("order and case", "Amount, ORDER_DATE ,Customer_ID,order_ID\n1.50,2026-03-04,ann,case-1\n", "case-1"),
    loaded("extra columns", H.replace("\n", ",note,_source,\n") + row("extra-1").replace("\n", ",<b>,x,\n"), "extra-1"),
    quarantined(
        "column missing",
        "order_id,total,order_date\n1,2,3\n",
        "column_missing",
        "customer_id, amount. Found: order_id, total, order_date",
    ),
    quarantined("empty column name", "order_id,,amount,order_date\n1,2,3,4\n", "column_missing", "customer_id"),
    quarantined("column twice", "order_id," + H, "column_twice", "order_id"),
    quarantined("no header", row("no-1"), "column_missing", "order_id"),
    quarantined("blank", "\n \n", "column_missing", "nothing"),
    quarantined("too wide", H.replace("\n", ",x" * 2000 + "\n"), "too_many_columns", "1000"),
    *(
        loaded(f"delimiter {name}", (H + row(f"del-{name}-1")).replace(",", mark), f"del-{name}-1")
        for name, mark in {"semicolon": ";", "tab": "\t", "pipe": "|"}.items()
    ),
    quarantined("other delimiter", (H + row("x")).replace(",", "^"), "column_missing", "order_id"),
    quarantined(
        "two delimiters",
        "order_id;customer_id;amount;order_date;a,order_id,customer_id,amount,order_date,b\n",
        "delimiter_unclear",
        "';'",
    ),
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
    # 18, 19: JSON
    loaded("json lines", as_json("jl-1") + "\n\n" + as_json("jl-2"), "jl-1", "jl-2"),
    Case(
        "json numbers",
        b'{"order_id": 9007199254740993, "customer_id": "ann", "amount": 1.10, "order_date": "2026-03-04"}\n',
        orders={"9007199254740993": ("ann", "1.10", T0)},
    ),
    loaded(
        "json array", f"[{as_json('ja-1')},\n 5, {as_json('ja-2')}]", "ja-1", "ja-2", rejects=[(2, "not_an_object")]
    ),
    loaded("empty array", " [ ]\n"),
    loaded(
        "json rejects",
        "\n".join(
            [
                as_json("jr-1"),
                "no json",
                "[1]",
                as_json("jr-2")[:-1] + ', "amount": 2}',
                as_json(["x"]),
                as_json("\ud83d"),
                as_json("jr-3", amount="1E2"),
                "",
            ]
        ),
        "jr-1",
        rejects=[
            (2, "json_unreadable"),
            (3, "not_an_object"),
            (4, "key_twice"),
            (5, "nested_value"),
            (6, "not_utf8"),
            (7, "amount_not_decimal"),
        ],
    ),
    quarantined("json cut", as_json("x") + '\n{"order_id": "0', "json_truncated", "(2)"),
    quarantined("array cut", f"[{as_json('x')},", "json_unreadable", "array"),
    quarantined("array with more", f"[{as_json('x')}] 1", "json_unreadable", "follows"),
    quarantined("deep", "[" * 100_000, "json_unreadable", "deep"),
    # 20 to 23: values
    loaded(
        "missing",
        H + ",ann,1.50,2026-03-04\nm-2, ,1.50,2026-03-04\nm-3,ann,null,2026-03-04\nm-4,ann,1.50,n/A\n" + row("m-5"),
        "m-5",
        rejects=[(2, "order_id_missing"), (3, "customer_id_missing"), (4, "amount_missing"), (5, "order_date_missing")],
    ),
    loaded(
        "amounts that are none",
        H
        + "".join(
            row(f"am-{n}", f'"{amount}"')
            for n, amount in enumerate(
                [
                    "1,234.50",
                    "12.345",
                    "1e3",
                    "$5",
                    "9" * 30,
                    "١٢",
                    "1_000",
                    ".5",
                    "5.",
                    "--1",
                    "0x1",
                    "1 000",
                    "NaN",
                    "-",
                    "1\n2",
                ],
                start=1,
            )
        ),
        rejects=[(n, "amount_not_decimal") for n in range(2, 17)],
    ),
    Case(
        "amounts",
        (
            H
            + "".join(
                row(f"ok-{n}", amount)
                for n, amount in enumerate(
                    ["+5", "-0.00", "007.10", " 12.500 ", "9999999999999999.99", "-0.01"], start=1
                )
            )
        ).encode(),
        orders={
            f"ok-{n}": ("ann", amount, T0)
            for n, amount in enumerate(["5.00", "0.00", "7.10", "12.50", "9999999999999999.99", "-0.01"], start=1)
        },
    ),
    Case(
        "times",
        (
            H
            + "".join(
                row(f"t-{n}", day=day)
                for n, day in enumerate(
                    [
                        "2026-03-04T23:30:00Z",
                        "2026-03-05 01:30:00+02:00",
                        "2026-03-04T10:00",
                        "2026-03-04T10:00:00.5",
                        "2026-03-03T23:59:59.123456-0001",
                    ],
                    start=1,
                )
            )
        ).encode(),
        orders={
            f"t-{n}": ("ann", "1.50", time)
            for n, time in enumerate(
                [
                    f"{DAY} 23:30:00",
                    f"{DAY} 23:30:00",
                    f"{DAY} 10:00:00",
                    f"{DAY} 10:00:00.500000",
                    f"{DAY} 00:00:59.123456",
                ],
                start=1,
            )
        },
    ),
    loaded(
        "times that are none",
        H
        + "".join(
            row(f"tn-{n}", day=day)
            for n, day in enumerate(
                [
                    "04/03/2026",
                    "2026-02-30",
                    "20260304",
                    "2026-3-4",
                    "0001-01-01",
                    "9999-12-31",
                    "2026-03-04T25:00",
                    "today",
                    "2026-03-04T10:00:00.",
                    "1772582400",
                ],
                start=1,
            )
        ),
        rejects=[(n, "order_date_unreadable") for n in range(2, 12)],
    ),
    loaded("zeros", H + row("00123") + row("123") + row(" 123"), "00123", "123", " 123"),
    loaded(
        "nul",
        H + row("nul\x00-1") + row("nul-2", "1\x00") + row("nul-3"),
        "nul-3",
        rejects=[(2, "nul_character"), (3, "amount_not_decimal")],
    ),
    # 24 to 27: the same again
    Case(
        "twice", (H + row("twice-1", "1.00") + row("twice-1", "2.00")).encode(), orders={"twice-1": ("ann", "2.00", T0)}
    ),
    Case(
        "winner a",
        (H.replace("\n", ",updated_at\n") + "won-1,ann,3.00,2026-03-04,2026-03-05\n").encode(),
        orders={"won-1": ("ann", "3.00", T0)},
    ),
    Case("winner b", (H.replace("\n", ",updated_at\n") + "won-1,ann,4.00,2026-03-04,2026-03-04\n").encode()),
    Case("same bytes a", (H + row("same-1")).encode()),
    loaded("same bytes b", H + row("same-1"), "same-1"),
    loaded("sent again", H + row("again-1"), "again-1", before=(H + row("again-1")).encode()),
    Case(
        "moved",
        (H + row("moved-1", day="2026-03-06")).encode(),
        before=(H + row("moved-1")).encode(),
        orders={"moved-1": ("ann", "1.50", "2026-03-06 00:00:00")},
    ),
    quarantined(
        "bad version",
        "nonsense\n",
        "column_missing",
        "order_id",
        before=(H + row("kept-1")).encode(),
        orders={"kept-1": ("ann", "1.50", T0)},
    ),
    # 28, 29: keys and values
    *(
        loaded(
            f"key {n}",
            H + row(f"key-{n}-1") + row(f"key-{n}-2", ""),
            f"key-{n}-1",
            rejects=[(3, "amount_missing")],
            key=key,
        )
        for n, key in enumerate(
            [
                "with space + plus.csv",
                "100%41.csv",
                "ünï©ode/日本.csv",
                "'; drop table orders; --.csv",
                "<script>alert(1)</script>.csv",
                "a|b`c*d_[e](f).csv",
            ]
        )
    ),
    Case(
        "markup and SQL",
        (H + "mark'; drop table x; --,<script>alert(1)</script>,1.50,2026-03-04\n").encode(),
        orders={"mark'; drop table x; --": ("<script>alert(1)</script>", "1.50", T0)},
    ),
    quarantined("markup in a header", "<b>x</b>,y\n", "format_unsupported", "XML or HTML"),
    # names that Polars takes for patterns
    loaded("star", H.replace("\n", ",*,^a$,^order_.*$\n") + row("star-1").replace("\n", ",v,w,x\n"), "star-1"),
    loaded("star in JSON", as_json("star-2", **{"*": 1, "^.*$": [2]}), "star-2"),
    loaded("star in Parquet", parquet(order_id=["star-3"], **{"*": [1]}), "star-3"),
    # numbers with and without an exponent, ids that are no text
    Case(
        "floats of pandas",
        parquet(order_id=["pandas-1", "pandas-2"], customer_id=[12345678901.0, 1e10], amount=[1.5, 20000000000.25]),
        orders={"pandas-1": ("12345678901", "1.50", T0), "pandas-2": ("10000000000", "20000000000.25", T0)},
    ),
    Case(
        "zeros of BigQuery",
        parquet(
            order_id=["zero-of-9", "zero-of-9b"], amount=pa.array([Decimal(0), Decimal("0.01")], pa.decimal128(38, 9))
        ),
        orders={"zero-of-9": ("ann", "0.00", T0), "zero-of-9b": ("ann", "0.01", T0)},
    ),
    loaded("UUIDs", parquet(order_id=pa.array([b"\x11" * 16], pa.uuid())), "11111111-1111-1111-1111-111111111111"),
    # columns that nobody uses, with values that Python has no word for
    *(
        loaded(f"odd {kind}", parquet(order_id=[f"odd-{kind}"], x=pa.array([[value]], pa.list_(kind))), f"odd-{kind}")
        for kind, value in [(pa.timestamp("us"), 2**62), (pa.timestamp("us", "Foo/Bar"), 0), (pa.date32(), 2**31 - 1)]
    ),
    # what others write
    quarantined(
        "cut in a character", (as_json("cut-8") + '\n{"order_id": "M\u00e4').encode()[:-1], "json_truncated", "line (2)"
    ),
    loaded("pretty JSON", json.dumps(json.loads(as_json("pretty-1")), indent=2) + "\n", "pretty-1"),
    loaded("array under a key", json.dumps({"orders": [json.loads(as_json("wrapped-1"))]}), "wrapped-1"),
    quarantined(
        "log of changes", "Op," + H + "I," + row("dms-1") + "D," + row("dms-1"), "format_unsupported", "line 3"
    ),
    loaded(
        "empty rows of Excel",
        H + row("rows-1") + ",,,\n" * 30 + row("?", "?"),
        "rows-1",
        rejects=[(33, "amount_not_decimal")],
    ),
    loaded(
        "no ids",
        H + row("nan") + row("#REF!") + row("ids-1"),
        "ids-1",
        rejects=[(2, "order_id_missing"), (3, "order_id_missing")],
    ),
    quarantined("objects in one line", as_json("one-1") + as_json("one-2"), "json_unreadable", "jq -c"),
    loaded(
        "NaN of pandas",
        f'{as_json("nan-1")[:-1]}, "updated_at": NaN}}\n{as_json("x").replace(chr(34) + "x" + chr(34), "NaN")}\n'
        f"{as_json('x').replace(chr(34) + 'x' + chr(34), 'Infinity')}\n",
        "nan-1",
        rejects=[(2, "order_id_missing"), (3, "json_unreadable")],
    ),
    loaded("null of MySQL", H + row("mysql-1") + row("\\N"), "mysql-1", rejects=[(3, "order_id_missing")]),
    loaded(
        "delimiter of Excel",
        "sep=;\n" + (H + row("excel-1") + row("excel-2", "?")).replace(",", ";"),
        "excel-1",
        rejects=[(4, "amount_not_decimal")],
    ),
    loaded("two marks", "\ufeff\ufeff" + H + row("marks-1"), "marks-1"),
    loaded("UTC", H + row("utc-1", day=f"{DAY} 00:00:00 UTC"), "utc-1"),
    loaded("skipped frame", b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + zstd(H + row("skipped-1")), "skipped-1"),
    loaded(
        "offset beyond 14 hours",
        H + row("offset-1") + row("x", day=f"{DAY}T00:00+14:01"),
        "offset-1",
        rejects=[(3, "order_date_unreadable")],
    ),
    quarantined(
        "long unclosed quote", H + 'open-3,"ann,1.50,2026-03-04\n' + row("open-4") * 50_000, "csv_unreadable", "line 2"
    ),
    quarantined(
        "nested footer",
        b"PAR1" + b"\x19" * 3000 + (3000).to_bytes(4, "little") + b"PAR1",
        "parquet_unreadable",
        "Parquet",
    ),
    # a long field, and mostly bad files
    loaded(
        "long field",
        H.replace("\n", ",note\n")
        + row("long-1").replace("\n", f",{'x' * 200_000}\n")
        + row("long-2", "?").replace("\n", f",{'y' * 200_000}\n"),
        "long-1",
        rejects=[(3, "amount_not_decimal")],
    ),
    quarantined("mostly bad", H + row("bad-0") * 9 + row("bad", "?") * 11, "mostly_unreadable", "11 of 20"),
    loaded(
        "half bad",
        H + "".join(row(f"half-{n}") for n in range(10)) + row("half", "?") * 10,
        *(f"half-{n}" for n in range(10)),
        rejects=[(n, "amount_not_decimal") for n in range(12, 22)],
    ),
    loaded(
        "mostly missing",
        H + row("gone", "") * 30 + row("gone-1"),
        "gone-1",
        rejects=[(n, "amount_missing") for n in range(2, 32)],
    ),
    # 30: many rows; many files are the other cases
    Case(
        "many rows",
        (H + "".join(row(f"many-{n}", "0.01") for n in range(60_000))).encode(),
        orders={f"many-{n}": ("ann", "0.01", T0) for n in range(60_000)},
    ),
]


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    """The key of each case, below the landing prefix."""
    return {case.name: case.key or f"{case.name}.csv" for case in CASES}


def test_every_case_has_a_name_and_a_key_of_its_own(keys: dict[str, str]) -> None:
    assert len({case.name for case in CASES}) == len(set(keys.values())) == len(CASES)
    assert {reason for case in CASES for _, reason in case.rejects} == set(REASONS) - {"updated_at_unreadable"}


def test_any_file(pipeline: Pipeline, keys: dict[str, str]) -> None:
    for case in CASES:
        if case.before is not None:
            pipeline.land(keys[case.name], case.before)
    pipeline.sync()
    for case in CASES:
        if case.before != case.file:
            pipeline.land(keys[case.name], case.file)
    synced = pipeline.sync()

    assert synced.is_complete
    prefix = s3.prefix
    ledger: dict[str, Any] = {
        key: (status, reason, message)
        for key, status, reason, message in pipeline.query(
            "SELECT key, status, reason, message FROM ledger.landed_files ORDER BY id"
        )
    }
    orders = _by_source(pipeline)
    rejects: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for source, number, reason, text in pipeline.rejected():
        rejects[source].append((number, reason))
        assert 0 < len(text) <= LONGEST_TEXT
    wrong = {}
    for case in CASES:
        key = prefix + keys[case.name]
        status, reason, message = ledger[key]
        found = (status, reason, orders.get(key, {}), tuple(rejects.get(key, ())))
        if found != (case.status, case.reason, case.orders, case.rejects) or case.says not in (message or ""):
            wrong[case.name] = (*found[:2], dict(list(found[2].items())[:5]), found[3][:20], message)
    assert not wrong
    _check_marts(pipeline)
    _check_what_people_see(pipeline, synced.failed_checks, prefix + keys["key 4"])


def _by_source(pipeline: Pipeline) -> dict[str, dict[str, tuple[str, str, str]]]:
    found: defaultdict[str, dict[str, tuple[str, str, str]]] = defaultdict(dict)
    for order in pipeline.lake_frame("cleaned_orders").to_dicts():
        time = order["order_date"].isoformat(sep=" ")
        found[order["_source"]][order["order_id"]] = (order["customer_id"], str(order["amount"]), time)
    return found


def _check_marts(pipeline: Pipeline) -> None:
    due: defaultdict[str, list[Decimal]] = defaultdict(list)
    spent: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for case in CASES:
        for customer, amount, time in case.orders.values():
            due[time[:10]].append(Decimal(amount))
            spent[time[:10], customer] += Decimal(amount)
    assert pipeline.revenue() == {day: (str(sum(amounts)), len(amounts)) for day, amounts in due.items()}
    assert pipeline.spend() == {place: str(amount) for place, amount in spent.items()}


def _check_what_people_see(pipeline: Pipeline, failed: dict[str, str], script: str) -> None:
    status = pipeline.status()
    assert len(status.quarantined) == sum(case.status == QUARANTINED for case in CASES)
    empty = [file for file in status.ignored if file.still_counts]
    assert len(empty) == sum(case.status == IGNORED and bool(case.orders) for case in CASES)
    aside = {file.key: file for file in [*status.quarantined, *empty]}
    result = pipeline.run("s3_arrival")
    checks = check_results(result)
    table = checks["landed_files_are_readable"].metadata["Files not loaded"].value
    assert {(r.data["file"], r.data["bytes"], r.data["reason"]) for r in table.records} == {
        (file.key, file.size, file.reason) for file in aside.values()
    }
    few = checks["few_rows_are_rejected"]
    assert not few.passed
    assert "mostly missing.csv: 30 of 31 (amount_missing 30)" in (few.description or "")
    assert "<script>" not in " ".join([*failed.values(), few.description or ""])
    assert pipeline.query("SELECT count(*) FROM analytics.rejected_orders WHERE source = :key", key=script) == [(1,)]
