"""When a revenue table counts as too old, by Dagster's own evaluation of the policies."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness import CronFreshnessPolicy, FreshnessState
from dagster._core.definitions.freshness_evaluator import FRESHNESS_EVALUATORS_BY_POLICY_TYPE
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import freeze_time

from orders_pipeline.definitions import defs
from orders_pipeline.freshness import PARTITIONED_FRESHNESS, REVENUE_FRESHNESS
from orders_pipeline.schedules import daily_schedule

SCHEDULED = datetime(2026, 3, 5, 6, tzinfo=UTC)  # a Thursday
BUILT = SCHEDULED + timedelta(minutes=5)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def build(instance: dg.DagsterInstance, asset: str, at: datetime) -> None:
    with freeze_time(at):
        instance.report_runless_asset_event(dg.AssetMaterialization(asset))


def state(instance: dg.DagsterInstance, asset: str, at: datetime) -> FreshnessState:
    node = defs.get_repository_def().asset_graph.get(dg.AssetKey(asset))
    policy = node.freshness_policy_or_from_metadata
    assert policy is not None
    evaluator = FRESHNESS_EVALUATORS_BY_POLICY_TYPE[type(policy)]()
    with freeze_time(at):
        return asyncio.run(evaluator.evaluate_freshness(LoadingContextForTest(instance), node))


def test_both_revenue_tables_have_a_policy_and_no_other_asset() -> None:
    graph = defs.get_repository_def().asset_graph
    policies = {
        key.to_user_string(): graph.get(key).freshness_policy_or_from_metadata for key in graph.get_all_asset_keys()
    }

    assert {name: policy for name, policy in policies.items() if policy is not None} == {
        "daily_revenue": REVENUE_FRESHNESS,
        "daily_revenue_partitioned": PARTITIONED_FRESHNESS,
    }


def test_the_window_of_the_morning_run_begins_with_the_schedule() -> None:
    assert isinstance(REVENUE_FRESHNESS, CronFreshnessPolicy)
    deadline = timedelta(hours=int(REVENUE_FRESHNESS.deadline_cron.split()[1]))

    assert daily_schedule.cron_schedule == f"0 {(deadline - REVENUE_FRESHNESS.lower_bound_delta).seconds // 3600} * * *"
    assert daily_schedule.execution_timezone == REVENUE_FRESHNESS.timezone == "UTC"


@pytest.mark.parametrize("asset", ["daily_revenue", "daily_revenue_partitioned"])
def test_a_table_that_the_morning_run_built_is_fresh_until_the_next_one_is_due(
    instance: dg.DagsterInstance, asset: str
) -> None:
    build(instance, asset, BUILT)

    for hours in (0.1, 12, 24, 25.9):
        assert state(instance, asset, SCHEDULED + timedelta(hours=hours)) == FreshnessState.PASS, hours


def test_daily_revenue_is_too_old_two_hours_after_a_morning_run_that_did_not_come(instance: dg.DagsterInstance) -> None:
    build(instance, "daily_revenue", BUILT)
    build(instance, "daily_revenue", SCHEDULED + timedelta(hours=23))  # a file arrived before the next run was due

    assert state(instance, "daily_revenue", SCHEDULED + timedelta(hours=25)) == FreshnessState.PASS
    assert state(instance, "daily_revenue", SCHEDULED + timedelta(hours=26, minutes=1)) == FreshnessState.FAIL


def test_a_closed_day_makes_the_partitioned_table_warn_and_two_make_it_too_old(instance: dg.DagsterInstance) -> None:
    build(instance, "daily_revenue_partitioned", BUILT)

    after_a_closed_day = SCHEDULED + timedelta(hours=48, minutes=30)
    assert state(instance, "daily_revenue_partitioned", after_a_closed_day) == FreshnessState.WARN
    after_two = SCHEDULED + timedelta(hours=72)
    assert state(instance, "daily_revenue_partitioned", after_two) == FreshnessState.FAIL
