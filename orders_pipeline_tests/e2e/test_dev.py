"""A real `dagster dev`, its daemon and its sensors: what lands shows up without a click, and Ctrl-C ends all of it."""

import psutil
import pytest

from orders_pipeline.storage import embedded
from orders_pipeline_tests.support.dagster_dev import dagster_dev
from orders_pipeline_tests.support.driver import HEADER


@pytest.mark.browser
def test_make_dev_picks_up_what_lands_and_ends_with_ctrl_c() -> None:
    with dagster_dev("orders-pipeline", "dev", "--no-sample") as dev:
        dev.wait_for("the webserver answers", dev.answers)
        dev.land("my.csv", f"{HEADER}\n1,ann,1.50,2026-03-04\n2,bob,2.00,2026-03-06\n")

        def is_all_there() -> bool:
            totals = dev.status()["totals"]
            return bool(totals["spend"] == "3.50" and totals["revenue"] == "3.50")

        dev.wait_for("both chains hold the orders", is_all_there)
        location = dev.graphql("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
        assert location["workspaceOrError"]["locationEntries"] == [{"loadStatus": "LOADED"}]
        dev.wait_for("the runs end", lambda: {status for _, status in dev.runs()} == {"SUCCESS"})
        assert sorted(dev.runs()) == [("s3_arrival", "SUCCESS"), ("stale_days", "SUCCESS")]
        started = dev.children()
        assert started
        assert dev.end() == 0

        assert [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
        assert embedded.running(dev.home) == []


@pytest.mark.e2e
def test_plain_dagster_dev_with_nothing_set_starts_what_it_needs() -> None:
    with dagster_dev("dagster", "dev", "-h", "127.0.0.1", port_option="-p") as dev:
        dev.wait_for("a sensor starts the services", lambda: embedded.running(dev.home) == ["postgres", "s3"])
        dev.wait_for("the webserver answers", dev.answers)

        def all_ticked() -> bool:
            last = {name: ticks[0][0] for name, ticks in dev.ticks().items() if ticks}
            sensors = ("s3_arrival_sensor", "stale_days_sensor", "lost_runs_sensor", "run_failure_sensor")
            return last == dict.fromkeys(sensors, "SKIPPED")

        dev.wait_for("every sensor finds nothing to do", all_ticked)
        dev.end()
        assert sorted(embedded.stop(dev.home)) == ["postgres", "s3"]
