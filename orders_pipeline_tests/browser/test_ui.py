"""The first hour of somebody who has started `make dev`, click by click."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from orders_pipeline.cli.sample import DAYS
from orders_pipeline.schema import TABLES
from orders_pipeline.storage import embedded
from orders_pipeline.storage.postgres import engine_for
from orders_pipeline_tests.support.dagster_dev import DagsterDev
from orders_pipeline_tests.support.driver import HEADER

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make browser` installs it")
expect = playwright.expect

pytestmark = pytest.mark.browser

TODAY = datetime.now(UTC).date()
FIRST_DAY = TODAY - timedelta(days=DAYS)  # of the sample
TICK = 30  # seconds from one tick of a sensor to the next


def test_the_graph_shows_every_asset_without_error(page: "Page", picture: Callable[[str, int], None]) -> None:
    page.goto("/asset-groups")
    expect(page.get_by_text("orders_by_day").last).to_be_visible()
    page.get_by_placeholder("Jump to").locator("xpath=following::button[1]").click()  # hide the list of groups
    page.keyboard.press("Alt+e")  # expand all groups

    graph = page.locator("foreignObject")
    for asset in (*TABLES, "landing_zone", "source_table"):
        expect(graph.get_by_text(asset, exact=True).first).to_be_visible()
    expect(graph.get_by_text("Materialized", exact=True)).to_have_count(4)
    expect(graph.get_by_text(re.compile("Failed"))).to_have_count(0)
    picture("graph", 780)

    page.goto("/locations")
    expect(page.get_by_text("orders_pipeline", exact=True).first).to_be_visible()
    expect(page.get_by_text("Loaded", exact=True)).to_have_count(1)


def test_a_click_materializes(page: "Page", dev: DagsterDev) -> None:
    """The source table waits for the morning, or for a person: raw_orders takes it, the sensors do the rest."""
    before = dev.status()

    page.goto("/assets/raw_orders")
    page.get_by_role("button", name="Materialize").first.click()
    expect(page.get_by_text(re.compile("Launched run"))).to_be_visible()
    dev.wait_for("the table is taken", lambda: dev.status()["totals"]["rows"] > before["totals"]["rows"])
    wait_until_nothing_is_left_to_do(dev)

    after = dev.status()
    assert after["totals"]["revenue"] == after["totals"]["spend"] != before["totals"]["revenue"]
    page.goto("/assets/raw_orders")
    expect(page.get_by_text(re.compile(f"{after['totals']['rows']:,}")).first).to_be_visible()
    expect(page.get_by_text("Days of the source table", exact=True)).to_be_visible()
    page.goto("/assets/source_table")
    expect(page.get_by_text("Changed days taken by this run")).to_be_visible()


def test_a_file_that_lands_is_a_run_and_fresh_tables_within_two_ticks(page: "Page", dev: DagsterDev) -> None:
    dev.land("my.csv", f"{HEADER}\nmine,ann,2345.60,{TODAY}\n")
    landed = time.time()
    wait_until_nothing_is_left_to_do(dev, file="landing/my.csv")

    ticks = dev.ticks()["s3_arrival_sensor"]
    asked = min(at for status, at in ticks if status == "SUCCESS" and at > landed - 1)
    assert asked < landed + 2 * TICK + 5
    page.goto("/assets/raw_orders")
    expect(page.get_by_text("landing/my.csv")).to_be_visible()
    page.goto("/assets/daily_revenue")
    expect(page.get_by_role("row", name=re.compile(rf"{TODAY} \(not over yet\)\s+2,345.60\s+1\s")).last).to_be_visible()


def test_revenue_is_drawn_where_one_looks_for_it(page: "Page", picture: Callable[[str, int], None]) -> None:
    page.goto("/assets/daily_revenue")
    chart = page.get_by_role("img", name="Revenue by day")
    chart.scroll_into_view_if_needed()
    expect(chart).to_be_visible()
    drawn = chart.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])")
    assert min(drawn) > 100
    box, column = chart.bounding_box(), page.get_by_role("cell").filter(has=chart).last.bounding_box()
    assert box
    assert column
    assert box["x"] + box["width"] <= column["x"] + column["width"]
    chart.evaluate("image => image.scrollIntoView({block: 'center'})")
    picture("revenue", 900)


def test_a_page_says_what_is_wrong_and_plots_what_is_worth_it(page: "Page") -> None:
    page.goto("/assets/rejected_orders")
    expect(page.get_by_text(re.compile("No amount in here is part of any revenue"))).to_be_visible()
    expect(page.get_by_text("customer_id_missing", exact=True).first).to_be_visible()

    page.goto("/assets/daily_revenue")
    unusual = str(FIRST_DAY + timedelta(days=40))
    expect(page.get_by_text(re.compile(rf"revenue_is_plausible: {unusual} \(")).first).to_be_visible()
    expect(page.get_by_text(re.compile("docs/operations.md: Revenue is unusual or late")).first).to_be_visible()
    page.get_by_role("button", name="Plots").first.click()
    expect(page.get_by_text("Revenue of the newest day", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("Duration|rebuilt"))).to_have_count(0)


def test_columns_say_what_they_mean_and_where_they_come_from(page: "Page") -> None:
    page.goto("/assets/daily_revenue")
    row = page.get_by_role("row").filter(has_text="numeric(38,2)").first
    expect(row).to_contain_text("nothing is converted; returns are taken off. From cleaned_orders.amount.")
    expect(row).to_contain_text("non-nullable")


def test_a_range_is_backfilled_again_with_the_tag_for_it(
    page: "Page", dev: DagsterDev, picture: Callable[[str, int], None]
) -> None:
    before, runs = built(dev, "daily_revenue_partitioned"), len(dev.runs())
    days = [FIRST_DAY + timedelta(days=number) for number in range(30, 58)]
    dialog = backfill_dialog(page, "daily_revenue_partitioned")
    select(dialog, f"[{days[0]}...{days[-1]}]")
    add_full_refresh(page, dialog)
    expect(dialog.get_by_text("28 partitions")).to_be_visible()
    picture("backfill", 780)
    dialog.get_by_role("button", name="Launch backfill").click()

    dev.wait_for("the backfill's run", lambda: len(dev.runs()) > runs)
    wait_until_nothing_is_left_to_do(dev)
    after = built(dev, "daily_revenue_partitioned")
    assert {day for day in after if after[day] != before[day]} == {*map(str, days)}
    # The daemon looks every half minute whether a backfill has ended.
    dev.wait_for("the backfill has ended", lambda: dev.backfills()[0][1] == "COMPLETED_SUCCESS")
    page.goto(f"/runs/b/{dev.backfills()[0][0]}")
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    expect(page.get_by_text("100% completed")).to_be_visible()


def test_a_day_without_orders_says_so(page: "Page", dev: DagsterDev) -> None:
    """Asked for alone, a day that was never delivered is an error."""
    dialog = backfill_dialog(page, "daily_orders")
    day = str(FIRST_DAY - timedelta(days=30))
    select(dialog, day)
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    dev.wait_for("the run fails", lambda: dev.runs()[0][1] == "FAILURE")

    page.goto("/assets/daily_orders?view=checks&checkDetail=orders_not_empty")
    expect(page.get_by_text(re.compile(f"No clean order was ever delivered for {day}")).first).to_be_visible()


def test_a_check_that_fails_says_what_it_found(
    page: "Page", dev: DagsterDev, picture: Callable[[str, int], None]
) -> None:
    """Somebody changes a figure by hand; the check is run by a click, and names the day and what to do."""
    day = str(FIRST_DAY + timedelta(days=60))
    execute(dev, f"UPDATE analytics.daily_revenue SET revenue = revenue + 1 WHERE order_date = '{day}'")
    page.goto("/assets/daily_revenue?view=checks&checkDetail=revenue_reconciles")
    page.get_by_role("button", name=re.compile("Execute$")).click()
    message = page.get_by_text(re.compile(day))
    expect(message.first).to_be_visible()
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    assert "rebuild" in message.first.inner_text()
    picture("check", 600)

    dev.call("rebuild", day)
    wait_until_nothing_is_left_to_do(dev)
    page.reload()
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile("The chains differ"))).to_have_count(0)


def test_the_launchpad_knows_the_config_and_says_what_is_wrong_with_it(page: "Page") -> None:
    page.goto("/locations/orders_pipeline/jobs/s3_arrival/playground")
    expect(page.get_by_text("No errors")).to_be_visible()
    editor = page.locator(".CodeMirror").first
    expect(editor).to_contain_text("s3_keys: []")
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("ops:\n  raw_orders:\n    config:\n      s3_key: landing/my.csv\n")
    expect(page.get_by_text(re.compile('Received unexpected config entry "s3_key"')).first).to_be_visible()


def test_failed_and_missing_days_are_asked_for_again(
    page: "Page", dev: DagsterDev, picture: Callable[[str, int], None]
) -> None:
    """While the sensors are off, the lake loses the object of a day: what is built from it fails, as the grid shows.
    When it is made again, a person asks for what failed or is missing in a range."""
    dev.stop_sensors()
    day = str(FIRST_DAY + timedelta(days=10))
    (dev.home / "lake" / built(dev, "daily_orders", "path")[day]).unlink()
    dialog = backfill_dialog(page, "daily_revenue_partitioned")
    select(dialog, day)
    add_full_refresh(page, dialog)
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    dev.wait_for("the run fails", lambda: dev.runs()[0][1] == "FAILURE")
    page.goto("/assets/daily_revenue_partitioned?view=partitions")
    expect(page.get_by_text("Failed (1)")).to_be_visible()
    expect(page.get_by_text("Materialized (90)")).to_be_visible()
    picture("partitions", 520)

    dialog = backfill_dialog(page, "daily_orders")
    select(dialog, day)
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    dev.wait_for("the object is made again", lambda: dev.runs()[0][1] == "SUCCESS")

    runs = len(dev.runs())
    dialog = backfill_dialog(page, "daily_revenue_partitioned")
    select(dialog, f"[{FIRST_DAY - timedelta(days=7)}...{FIRST_DAY + timedelta(days=20)}]")
    dialog.get_by_text("Backfill only failed and missing partitions within selection").click()
    dialog.get_by_role("button", name="Launch backfill").click()
    dev.wait_for("two runs", lambda: [status for _, status in dev.runs()[:-runs]] == ["SUCCESS"] * 2)
    page.goto("/assets/daily_revenue_partitioned?view=partitions")
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    expect(page.get_by_text("Materialized (98)")).to_be_visible()


def backfill_dialog(page: "Page", asset: str) -> "Locator":
    """The dialog in which a person chooses partitions; of all days, not of the last 90 alone."""
    page.goto(f"/assets/{asset}?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog").first
    dialog.get_by_text("Show all partitions").click()
    return dialog


def select(dialog: "Locator", partitions: str) -> None:
    """Choose partitions as the dialog writes them."""
    field = dialog.get_by_role("textbox").first
    field.fill(partitions)
    field.press("Enter")


def add_full_refresh(page: "Page", dialog: "Locator") -> None:
    """Give the runs the tag that builds days which are up to date."""
    dialog.get_by_text("Tags", exact=True).click()
    dialog.get_by_role("button", name="Add tags").click()
    tags = page.get_by_role("dialog").last
    tags.get_by_placeholder("Tag Key").fill("orders/full_refresh")
    tags.get_by_placeholder("Tag Value").fill("true")
    tags.get_by_role("button", name="Apply").click()


def built(dev: DagsterDev, asset: str, what: str = "run_id") -> dict[str, str]:
    """What the ledger knows of each day that was built."""
    query = sa.text(f"SELECT day::text, {what} AS found FROM ledger.built_days WHERE asset = :asset")
    with engine_for(embedded.postgres_url(dev.home)).connect() as connection:
        return {row.day: row.found for row in connection.execute(query, {"asset": asset})}


def execute(dev: DagsterDev, statement: str) -> None:
    """A change by hand in Postgres."""
    with engine_for(embedded.postgres_url(dev.home)).begin() as connection:
        connection.execute(sa.text(statement))


def wait_until_nothing_is_left_to_do(dev: DagsterDev, file: str | None = None) -> None:
    """Sensors have asked for what was to be done, and runs have done it; a file that landed counts."""

    def is_done() -> bool:
        status = dev.status()
        waits = status["files"]["pending"] or any(status["stale_days"].values())
        idle = all(state in ("SUCCESS", "FAILURE", "CANCELED") for _, state in dev.runs())
        return not waits and idle

    dev.wait_for(f"nothing is left to do{f' with {file}' if file else ''}", is_done, seconds=180)
