"""Where Dagster keeps its history on this machine, and what is said of a configuration that lacks something."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from orders_pipeline.cli.local import dagster_home, local_instance, warn_of_gaps
from orders_pipeline.errors import SettingsError
from orders_pipeline.settings import Settings, read_settings
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the project's dagster.yaml, and DAGSTER_HOME not set."""
    shutil.copy2(ROOT / "dagster.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path


def test_dagster_s_home_is_the_documented_one_whether_the_variable_names_it_or_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented = folder / ".orders/dagster"
    for variable in (None, documented):
        if variable:
            monkeypatch.setenv("DAGSTER_HOME", str(variable))
        assert dagster_home(Settings()) == documented
        assert (documented / "dagster.yaml").read_text() == (folder / "dagster.yaml").read_text()
        shutil.rmtree(documented)
    for page in ("README.md", "docs/getting-started.md"):
        assert "export DAGSTER_HOME=$PWD/.orders/dagster\n" in (ROOT / page).read_text()


@pytest.mark.parametrize(("home", "message"), [("no/such", "relative path"), ("/no/such", "mkdir -p /no/such")])
def test_a_dagster_home_that_dagster_cannot_use_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, home: str, message: str
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", home)
    with pytest.raises(SettingsError, match=message):
        dagster_home(Settings())


def said_of(configuration: str | None, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a home with this dagster.yaml."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").unlink(missing_ok=True)
    if configuration is not None:
        (home / "dagster.yaml").write_text(configuration)
    with local_instance(read_settings()) as instance:
        warn_of_gaps(instance)
    return capsys.readouterr().out


def test_a_home_without_our_configuration_is_told_what_it_lacks_and_the_fix(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = folder / "mine"
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    said = said_of(None, home, capsys)
    assert "run_monitoring" in said
    assert "run_retries" in said
    assert f"Copy {folder}/dagster.yaml to {home}." in said
    said = said_of("run_monitoring: {enabled: true}\nfreshness: {enabled: false}\n", home, capsys)
    assert "run_monitoring" not in said
    assert "run_retries" in said
    assert "freshness" in said
    assert f"to {home}/dagster.yaml." in said
    assert said_of((folder / "dagster.yaml").read_text(), home, capsys) == ""


def test_lost_history_is_reported_from_the_ledger_once_and_builds_nothing(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert "nothing to report" in call("report-to-dagster").output
    pipeline.land_rows("a.csv", "1,ann,1.50,2026-03-04", "2,bob,2.00,2026-03-04", "3,bob,4.00,2026-03-06", "4,,1,x")
    assert pipeline.sync().is_complete
    before = [pipeline.built(table) for table in ("cleaned_orders", "daily_revenue", "daily_orders")]

    first, again = call("report-to-dagster"), call("report-to-dagster")

    assert "daily_orders: 2 materializations reported" in first.output
    assert "already had 0 materializations" in first.output
    assert "reported" not in again.output
    assert "already had 8 materializations" in again.output
    assert [pipeline.built(table) for table in ("cleaned_orders", "daily_revenue", "daily_orders")] == before
    with local_instance(read_settings()) as instance:
        assert instance.get_runs_count() == 0
        day = of_partition(instance, "daily_revenue_partitioned", "2026-03-04")
        assert day["Revenue"].value == "3.50"
        assert day["Customers"].value == day["dagster/partition_row_count"].value == 2
        assert day["Day version"].value.isdigit()
        assert of_partition(instance, "daily_orders", "2026-03-06")["Orders"].value == 1
        shown = {asset: of_partition(instance, asset) for asset in ("raw_orders", "rejected_orders", "daily_revenue")}
    assert shown["raw_orders"]["dagster/row_count"].value == 4
    assert shown["rejected_orders"]["dagster/row_count"].value == 1
    assert "Wed 2026-03-04|3.50|2|" in shown["daily_revenue"]["Last 14 days with orders"].value

    pipeline.land_rows("b.csv", "5,ann,1.00,2026-03-08")
    assert pipeline.sync().is_complete
    assert "daily_orders: 1 materialization reported" in call("report-to-dagster").output


def of_partition(instance: dg.DagsterInstance, asset: str, partition: str | None = None) -> dict[str, dg.MetadataValue]:
    """The metadata of the only materialization of an asset, or of one partition of it."""
    which = dg.AssetRecordsFilter(dg.AssetKey(asset), [partition] if partition else None)
    [record] = instance.fetch_materializations(which, limit=10).records
    assert record.asset_materialization
    return dict(record.asset_materialization.metadata)
