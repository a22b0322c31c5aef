"""The check no_revenue_vanishes: a day that loses its revenue is named, unless a person asked for it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import findings
from orders_pipeline.ledger.findings import Recorded
from orders_pipeline_tests.support.checks import WARN, evaluate
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline, check_results

DAY, NEXT = "2026-03-04", "2026-03-05"
CHECK = "no_revenue_vanishes"
Act = Callable[[Pipeline], object]


@pytest.fixture
def shop(pipeline: Pipeline) -> Pipeline:
    """100.00 on DAY, of which the file a.csv has 90.00 and b.csv 10.00; the table has 50.00 on NEXT, by two orders."""
    pipeline.execute(
        "CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date date, state text)"
    )
    pipeline.execute(
        f"INSERT INTO orders VALUES ('11', 'ann', 40, '{NEXT}', 'void'), ('12', 'ann', 10, '{NEXT}', 'paid')"
    )
    header = f"{HEADER},state"
    rows = [f"1,ann,30.00,{DAY},paid", f"2,ann,30.00,{DAY},void", f"3,ann,30.00,{DAY},void"]
    pipeline.land_rows("a.csv", *rows, header=header)
    pipeline.land_rows("b.csv", f"4,bob,10.00,{DAY},paid", header=header)
    assert pipeline.sync().failed_checks == {}
    assert pipeline.revenue() == {DAY: ("100.00", 4), NEXT: ("50.00", 2)}
    return pipeline


def vanished() -> dict[str, tuple[str, str]]:
    """What is open: by day, the revenue that it had, and the money at stake."""
    return {one.subject: (one.message.split()[2], str(one.amount)) for one in opened()}


def opened() -> list[Recorded]:
    with postgres.ledger().connect() as connection:
        return [one for one in findings.open_findings(connection) if one.kind == CHECK]


def command(*arguments: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 0, done.output


def header_alone(pipeline: Pipeline) -> None:
    pipeline.land("a.csv", f"{HEADER},state\n")


def far_fewer_rows(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", f"1,ann,30.00,{DAY}")


def the_orders_of_the_next_day(pipeline: Pipeline) -> None:
    """One key is overwritten each day, as an export with only the newest orders is."""
    pipeline.land_rows("a.csv", f"21,ann,80.00,{NEXT}")


def superseded(pipeline: Pipeline) -> None:
    """A file of another shop has the same order ids."""
    pipeline.land_rows("z.csv", *(f"{number},zoe,1.00,{NEXT}" for number in (1, 2, 3)))


def half_an_upload(pipeline: Pipeline) -> None:
    pipeline.land("a.csv", f"{HEADER}\n1,ann,0.01,{DAY}\n")


@pytest.mark.parametrize(
    ("act", "stake"),
    [
        (header_alone, "90.00"),
        (far_fewer_rows, "60.00"),
        (the_orders_of_the_next_day, "90.00"),
        (superseded, "90.00"),
        (half_an_upload, "89.99"),
    ],
)
def test_a_day_of_which_files_take_more_than_half_is_named(shop: Pipeline, act: Act, stake: str) -> None:
    act(shop)

    found = check_results(shop.run("s3_arrival"))[CHECK]

    assert (found.passed, found.severity) == (False, WARN)
    assert vanished() == {DAY: ("100.00", stake)}
    assert f"{stake} vanished on 1 day, and no one asked for it: {DAY} had 100.00 and has " in (found.description or "")
    assert " UTC (new or changed orders). A key was overwritten" in (found.description or "")


@pytest.mark.parametrize(
    ("statement", "stake"),
    [
        ("TRUNCATE orders", "50.00"),
        (f"DELETE FROM orders WHERE order_date < date '{NEXT}' + 1", "50.00"),  # a purge by retention
        ("DELETE FROM orders WHERE order_id = '11'", "40.00"),
        ("UPDATE orders SET amount = amount / 100", "49.50"),
        ("UPDATE orders SET order_date = order_date + 1 WHERE order_id = '11'", "40.00"),  # its date was corrected
    ],
)
def test_a_day_of_which_the_table_takes_more_than_half_is_named(shop: Pipeline, statement: str, stake: str) -> None:
    shop.execute(statement)
    shop.sync()

    assert vanished() == {NEXT: ("50.00", stake)}


def test_sync_names_the_day_and_the_money_that_it_had(shop: Pipeline) -> None:
    shop.execute("TRUNCATE orders")
    header_alone(shop)

    output = " ".join(call("sync").output.split())

    assert f"check {CHECK} WARN: 140.00 vanished on 2 days, and no one asked for it: {NEXT} had 50.00 and has 0.00" in (
        output
    )
    assert f"{DAY} had 100.00 and has 10.00 since " in output


def test_what_is_gone_from_s3_or_is_no_table_any_more_keeps_counting(shop: Pipeline) -> None:
    shop.remove("a.csv")
    shop.execute("DROP TABLE orders")
    shop.sync()

    assert shop.revenue() == {DAY: ("100.00", 4), NEXT: ("50.00", 2)}
    assert vanished() == {}


def test_frozen_days_of_the_table_do_not_vanish_when_they_are_purged(shop: Pipeline) -> None:
    shop.declare('[[source]]\nname = "shop"\ntable = "orders"\nfrozen_after = "30d"\n')
    shop.execute("DELETE FROM orders")
    shop.sync()

    assert shop.revenue()[NEXT] == ("50.00", 2)
    assert vanished() == {}


SOURCE = '[[source]]\nname = "all"\nkeys = "landing/*"\n'
OF_TABLE = '[[source]]\nname = "shop"\ntable = "orders"\n'


def retract(pipeline: Pipeline) -> None:
    command("retract", "landing/a.csv")


def retract_the_table(_pipeline: Pipeline) -> None:
    command("retract", f"table:orders/{NEXT}")


def retract_and_undo(pipeline: Pipeline) -> None:
    command("retract", "landing/*")
    pipeline.sync()
    assert DAY not in pipeline.revenue()
    command("retract", "--undo", "landing/*")
    pipeline.sync()
    assert pipeline.revenue()[DAY] == ("100.00", 4)


def retract_and_land_corrected(pipeline: Pipeline) -> None:
    """Under another key, before anything is built."""
    command("retract", "landing/a.csv")
    pipeline.land_rows("corrected.csv", f"1,ann,1.00,{DAY}")


def void_rows(pipeline: Pipeline) -> None:
    """A declaration for which the lake has the answer."""
    pipeline.declare(f'{SOURCE}drop = {{ state = ["void"] }}\n[[source]]\nname = "b"\nkeys = "landing/b*"\n')


def other_names(pipeline: Pipeline) -> None:
    """A declaration for which the files are read again from S3: `amount` is in another column."""
    pipeline.land_rows("a.csv", f"1,ann,90.00,{DAY},1.00", header=f"{HEADER},net")
    pipeline.sync()
    pipeline.declare('[[source]]\nname = "a"\nkeys = "landing/a*"\ncolumns = { amount = "net" }\n')


def void_rows_of_the_table(pipeline: Pipeline) -> None:
    pipeline.declare(f'{OF_TABLE}drop = {{ state = ["void"] }}\n')


def apply_with_a_new_file(pipeline: Pipeline) -> None:
    """What lands at the same time is loaded in the same batch."""
    other_names(pipeline)
    pipeline.land_rows("c.csv", f"31,ann,1.00,{NEXT}")


ASKED = {
    "retract": (retract, "10.00"),
    "retract a day of the table": (retract_the_table, "100.00"),
    "retract and undo": (retract_and_undo, "100.00"),
    "retract and land corrected": (retract_and_land_corrected, "11.00"),
    "apply": (void_rows, "40.00"),
    "apply, read again": (other_names, "11.00"),
    "apply to the table": (void_rows_of_the_table, "100.00"),
    "apply with a new file": (apply_with_a_new_file, "11.00"),
}


@pytest.mark.parametrize(("act", "left"), ASKED.values(), ids=ASKED.keys())
def test_what_a_person_asked_for_is_no_finding(shop: Pipeline, act: Act, left: str) -> None:
    act(shop)
    assert shop.sync().is_complete

    assert shop.revenue()[DAY][0] == left
    assert vanished() == {}
    assert evaluate(shop, "daily_revenue", CHECK).passed


def test_a_time_zone_that_moves_orders_to_another_day_was_asked_for(
    shop: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land_rows("night.csv", "1,ann,70.00,2026-03-10T02:00:00Z")
    shop.sync()
    monkeypatch.setenv("ORDERS_TIMEZONE", "America/New_York")
    shop.sync()

    assert "2026-03-10" not in shop.revenue()
    assert vanished() == {}


def test_rows_that_an_upgrade_reads_otherwise_were_not_asked_for(
    shop: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows count no more, as an older release took them for clean."""
    shop.execute("UPDATE ledger.landed_files SET rules = 1, days = days || date '2026-03-09' WHERE key LIKE '%a.csv'")
    shop.execute(
        "INSERT INTO ledger.published (day, revenue, orders, cause, run_id) VALUES ('2026-03-09', 7, 1, '', '')"
    )
    shop.sync()

    assert vanished() == {"2026-03-09": ("7.00", "7.00")}


def test_a_person_and_an_accident_in_one_build_are_an_accident(shop: Pipeline) -> None:
    """How much of it was asked for is not known."""
    command("retract", "landing/b.csv")
    header_alone(shop)
    shop.sync()

    assert vanished() == {DAY: ("100.00", "100.00")}


def test_rows_deleted_from_the_table_while_a_declaration_is_applied_were_not_asked_for(shop: Pipeline) -> None:
    void_rows_of_the_table(shop)
    shop.execute("DELETE FROM orders WHERE order_id = '12'")
    shop.sync()

    assert vanished() == {NEXT: ("50.00", "50.00")}


def test_a_file_replaced_while_a_declaration_is_applied_was_not_asked_for(shop: Pipeline) -> None:
    void_rows(shop)
    shop.land_rows("a.csv", f"2,ann,30.00,{DAY},void", header=f"{HEADER},state")
    shop.sync()

    assert vanished() == {DAY: ("100.00", "90.00")}


@pytest.mark.parametrize("how", ["retry", "apply"])
def test_a_quarantined_file_that_is_read_at_last_was_not_asked_for(
    shop: Pipeline, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whoever asks for another attempt does not know that the file has far fewer orders than the one before."""
    shop.land_rows("a.csv", f"1,ann,1.00,{DAY}", header=HEADER.replace("amount", "net"))
    shop.sync()
    assert vanished() == {}
    if how == "retry":
        monkeypatch.setenv("ORDERS_COLUMN_ALIASES", "net=amount")
        command("retry", "landing/a.csv")
    else:
        shop.declare('[[source]]\nname = "a"\nkeys = "landing/a*"\ncolumns = { amount = "net" }\n')
    shop.sync()

    assert vanished() == {DAY: ("100.00", "89.00")}


def test_what_changed_nothing_since_the_last_figure_does_not_hide_who_asked(shop: Pipeline) -> None:
    """A key that is overwritten, and worth the same, is built without a new figure."""
    shop.land_rows("b.csv", f"4,zoe,10.00,{DAY}")
    shop.sync()
    retract(shop)
    shop.sync()

    assert vanished() == {}


def test_who_asked_is_known_whichever_run_builds_the_steps(shop: Pipeline) -> None:
    retract(shop)
    shop.run("s3_arrival", assets=["raw_orders", "cleaned_orders"])
    shop.run("s3_arrival", assets=["daily_revenue"])
    assert vanished() == {}

    shop.land_rows("b.csv", f"4,bob,1.00,{DAY}")
    shop.run("s3_arrival", assets=["raw_orders", "cleaned_orders"])
    command("retract", "--undo", "landing/a.csv")
    command("retract", "landing/a.csv")
    shop.run("s3_arrival", assets=["raw_orders", "cleaned_orders"])
    shop.run("s3_arrival", assets=["daily_revenue"])
    assert vanished() == {DAY: ("10.00", "9.00")}


def test_first_figures_a_growing_day_and_small_corrections_are_no_finding(shop: Pipeline) -> None:
    today = datetime.now(UTC).date()
    shop.land_rows("today.csv", f"41,ann,1.00,{today}")
    shop.land_rows("b.csv", f"4,bob,0.50,{DAY}")
    shop.sync()
    shop.land_rows("today.csv", f"41,ann,1.00,{today}", f"42,ann,200.00,{today}")
    shop.land_rows("b.csv", f"4,bob,-39.50,{DAY}")
    shop.sync()

    assert shop.revenue()[DAY] == ("50.50", 4)
    assert vanished() == {}


def test_a_finding_settles_when_half_of_the_revenue_is_back(shop: Pipeline) -> None:
    header_alone(shop)
    shop.sync()
    shop.land_rows("c.csv", f"1,ann,39.99,{DAY}")
    shop.sync()
    assert vanished() == {DAY: ("100.00", "50.01")}

    shop.land_rows("c.csv", f"1,ann,40.00,{DAY}")
    assert check_results(shop.run("s3_arrival"))[CHECK].passed
    assert vanished() == {}


def test_an_accepted_day_is_open_again_when_it_loses_more_and_not_when_it_gains(shop: Pipeline) -> None:
    header_alone(shop)
    shop.sync()
    command("accept", str(opened()[0].id))
    shop.land_rows("c.csv", f"51,ann,1.00,{NEXT}", f"52,ann,1.00,{DAY}")
    assert CHECK not in shop.sync().failed_checks

    shop.land_rows("b.csv", f"4,bob,3.00,{DAY}")
    shop.sync()

    assert vanished() == {DAY: ("100.00", "96.00")}


def test_a_run_compares_what_it_built_and_the_findings_and_the_daily_job_everything(shop: Pipeline) -> None:
    header_alone(shop)
    shop.sync()
    shop.execute(  # as if the run had died before its check
        "INSERT INTO ledger.published (day, revenue, orders, cause, run_id) VALUES (:day, 0, 0, 'x', 'y')", day=NEXT
    )

    shop.land_rows("c.csv", "61,ann,1.00,2026-03-09")
    found = check_results(shop.run("s3_arrival"))[CHECK]
    assert list(vanished()) == [DAY]
    assert found.metadata["Days compared"].value == "2"

    shop.run("daily_pipeline", partition=DAY)
    assert list(vanished()) == [DAY, NEXT]


def test_a_run_that_built_nothing_compares_everything(shop: Pipeline) -> None:
    shop.execute(
        "INSERT INTO ledger.published (day, revenue, orders, cause, run_id) VALUES ('2026-03-04', 0, 0, 'x', 'y')"
    )

    assert not evaluate(shop, "daily_revenue", CHECK).passed


def test_nothing_built_passes_only_if_nothing_is_due(pipeline: Pipeline) -> None:
    assert evaluate(pipeline, "daily_revenue", CHECK).passed

    pipeline.land_rows("a.csv", f"1,ann,1.00,{DAY}")
    pipeline.run("s3_arrival", assets=["raw_orders"])
    found = evaluate(pipeline, "daily_revenue", CHECK)

    assert not found.passed
    assert found.description == (
        f"No day of daily_revenue is built, but 1 day is due: {DAY}. Materialize it. If its last run failed, see why."
    )
