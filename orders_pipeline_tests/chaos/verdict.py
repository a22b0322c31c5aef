"""What must hold after a fault: at once, and after the next sync."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from orders_pipeline_tests.chaos.scenarios import Scenario
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.oracle import Tables

Parts = Mapping[str, Mapping[str, Any]]


def assert_whole(pipeline: Pipeline, scenario: Scenario) -> None:
    """No reader sees part of a day or part of a file: each is as it was at one moment between commits."""
    seen = [_parts(tables) for tables in scenario.seen]
    seen = [{**state, "daily_orders": state["cleaned_orders"]} for state in seen]
    found_now = {**_parts(_tables(pipeline)), "daily_orders": _daily_orders(pipeline)}
    assert pipeline.unpublished() == []
    for table, parts in found_now.items():
        for part in {*parts, *(part for state in seen for part in state[table])}:
            found, allowed = parts.get(part), [state[table].get(part) for state in seen]
            assert found in allowed, f"{table} of {part} is {found}, which it never should be: {allowed}"


def assert_exact(pipeline: Pipeline, scenario: Scenario) -> None:
    """After a sync every table is what the bytes say, each file counts once, and nothing is left to do."""
    synced = pipeline.sync()
    assert synced.is_complete, synced
    assert _tables(pipeline) == scenario.end
    assert pipeline.orders("daily_orders") == scenario.end.orders
    counted = pipeline.query("SELECT key, rows, clean_rows FROM ledger.landed_files WHERE active")
    assert sorted(counted) == sorted((key, *rows) for key, rows in scenario.rows.items())
    wrong = [check for check, found in synced.failed_checks.items() if found.startswith("ERROR")]
    assert not wrong, synced.failed_checks


def assert_nothing_held_against_files(pipeline: Pipeline) -> None:
    """No file carries an attempt, and only those are set aside whose bytes cannot be read."""
    blamed = pipeline.query(
        "SELECT key, status, reason, attempts FROM ledger.landed_files"
        " WHERE (status = 'failing' AND attempts > 0) OR reason IN ('failed', 'gave_up')"
    )
    assert blamed == []


def _tables(pipeline: Pipeline) -> Tables:
    return Tables(
        pipeline.orders("cleaned_orders"),
        pipeline.revenue(),
        pipeline.spend(),
        sorted(row[:3] for row in pipeline.rejected()),
        pipeline.superseded(),
    )


def _daily_orders(pipeline: Pipeline) -> Mapping[str, Any]:
    """Each day is committed alone: an order that moves may be there on both its days for a while."""
    days: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in pipeline.lake_frame("daily_orders").to_dicts():
        time = row["order_date"].isoformat(sep=" ")
        days[time[:10]][row["order_id"]] = (row["customer_id"], str(row["amount"]), time)
    return days


def _parts(tables: Tables) -> Parts:
    """Tables taken apart into what is committed whole: days, and the rejects of files."""
    orders: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    spend: defaultdict[str, dict[str, str]] = defaultdict(dict)
    rejected: defaultdict[str, list[Any]] = defaultdict(list)
    for order, row in tables.orders.items():
        orders[row[2][:10]][order] = row
    for (day, customer), spent in tables.spend.items():
        spend[day][customer] = spent
    for source, *rest in tables.rejected:
        rejected[source].append(rest)
    return {
        "cleaned_orders": orders,
        "daily_revenue": tables.revenue,
        "daily_revenue_partitioned": spend,
        "rejected_orders": rejected,
    }
