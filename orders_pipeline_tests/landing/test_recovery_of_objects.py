"""`orders-pipeline recover` finds missing and damaged objects of the lake, and reports unrecoverable files."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.restoration import DAY, Restoration, keys


@pytest.mark.parametrize("damage", ["footer", "rows"])
def test_a_damaged_object_is_named_and_the_version_before_it_counts(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    restoration.land("a.csv", f"1,ann,9.99,{DAY}")
    restoration.pipeline.sync()
    restoration.expire("a.csv")
    ((path,),) = restoration.pipeline.query("SELECT path FROM ledger.landed_files WHERE active")
    lying = Path(s3.lake().uri) / str(path)
    content = lying.read_bytes()
    lying.write_bytes(content[:-9] if damage == "footer" else content[:4] + bytes(300) + content[304:])

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    recovered = call("recover")

    assert recovered.exit_code == 1
    assert f"damaged {path}" in recovered.output
    assert restoration.pipeline.sync().is_complete
    assert restoration.pipeline.revenue() == {DAY: ("1.10", 1)}


def test_a_file_whose_object_is_gone_is_found_in_another_object_or_on_s3_or_said_to_be_lost(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the backup the rules were raised: files were judged again, into objects that it does not know."""
    for number, name in enumerate(["lake.csv", "landed.csv", "lost.csv"]):
        restoration.land(name, f"{number},ann,1.0{number},{DAY}")
    restoration.change_table("INSERT INTO orders VALUES ('t', 'eve', 5, '2026-03-06')")
    restoration.pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    with monkeypatch.context() as newer:
        newer.setitem(CODE_VERSIONS, "raw_orders", CODE_VERSIONS["raw_orders"] + 1)
        restoration.pipeline.sync()
    restoration.lose_what_counts_no_more()
    restoration.expire("lake.csv", "lost.csv")
    for (path,) in restoration.pipeline.query("SELECT path FROM ledger.landed_files WHERE key <> 'landing/lake.csv'"):
        s3.lake().delete(path)

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    recovered = call("recover")

    assert recovered.exit_code == 1
    assert keys(recovered.output) == ["landing/lake.csv"]
    assert "object missing or damaged, will be read again: landing/landed.csv" in recovered.output
    assert "object missing or damaged, will be read again: table:orders/2026-03-06" in recovered.output
    assert "lost landing/lost.csv" in recovered.output
    assert call("retract", "landing/lost.csv").exit_code == 0
    assert restoration.pipeline.sync().is_complete
    assert restoration.pipeline.revenue() == {DAY: ("2.01", 2), "2026-03-06": ("5.00", 1)}


def test_a_file_whose_object_is_gone_and_whose_newer_version_cannot_be_read_is_said_to_be_lost(
    restoration: Restoration,
) -> None:
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    restoration.land_bytes("a.csv", b"nonsense\n")
    restoration.pipeline.sync()
    ((path,),) = restoration.pipeline.query("SELECT path FROM ledger.landed_files WHERE active")
    s3.lake().delete(path)

    recovered = call("recover")

    assert recovered.exit_code == 1
    assert "lost landing/a.csv" in recovered.output


def test_an_old_version_is_not_taken_up_again_by_an_object_that_is_gone(
    restoration: Restoration, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")
    restoration.pipeline.sync()
    restoration.land("a.csv", f"1,ann,2.20,{DAY}")
    restoration.pipeline.sync()
    backup = stack.enter_context(restoration.backup())
    restoration.lose_what_counts_no_more()
    restoration.land("a.csv", f"1,ann,1.10,{DAY}")

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)

    assert call("recover").exit_code == 0
    assert restoration.pipeline.sync().is_complete
    restoration.assert_exact()
