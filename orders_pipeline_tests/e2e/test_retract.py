"""What a person does with landed files: many at once, all or nothing, and a retraction can be undone."""

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

pytestmark = pytest.mark.e2e

DAY = "2026-03-04"


def land(pipeline: Pipeline, *names: str) -> None:
    """Land and load files with an order of 1.00 each."""
    for name in names:
        pipeline.land_rows(name, f"{name},ann,1.00,{DAY}")
    assert pipeline.sync().is_complete


def revenue(pipeline: Pipeline) -> str | None:
    assert pipeline.sync().is_complete
    return pipeline.revenue().get(DAY, (None, 0))[0]


def lose_the_lake(pipeline: Pipeline) -> None:
    for path in (pipeline.folder / "lake" / "raw_orders").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("named", "left"),
    [
        (["landing/a.csv", "landing/x/b.csv"], "2.00"),
        (["landing/x/*"], "2.00"),
        (["*.csv"], "0.00"),
        (["landing/?.csv", "landing/x*[bc].csv", "landing/a.csv"], "1.00"),
        (["landing/X/*", "landing/a.csv"], None),  # keys are case-sensitive
        (["landing/a.csv", "landing/b.csv"], None),
        (["x/*"], None),
    ],
)
def test_files_are_retracted_by_keys_and_patterns_all_or_none(
    pipeline: Pipeline, named: list[str], left: str | None
) -> None:
    land(pipeline, "a.csv", "x/b.csv", "x/y/c.csv", "z[1].csv")

    said = call("retract", *named)

    assert said.exit_code == (2 if left is None else 0), said.output
    assert ("Nothing was changed" in said.output) == (left is None)
    assert said.output.count("no longer counts") == (0 if left is None else 4 - int(left[0]))
    assert (revenue(pipeline) or "0.00") == (left or "4.00")


def test_a_key_that_looks_like_a_pattern_is_a_key_first(pipeline: Pipeline) -> None:
    land(pipeline, "z[1].csv", "z1.csv", "*")

    assert call("retract", "landing/z[1].csv", "landing/*").exit_code == 0

    assert [key for (key,) in pipeline.query("SELECT key FROM ledger.landed_files WHERE active")] == ["landing/z1.csv"]


def test_a_long_list_is_shortened(pipeline: Pipeline) -> None:
    for number in range(25):
        pipeline.land(f"{number:02}.csv", b"no orders\n")
    pipeline.sync()

    for command in ("retry", "retract"):
        lines = call(command, "landing/*").output.splitlines()
        assert lines[19].startswith("landing/19.csv ")
        assert lines[20:] == ["and 5 more."]


def test_files_are_retried_by_keys_and_patterns_all_or_none(pipeline: Pipeline) -> None:
    land(pipeline, "good.csv")
    for name in ("a.csv", "x/b.csv", "x/c.csv"):
        pipeline.land(name, b"no orders\n")
    pipeline.sync()
    pipeline.remove("x/c.csv")

    for wrong in (["landing/x/c.csv"], ["landing/good.csv"], ["landing/a.csv", "nothing/*"], ["landing/[x]/c*"]):
        assert call("retry", *wrong).exit_code == 2
    assert pipeline.status().pending == []

    assert call("retry", "landing/*").exit_code == 0
    assert pipeline.status().pending == ["landing/a.csv", "landing/x/b.csv"]
    assert call("retry", "landing/*", "--loaded").exit_code == 0
    assert pipeline.status().pending == ["landing/a.csv", "landing/good.csv", "landing/x/b.csv"]


def test_a_retraction_is_undone_from_the_lake(pipeline: Pipeline) -> None:
    land(pipeline, "a.csv", "b.csv")
    before = pipeline.query("SELECT * FROM analytics.daily_revenue_partitioned")
    assert call("retract", "landing/*").exit_code == 0
    assert revenue(pipeline) is None
    for name in ("a.csv", "b.csv"):
        pipeline.remove(name)

    undone = call("retract", "--undo", "landing/a.csv", "landing/b*")

    assert undone.exit_code == 0, undone.output
    assert undone.output.count("counts again") == 2
    assert f"{DAY} will be rebuilt" in undone.output
    assert revenue(pipeline) == "2.00"
    assert pipeline.query("SELECT * FROM analytics.daily_revenue_partitioned") == before
    assert call("retract", "--undo", "landing/a.csv").exit_code == 2


def test_what_counts_again_is_validated_for_today_s_time_zone(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}T23:30:00Z")
    pipeline.sync()
    assert call("retract", "landing/a.csv").exit_code == 0
    monkeypatch.setenv("ORDERS_TIMEZONE", "Europe/Berlin")

    assert call("retract", "--undo", "landing/a.csv").exit_code == 0

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-05": ("1.00", 1)}


def test_a_retraction_is_undone_from_s3_where_the_lake_lost_it(pipeline: Pipeline) -> None:
    land(pipeline, "a.csv")
    assert call("retract", "landing/a.csv").exit_code == 0
    assert pipeline.sync().is_complete
    lose_the_lake(pipeline)

    assert "pending again" in call("retract", "--undo", "landing/a.csv").output

    assert revenue(pipeline) == "1.00"


@pytest.mark.parametrize("change", ["removed", "overwritten", "side file"])
def test_a_retraction_of_what_is_nowhere_any_more_is_not_undone(pipeline: Pipeline, change: str) -> None:
    land(pipeline, "a.csv", "b.csv")
    assert call("retract", "landing/*").exit_code == 0
    assert pipeline.sync().is_complete
    lose_the_lake(pipeline)
    if change == "removed":
        pipeline.remove("b.csv")
    elif change == "overwritten":
        pipeline.land("b.csv", b"another\n")
    else:
        pipeline.execute("UPDATE ledger.landed_files SET key = 'landing/_b.csv' WHERE key = 'landing/b.csv'")

    undone = call("retract", "--undo", "landing/*")

    assert undone.exit_code == 2
    assert "Nothing was changed" in undone.output
    assert pipeline.query("SELECT key FROM ledger.landed_files WHERE status <> 'ignored'") == []


def test_a_dismissed_file_is_read_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}", header="id,customer_id,amount,order_date")
    pipeline.sync()
    assert call("retract", key).exit_code == 0
    assert pipeline.status().quarantined == []
    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", "id=order_id")

    assert "pending again" in call("retract", "--undo", key).output

    assert revenue(pipeline) == "1.00"


def test_an_older_version_counts_again_beside_the_newer_one_that_is_set_aside(pipeline: Pipeline) -> None:
    land(pipeline, "a.csv")
    pipeline.land("a.csv", b"no orders\n")
    pipeline.sync()
    assert call("retract", "landing/a.csv").exit_code == 0
    assert (revenue(pipeline), pipeline.status().quarantined) == (None, [])

    assert call("retract", "--undo", "landing/a.csv").exit_code == 0

    assert revenue(pipeline) == "1.00"
    assert [file.key for file in pipeline.status().quarantined] == ["landing/a.csv"]


@pytest.mark.parametrize("change", ["removed", "overwritten", "side file"])
def test_an_older_version_counts_again_whatever_became_of_the_newer_one(pipeline: Pipeline, change: str) -> None:
    name = "a.csv"
    land(pipeline, name)
    if change == "side file":  # loaded before such files were left out
        s3.client().copy_object(Bucket=s3.bucket, Key="landing/_a.csv", CopySource=f"{s3.bucket}/landing/a.csv")
        pipeline.remove(name)
        name = "_a.csv"
        pipeline.execute("UPDATE ledger.landed_files SET key = 'landing/_a.csv'")
    pipeline.land(name, b"no orders\n")
    pipeline.sync()
    assert [file.key for file in pipeline.status().quarantined] == [f"landing/{name}"]
    assert call("retract", f"landing/{name}").exit_code == 0
    assert pipeline.sync().is_complete
    if change == "removed":
        pipeline.remove(name)
    elif change == "overwritten":
        pipeline.land(name, b"no orders either\n")

    undone = call("retract", "--undo", f"landing/{name}")

    assert undone.exit_code == 0, undone.output
    assert revenue(pipeline) == "1.00"
    quarantined = [file.key for file in pipeline.status().quarantined]
    assert quarantined == ([] if change == "removed" else [f"landing/{name}"])


def test_a_newer_version_is_not_replaced_by_an_undo(pipeline: Pipeline) -> None:
    land(pipeline, "a.csv")
    assert call("retract", "landing/a.csv").exit_code == 0
    pipeline.land_rows("a.csv", f"1,ann,9.00,{DAY}")
    assert revenue(pipeline) == "9.00"

    undone = call("retract", "--undo", "landing/a.csv")

    assert undone.exit_code == 2
    assert "no retracted file without a newer active version" in undone.output
    assert revenue(pipeline) == "9.00"


@pytest.mark.parametrize("has_lake", [True, False])
def test_a_day_of_the_source_table_counts_again(pipeline: Pipeline, has_lake: bool) -> None:
    pipeline.execute(f"CREATE TABLE orders AS SELECT '1' order_id, 'ann' customer_id, 1.00 amount, '{DAY}' order_date")
    assert revenue(pipeline) == "1.00"
    assert call("retract", f"table:orders/{DAY}").exit_code == 0
    assert revenue(pipeline) is None
    if not has_lake:
        lose_the_lake(pipeline)

    assert call("retract", "--undo", "table:*").exit_code == 0

    assert revenue(pipeline) == "1.00"


def test_a_source_table_that_does_not_answer_is_not_dismissed_with_a_pattern(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", "ordrs")
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    assert not pipeline.sync().is_complete

    assert call("retract", "*").exit_code == 0

    assert pipeline.status().source_table_pending
    assert "ordrs" in str(pipeline.status().source_table_error)
