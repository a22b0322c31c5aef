"""An object that is not what was written counts nowhere: it is read or built again, at once, and a finding stays."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import orders_pipeline
from orders_pipeline import run_tags
from orders_pipeline.cli.main import main
from orders_pipeline.cli.sync import Synced
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.errors import MissingInputError
from orders_pipeline.landing.verification import everything, share_of, verify
from orders_pipeline_tests.support.damage import DAMAGES, cut, flip
from orders_pipeline_tests.support.driver import Pipeline, check_results

DAY, NEXT = "2026-03-04", "2026-03-05"
KIND = "lake_is_intact"
REJECT = "2,ann,1234.00.5,2026-03-04"


def change_an_amount(path: Path) -> None:
    """One byte of a page: the object can be read as before."""
    content = bytearray(path.read_bytes())
    content[content.index(b"1234.00")] = ord("9")
    path.write_bytes(bytes(content))


DAMAGE = pytest.mark.parametrize("damage", [*DAMAGES, change_an_amount])
HIDDEN_OR_NOT = pytest.mark.parametrize("damage", [change_an_amount, cut])
Damage = Callable[[Path], None]


def objects(pipeline: Pipeline, table: str, like: str = "%") -> list[Path]:
    """The objects of landed files whose key is like this, or of a table's days."""
    query = (
        "SELECT path FROM ledger.landed_files WHERE active AND key LIKE :l ORDER BY key"
        if table == "raw_orders"
        else "SELECT path FROM ledger.built_days WHERE asset = :t AND day::text LIKE :l ORDER BY day"
    )
    values = {"l": like} if table == "raw_orders" else {"t": table, "l": like}
    return [Path(s3.lake().uri) / str(path) for (path,) in pipeline.query(query, **values)]


def findings(pipeline: Pipeline) -> list[str]:
    """The subjects of damage that no one has accepted."""
    query = "SELECT subject FROM ledger.findings WHERE kind = :k AND accepted_at IS NULL AND settled_at IS NULL"
    return sorted(str(subject) for (subject,) in pipeline.query(query, k=KIND))


def assert_is_right(pipeline: Pipeline, synced: Synced, revenue: dict[str, tuple[str, int]]) -> None:
    assert synced.is_complete, synced.errors
    assert pipeline.revenue() == revenue
    by_day = dict[str, str]()
    for (day, _), spend in pipeline.spend().items():
        assert day not in by_day
        by_day[day] = spend
    assert by_day == {day: total for day, (total, _) in revenue.items()}


@pytest.fixture
def loaded(pipeline: Pipeline) -> Pipeline:
    """Two files, each of a day of its own."""
    pipeline.land_rows("a.csv", f"1,ann,1234.00,{DAY}")
    pipeline.land_rows("b.csv", f"2,bob,2.00,{NEXT}")
    assert pipeline.sync().is_complete
    return pipeline


@DAMAGE
def test_a_damaged_file_is_read_again_before_its_day_is_built(loaded: Pipeline, damage: Damage) -> None:
    (path,) = objects(loaded, "raw_orders", "%a.csv")
    damage(path)
    loaded.land_rows("c.csv", f"3,ann,1.00,{DAY}")

    synced = loaded.sync()

    assert_is_right(loaded, synced, {DAY: ("1235.00", 2), NEXT: ("2.00", 1)})
    assert objects(loaded, "raw_orders", "%a.csv") != [path]
    assert findings(loaded) == [f"{s3.bucket}/landing/a.csv"]
    assert KIND in synced.failed_checks


@HIDDEN_OR_NOT
def test_a_damaged_file_blocks_only_what_depends_on_it(loaded: Pipeline, damage: Damage) -> None:
    """S3 has it no more, so its day keeps its last published values."""
    damage(objects(loaded, "raw_orders", "%a.csv")[0])
    loaded.remove("a.csv")
    loaded.land_rows("c.csv", f"3,ann,1.00,{DAY}", f"4,bob,5.00,{NEXT}")

    synced = loaded.sync()

    assert not synced.is_complete
    assert not synced.errors
    assert loaded.revenue() == {DAY: ("1234.00", 1), NEXT: ("7.00", 2)}
    assert loaded.query("SELECT key, reason FROM ledger.landed_files WHERE status = 'quarantined'") == [
        ("landing/a.csv", "lost")
    ]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("upstream", "mart"), [("cleaned_orders", "daily_revenue"), ("daily_orders", "daily_revenue_partitioned")]
)
def test_a_damaged_day_is_rebuilt_and_the_others_do_not_wait(
    loaded: Pipeline, damage: Damage, upstream: str, mart: str
) -> None:
    (path,) = objects(loaded, upstream, DAY)
    damage(path)
    loaded.execute("DELETE FROM ledger.built_days WHERE asset = :m", m=mart)
    loaded.execute(f"DELETE FROM analytics.{mart}")

    synced = loaded.sync()

    assert_is_right(loaded, synced, {DAY: ("1234.00", 1), NEXT: ("2.00", 1)})
    assert not synced.errors
    assert findings(loaded) == [f"{upstream} {DAY}"]


def test_a_run_that_asks_for_a_damaged_day_builds_the_others_and_fails(loaded: Pipeline) -> None:
    """As any run that could not build a day that it was asked for by name. The next one builds it."""
    flip(objects(loaded, "daily_orders", DAY)[0])
    loaded.execute("DELETE FROM ledger.built_days WHERE asset = 'daily_revenue_partitioned'")
    loaded.execute("DELETE FROM analytics.daily_revenue_partitioned")

    ran = loaded.run(
        "stale_days",
        tags=run_tags.of_range(date.fromisoformat(DAY), date.fromisoformat(NEXT)),
        assets=["daily_revenue_partitioned"],
    )

    assert not ran.success
    assert loaded.spend() == {(NEXT, "bob"): "2.00"}
    assert_is_right(loaded, loaded.sync(), {DAY: ("1234.00", 1), NEXT: ("2.00", 1)})


@HIDDEN_OR_NOT
def test_an_arrival_that_shares_an_order_with_a_damaged_file_misses_no_day(loaded: Pipeline, damage: Damage) -> None:
    """The new file holds order 1 on another day: it leaves the day on which the damaged one has it."""
    damage(objects(loaded, "raw_orders", "%a.csv")[0])
    loaded.land_rows("c.csv", "1,ann,7.00,2026-03-06")

    assert_is_right(loaded, loaded.sync(), {NEXT: ("2.00", 1), "2026-03-06": ("7.00", 1)})
    assert findings(loaded) == [f"{s3.bucket}/landing/a.csv"]


def test_rejects_are_listed_from_no_damaged_object(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}", f"2,ann,1234.00.5,{DAY}")
    pipeline.land_rows("b.csv", f"3,ann,1.00,{DAY}")
    pipeline.run("s3_arrival", assets=["raw_orders"])
    change_an_amount(objects(pipeline, "raw_orders", "%a.csv")[0])

    assert pipeline.sync().is_complete
    assert pipeline.rejected() == [("landing/a.csv", 3, "amount_not_decimal", REJECT)]


@pytest.mark.parametrize("table", ["raw_orders", "cleaned_orders", "daily_orders"])
def test_who_reads_a_table_is_told_and_the_next_sync_mends_it(loaded: Pipeline, table: str) -> None:
    cut(objects(loaded, table)[0])

    with pytest.raises(MissingInputError, match="missing from the lake or damaged"):
        orders_pipeline.read(table)

    assert loaded.sync().is_complete
    assert orders_pipeline.read(table)["order_id"].tolist() == ["1", "2"]
    assert len(findings(loaded)) == 1


@pytest.mark.parametrize("table", ["raw_orders", "cleaned_orders", "daily_orders"])
def test_recover_verifies_everything_on_request(loaded: Pipeline, table: str) -> None:
    flip(objects(loaded, table)[0])
    assert loaded.sync().is_complete  # no one needed it

    told = CliRunner().invoke(main, ["recover", "--verify"])

    assert told.exit_code == 0, told.output
    assert "6 objects of the lake read: 1 missing or damaged." in told.output
    assert_is_right(loaded, loaded.sync(), {DAY: ("1234.00", 1), NEXT: ("2.00", 1)})
    assert "none missing or damaged" in CliRunner().invoke(main, ["recover", "--verify"]).output


def test_the_daily_job_verifies_its_share(loaded: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("raw_orders", "cleaned_orders", "daily_orders"):
        for path in objects(loaded, table):
            cut(path)
    monkeypatch.setattr("orders_pipeline.checks.files.share_of", lambda _day: lambda name: name.startswith("cleaned"))

    checks = check_results(loaded.run("s3_arrival"))
    assert checks[KIND].passed
    checks = check_results(loaded.run("daily_pipeline", partition=DAY))
    assert not checks[KIND].passed
    assert [subject for subject in findings(loaded) if subject.startswith("cleaned")] == [
        f"cleaned_orders {DAY}",
        f"cleaned_orders {NEXT}",
    ]


def test_the_shares_of_thirty_days_are_all_objects_once() -> None:
    names = [f"raw_orders/{number}.parquet" for number in range(300)]
    first = date(2026, 2, 17)
    shares = [list(filter(share_of(first + timedelta(days=number)), names)) for number in range(30)]

    assert sorted(name for share in shares for name in share) == sorted(names)
    assert max(map(len, shares)) < 30


def test_a_finding_of_damage_stays_until_it_is_accepted_and_comes_back_with_new_damage(loaded: Pipeline) -> None:
    change_an_amount(objects(loaded, "raw_orders", "%a.csv")[0])
    verify(postgres.ledger(), s3.lake(), everything)
    assert loaded.sync().is_complete
    assert loaded.sync().is_complete
    assert findings(loaded) == [f"{s3.bucket}/landing/a.csv"]

    assert CliRunner().invoke(main, ["accept", "--kind", KIND, "--by", "me"]).exit_code == 0
    assert loaded.sync().is_complete
    assert findings(loaded) == []
    change_an_amount(objects(loaded, "raw_orders", "%a.csv")[0])
    verify(postgres.ledger(), s3.lake(), everything)
    assert findings(loaded) == [f"{s3.bucket}/landing/a.csv"]


def test_checks_leave_out_what_is_damaged(loaded: Pipeline) -> None:
    """They compare the other days, and do not fail with the error of a reader."""
    cut(objects(loaded, "cleaned_orders", DAY)[0])
    cut(objects(loaded, "raw_orders", "%b.csv")[0])

    ran = loaded.run("daily_pipeline", partition=DAY)

    checks = check_results(ran)
    assert {"order_ids_are_unique", "no_order_is_lost", KIND} <= checks.keys()
    assert loaded.sync().is_complete
    assert loaded.revenue() == {DAY: ("1234.00", 1), NEXT: ("2.00", 1)}
