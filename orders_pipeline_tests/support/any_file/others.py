"""Odd keys and values, what other programs write, long fields and many rows."""

import json
from decimal import Decimal

import pyarrow as pa

from orders_pipeline_tests.support.any_file.case import (
    DAY,
    T0,
    Case,
    H,
    as_json,
    loaded,
    parquet,
    quarantined,
    row,
    zstd,
)

CASES = [
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
