"""What counts of each sender, as the page of `raw_orders` shows it."""

from pathlib import Path

import dagster as dg

from orders_pipeline.ledger import declarations, reports
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

ASSET = dg.AssetKey("raw_orders")
DAY = "2026-03-04"
DECLARATION = """
[[source]]
name = "acme"
keys = "landing/*acme*"
decimal = ","
drop = { state = ["cancelled"] }

[[source]]
name = "acme-old"
keys = "landing/old/*acme*"
"""


def test_each_sender_has_its_files_rows_and_declared_fields(pipeline: Pipeline, tmp_path: Path) -> None:
    declaration = tmp_path / "sources.toml"
    declaration.write_text(DECLARATION)
    call("sources", "apply", str(declaration))
    header = "order_id,customer_id,amount,order_date,state"
    rows = f'1,ann,"1,50",{DAY},paid', f'2,ann,"2,50",{DAY},cancelled', f"3,ann,1.50,{DAY},paid"
    pipeline.land_rows("x/acme.csv", *rows, header=header)
    pipeline.land_rows("y/acme.csv", f'4,ann,"1,50",{DAY},paid', header=header)
    pipeline.land_rows("old/acme.csv", f"5,ann,1.50,{DAY}")
    for day in (DAY, "2026-03-05"):
        pipeline.land_rows(f"shop/{day}/orders.csv", f"{day},bob,1.00,{day}")
    pipeline.land_rows("shop_/orders.csv", f"6,bob,1.00,{DAY}")
    assert pipeline.sync().is_complete

    with pipeline.connect() as connection:
        found = reports.by_sender(connection, declarations.current(connection))

    assert {name: (sender.files, dict(+sender.rows), sender.declares) for name, sender in found.items()} == {
        "acme": (2, {"counts": 2, "void": 1, "rejected": 1}, ("decimal", "drop")),
        "acme-old": (1, {"counts": 1}, ()),
        "landing/shop/": (2, {"counts": 2}, ()),
        "landing/shop_/": (1, {"counts": 1}, ()),
    }
    landed = {sender.last_landed for sender in found.values()}
    assert None not in landed
    shown = pipeline.instance.get_latest_materialization_event(ASSET)
    assert shown is not None
    assert shown.asset_materialization is not None
    table = shown.asset_materialization.metadata["Sources"].value
    assert [record.data["source"] for record in table.records] == list(found)
