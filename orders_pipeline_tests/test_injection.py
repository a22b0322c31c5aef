"""Keys, names and values that try to be more than text: SQL, markup, templates, control characters."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._config import ConfigType
from dagster._core.errors import DagsterInvalidConfigError, DagsterUnknownPartitionError

import orders_pipeline
from orders_pipeline.assets.ingestion import ListedObject
from orders_pipeline.cli.main import main
from orders_pipeline.definitions import defs, postgres
from orders_pipeline.errors import ReadError
from orders_pipeline_tests.support.driver import Pipeline

NASTY = [
    "'; DROP TABLE ledger.landed_files; --",
    '"; DROP SCHEMA analytics CASCADE; --',
    "\\'; SELECT pg_sleep(9); --",
    "$$; DELETE FROM ledger.order_days; $$",
    "%s %(key)s %% %n",
    ":key :1 {0} {key} ${HOME} $(id) `id`",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[red]bold[/red] [link=https://evil.example]",
    "\x1b]0;pwned\x07\x1b[2J",
    "\N{RIGHT-TO-LEFT OVERRIDE}fdp.exe",
    "\u2028\N{ZERO WIDTH SPACE}é日本\N{PILE OF POO}",
    "../../etc/passwd",
]
MARKUP = re.compile(r"<\s*(?:script|img)", re.IGNORECASE)
DAY = "2026-03-04"


def quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def tables(pipeline: Pipeline) -> set[str]:
    query = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema !~ '^(pg_|inf)'"
    return {name for (name,) in pipeline.query(query)}


@pytest.fixture
def unharmed(pipeline: Pipeline) -> Iterator[Pipeline]:
    """A pipeline that has the same tables in the end."""
    before = tables(pipeline)
    yield pipeline
    assert tables(pipeline) == before


def test_keys_and_values_are_data_wherever_they_go(unharmed: Pipeline) -> None:
    for number, nasty in enumerate(NASTY):
        unharmed.land_rows(f"{nasty}/{nasty}.csv", f"{quoted(nasty)},{quoted(nasty)},{number}.00,{DAY}", ",,,-")
        unharmed.land(f"{nasty}.bad", f"{nasty}\n")

    assert unharmed.sync().is_complete

    assert unharmed.orders() == {nasty: (nasty, f"{n}.00", f"{DAY} 00:00:00") for n, nasty in enumerate(NASTY)}
    assert unharmed.spend() == {(DAY, nasty): f"{number}.00" for number, nasty in enumerate(NASTY)}
    assert {row[0] for row in unharmed.rejected()} == {f"landing/{nasty}/{nasty}.csv" for nasty in NASTY}
    assert {file.key for file in unharmed.status().quarantined} == {f"landing/{nasty}.bad" for nasty in NASTY}


def test_markup_in_keys_and_values_is_shown_escaped(unharmed: Pipeline) -> None:
    """Few enough to be among the examples that a check names."""
    script = "<script>alert(1)</script>"
    unharmed.land_rows(f"{script}.csv", f"{script},{script},-1.00,{DAY}", f"<img src=x>,ann,-1.00,{DAY}")
    unharmed.land(f"{script}.bad", f"{script}\n")
    assert unharmed.sync().is_complete

    shown = shown_in_the_ui(unharmed)

    for check in ("landed_files_are_readable", "no_negative_amounts"):
        assert "&lt;script>alert(1)" in shown[check], shown[check]
    assert {name: text for name, text in shown.items() if MARKUP.search(text)} == {}


def shown_in_the_ui(pipeline: Pipeline) -> dict[str, str]:
    """What of a run the UI renders as Markdown: descriptions of checks, and metadata that is Markdown."""
    result = pipeline.run("daily_pipeline", partition=DAY, tags={"orders/full_refresh": "true"})
    assert result.success
    found = {check.check_name: check.description or "" for check in result.get_asset_check_evaluations()}
    metadata: list[tuple[str, Any]] = [
        (f"{event.asset_key}.{name}", value)
        for event in result.get_asset_materialization_events()
        for name, value in event.materialization.metadata.items()
    ]
    for name, value in metadata:
        if isinstance(value, dg.MarkdownMetadataValue):
            found[name] = str(value.value) + "".join(
                base64.b64decode(picture).decode() for picture in re.findall(r"base64,([\w+/=]+)", str(value.value))
            )
    assert any(isinstance(value, dg.MarkdownMetadataValue) for _, value in metadata)
    return found


def test_a_terminal_obeys_no_key(unharmed: Pipeline) -> None:
    for nasty in NASTY:
        unharmed.land(f"{nasty}.bad", f"{nasty}\n")
    for command in ("status", "sync", "status"):
        said = CliRunner().invoke(main, [command]).output
        assert [c for c in said if not c.isprintable() and c != "\n"] == []
    assert "landing/<script>alert(1)</script>.bad" in said
    assert "landing/\\x1b]0;pwned\\x07\\x1b[2J.bad" in said
    assert "landing/[red]bold[/red]" in said


def test_a_key_that_postgres_cannot_hold_blocks_no_other(unharmed: Pipeline) -> None:
    unharmed.land_rows("nul\x00.csv", f"1,ann,1.00,{DAY}")
    unharmed.land_rows("good.csv", f"2,bob,2.00,{DAY}", f"3\x00,eve,4.00,{DAY}")

    assert unharmed.sync().is_complete

    assert unharmed.revenue() == {DAY: ("2.00", 1)}
    assert [row[2] for row in unharmed.rejected()] == ["nul_character"]


@pytest.mark.parametrize("command", ["retry", "retract"])
@pytest.mark.parametrize("key", [*NASTY, "table:orders/'; DROP TABLE ledger.order_days; --"])
def test_a_key_on_the_command_line_is_a_key(unharmed: Pipeline, command: str, key: str) -> None:
    said = CliRunner().invoke(main, [command, "--", key])

    assert said.exit_code == 2
    assert said.output.startswith("Error: ")


@pytest.mark.parametrize("nasty", [name for name in NASTY if "\x1b" not in name])
def test_names_of_columns_and_of_the_source_table_are_names(
    unharmed: Pipeline, monkeypatch: pytest.MonkeyPatch, nasty: str
) -> None:
    # Postgres keeps 63 bytes of a name; a dot would part a schema from its table, an = an alias from its column.
    table, column = nasty.replace(".", "")[:40], f"on {nasty}"[:40].replace("=", "")
    header = ",".join(["order_id", "customer_id", "amount", "order_date", quoted(nasty)])
    unharmed.land_rows("a.csv", f"1,ann,1.00,{DAY},x", header=header)
    monkeypatch.setenv("ORDERS_SOURCE_TABLE", table)
    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", f"{column}=order_date")
    with postgres.engine().begin() as transaction:
        name, dated = (quoted(part).replace("%", "%%") for part in (table, column))
        columns = f"order_id text, customer_id text, amount numeric, {dated} date"
        transaction.exec_driver_sql(f"CREATE TABLE {name} ({columns})")
        transaction.exec_driver_sql(f"INSERT INTO {name} VALUES ('t', 'eve', 2, '2026-03-05')")

    synced = unharmed.sync()

    assert synced.is_complete, synced
    assert unharmed.revenue() == {DAY: ("1.00", 1), "2026-03-05": ("2.00", 1)}
    with postgres.engine().begin() as transaction:
        transaction.exec_driver_sql(f"DROP TABLE {name}")


def test_tables_asked_for_by_name_are_names(unharmed: Pipeline) -> None:
    for nasty in NASTY:
        with pytest.raises(ReadError, match="There is no table"):
            orders_pipeline.read(nasty)
        with pytest.raises(Exception, match="does not exist"):
            postgres.read_table(nasty)


def test_partition_keys_are_days(unharmed: Pipeline) -> None:
    for nasty in [*NASTY, f"{DAY}'; DROP TABLE ledger.order_days; --", "2026-03-04\x00"]:
        with pytest.raises(DagsterUnknownPartitionError):
            unharmed.run("daily_pipeline", partition=nasty)
        edges = {f"dagster/asset_partition_range_{edge}": nasty for edge in ("start", "end")}
        try:
            failed = not unharmed.run("stale_days", tags=edges).success
        except (dg.DagsterError, ValueError):
            continue
        assert failed, nasty


def test_run_config_names_files_of_the_landing_zone_and_nothing_else(unharmed: Pipeline) -> None:
    def refusal(*keys: str) -> str:
        failed = unharmed.run("s3_arrival", config={"ops": {"raw_orders": {"config": {"s3_keys": list(keys)}}}})
        assert not failed.success
        return "".join(str(event.event_specific_data) for event in failed.all_events if event.is_step_failure)

    assert "no such key is or was" in refusal(*(f"landing/{nasty}" for nasty in NASTY))
    for outside in ("payroll/march.csv", "lake/raw_orders/x.parquet", "table:orders/all", "", "/landing/a.csv"):
        assert "not in the landing zone" in refusal(outside)


@pytest.mark.parametrize("job", ["daily_pipeline", "s3_arrival", "stale_days", "__ASSET_JOB"])
def test_no_run_config_says_where_anything_is(job: str) -> None:
    definition = defs.resolve_job_def(job)
    fields = set(paths_of(definition.run_config_schema.run_config_schema_type))

    ours = {path for path in fields if path[0] not in ("execution", "loggers")}
    ours_to_set = {("config",), ("config", "s3_keys"), ("config", "listed")}
    assert {path[2:] for path in ours if path[0] == "ops" and len(path) > 2} <= ours_to_set
    # Of what is listed, the key is among s3_keys, which have to be of the landing zone, or else is not looked at.
    assert set(ListedObject.model_fields) == {"key", "etag", "size", "last_modified", "may_be_archived"}
    # Dagster's own: the folder of assets that name no I/O manager. All of ours name one.
    dagsters = ("resources", "io_manager", "config", "base_dir")
    assert {path for path in ours if path[0] == "resources" and len(path) > 3} == {dagsters}
    made = [asset.op for asset in defs.resolve_asset_graph().assets_defs if asset.is_executable and asset.keys]
    assert {output.io_manager_key for op in made for output in op.output_defs} == {"lake", "marts"}
    for resource in ("postgres", "s3", "lake", "marts"):
        for field in ("url", "database_url", "table", "endpoint_url", "bucket", "uri"):
            config = {"resources": {resource: {"config": {field: "http://evil.example"}}}}
            with pytest.raises(DagsterInvalidConfigError):
                dg.validate_run_config(definition, config)


def paths_of(kind: ConfigType, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every field that a run's config may have."""
    for name, field in getattr(kind, "fields", {}).items():
        yield (*path, name)
        yield from paths_of(field.config_type, (*path, name))
