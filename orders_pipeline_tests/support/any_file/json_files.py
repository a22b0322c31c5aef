"""JSON."""

from orders_pipeline_tests.support.any_file.case import T0, Case, as_json, loaded, quarantined

CASES = [
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
]
