"""Nothing in it, encodings, quotes, lines and headers of delimited text."""

from orders_pipeline_tests.support.any_file.case import IGNORED, T0, Case, H, loaded, quarantined, row
from orders_pipeline_tests.support.driver import gzipped

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
    quarantined("utf-32", (H + row("u")).encode("utf-32"), "encoding_not_utf8", "UTF-32"),
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
]
