"""Values that are missing, exact or no values; the same order again."""

from orders_pipeline_tests.support.any_file.case import DAY, T0, Case, H, loaded, quarantined, row

CASES = [
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
    loaded("long-id", H + row("x" * 1_001) + row("long-id-2"), "long-id-2", rejects=[(2, "id_too_long")]),
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
]
