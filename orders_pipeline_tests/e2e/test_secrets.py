"""A canary in every secret that a setting may hold, looked for wherever something is written, shown or told."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from click.testing import CliRunner
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster_graphql.schema import create_schema

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import defs, postgres, s3
from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.settings import read_settings
from orders_pipeline.storage.postgres import engine_for, source_engine
from orders_pipeline.storage.s3 import client_for
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.receiver import Receiver, receiving
from orders_pipeline_tests.support.servers import free_port, tcp_postgres
from orders_pipeline_tests.support.ticks import tick_alerts

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
CANARY = "canary7f3a"
USERS = {"ORDERS_DATABASE_URL": "keeper", "ORDERS_SOURCE_URL": "shopkeeper"}
ENTRIES = """
  metadataEntries { label description
    ... on TextMetadataEntry { text } ... on UrlMetadataEntry { url } ... on PathMetadataEntry { path }
    ... on MarkdownMetadataEntry { mdStr } ... on JsonMetadataEntry { jsonString } }
"""
DEFINITIONS = """{
  instance { info hasInfo }
  repositoriesOrError { __typename ... on PythonError { message stack } ... on RepositoryConnection { nodes {
    name
    allTopLevelResourceDetails { name description resourceType
      configFields { name description configTypeKey defaultValueAsJson } configuredValues { key value type } }
    pipelines { name description modes { name resources { name description
      configField { name configTypeKey defaultValueAsJson } } } }
    assetNodes { assetKey { path } description configField { name defaultValueAsJson } ENTRIES }
    sensors { name description } schedules { name description }
  } } }
}""".replace("ENTRIES", ENTRIES)
RUNS = "{ runsOrError { __typename ... on Runs { results { runId status runConfigYaml tags { key value } } } } }"
LOG = """query log($run: ID!) { logsForRun(runId: $run) { __typename ... on EventConnection { events { __typename
  ... on MessageEvent { message stepKey }
  ... on ExecutionStepFailureEvent { error { message stack errorChain { error { message stack } } } }
  ... on RunFailureEvent { error { message stack } }
  ... on MaterializationEvent { ENTRIES }
} } } }""".replace("ENTRIES", ENTRIES)


@pytest.fixture(scope="module")
def server() -> Iterator[sa.URL]:
    """A Postgres whose users' passwords are canaries."""
    with tcp_postgres() as url:
        for variable, user in USERS.items():
            say(url, f"CREATE ROLE {user} LOGIN PASSWORD '{CANARY}-{variable}'")
        yield sa.make_url(url)


def say(url: str, statement: str) -> None:
    with engine_for(url).connect().execution_options(isolation_level="AUTOCOMMIT") as superuser:
        superuser.exec_driver_sql(statement)


def new_database(server: sa.URL, variable: str) -> sa.URL:
    """A database of the test's own, as the user of a variable comes into it."""
    name, user = f"{USERS[variable]}_{uuid4().hex}", USERS[variable]
    say(server.render_as_string(hide_password=False), f"CREATE DATABASE {name} OWNER {user}")
    return server.set(username=user, password=f"{CANARY}-{variable}", database=name)


@pytest.fixture
def canaries(
    server: sa.URL, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Receiver]:
    """A pipeline of which every secret is a canary; the receiver of its alerts."""
    for variable in USERS:
        monkeypatch.setenv(variable, new_database(server, variable).render_as_string(hide_password=False))
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(variable, f"{CANARY}-{variable}")
    receiver = Receiver(free_port())
    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{receiver.port}/{CANARY}-webhook")
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "botocore")  # on DEBUG it tells every header: docs/security.md
    client_for.cache_clear()  # clients keep the credentials that they were made with
    with receiving(receiver):
        yield receiver
    client_for.cache_clear()


def wrong(monkeypatch: pytest.MonkeyPatch, what: str, server: sa.URL) -> None:
    """Make a connection fail, with a canary still in what it is made with."""
    source, ledger = server.set(password=f"{CANARY}-wrong"), server.set(password=f"{CANARY}-wrong")
    match what:
        case "password":
            monkeypatch.setenv("ORDERS_DATABASE_URL", ledger.render_as_string(hide_password=False))
        case "host":
            monkeypatch.setenv("ORDERS_DATABASE_URL", f"postgresql://u:{CANARY}@127.0.0.1:1/x")
        case "option":
            monkeypatch.setenv("ORDERS_DATABASE_URL", f"postgresql://u@127.0.0.1/x?password={CANARY}&nonsense=1")
        case "at":
            monkeypatch.setenv("ORDERS_DATABASE_URL", f"postgresql://u:p@{CANARY}@127.0.0.1/x")
        case "at and slash":
            monkeypatch.setenv("ORDERS_DATABASE_URL", f"postgresql://u:p@127.0.0.1:{server.port}/{CANARY}@127.0.0.1/x")
        case "port":
            monkeypatch.setenv("ORDERS_DATABASE_URL", f"postgresql://u:p@h:{CANARY}@127.0.0.1/x")
        case "no url":
            monkeypatch.setenv("ORDERS_DATABASE_URL", f"{CANARY}")
        case "source":
            monkeypatch.setenv("ORDERS_SOURCE_URL", source.render_as_string(hide_password=False))
        case "source at":
            monkeypatch.setenv("ORDERS_SOURCE_URL", f"postgresql://u:p@{CANARY}@127.0.0.1/x")
        case "s3":
            monkeypatch.setenv("ORDERS_S3_BUCKET", "no-such-bucket")
        case "s3 is down":
            monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", "http://127.0.0.1:1")
        case "webhook":
            monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", f"ftp://{CANARY}")


def asked(instance: dg.DagsterInstance, query: str, **variables: str) -> str:
    """What GraphQL answers, as a browser gets it."""
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(executable_path=sys.executable, module_name="orders_pipeline.definitions"),
        location_name="orders_pipeline",
    )
    with WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as process:
        context = process.create_request_context()
        answer = asyncio.run(create_schema().execute_async(query, context_value=context, variable_values=variables))
    assert answer.errors is None, answer.errors
    return json.dumps(answer.data)


def everything_of(instance: dg.DagsterInstance, folder: Path) -> dict[str, str]:
    """What Dagster keeps, and what it answers to who asks for definitions, runs and logs."""
    kept = {str(path): path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()}
    answers = {"definitions": asked(instance, DEFINITIONS), "runs": asked(instance, RUNS)}
    assert "allTopLevelResourceDetails" in answers["definitions"], answers["definitions"]
    for run in instance.get_runs():
        answers[run.run_id] = asked(instance, LOG, run=run.run_id)
        assert "RunStartEvent" in answers[run.run_id]
    return kept | answers


def assert_no_canary(texts: dict[str, str]) -> None:
    assert texts
    assert {name: text for name, text in texts.items() if CANARY in text} == {}


def test_what_works_tells_no_secret(
    canaries: Receiver,
    pipeline: Pipeline,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with source_engine(read_settings()).begin() as source:
        source.exec_driver_sql("CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date date)")
        source.exec_driver_sql("INSERT INTO orders VALUES ('t', 'eve', 2, '2026-03-05')")
    (tmp_path / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as instance:
        alone = Pipeline(tmp_path, instance)
        alone.land_rows("a.csv", "1,ann,1.50,2026-03-04", "2,,1.00,2026-03-04")
        assert alone.sync().is_complete
        assert alone.revenue()["2026-03-05"] == ("2.00", 1)
        texts = everything_of(instance, tmp_path / "instance")
    said = [CliRunner().invoke(main, command.split()) for command in ("status", "status --json", "vacuum", "recover")]
    assert [called.exit_code for called in said] == [0] * len(said)
    shown = [repr(thing) for thing in (postgres, s3, read_settings(), postgres.engine(), defs, s3.lake())]
    printed = capfd.readouterr()

    assert "keeper" in shown[3]  # a control: the URL is in reach
    assert_no_canary(
        {
            **texts,
            "commands": "\n".join(called.output for called in said),
            "repr": "\n".join([*shown, str(read_settings().model_dump())]),
            "log": caplog.text,
            "printed": f"{printed.out}\n{printed.err}",
        }
    )


@pytest.mark.parametrize(
    "what",
    ["password", "host", "option", "at", "at and slash", "port", "no url", "source", "source at", "s3", "s3 is down"],
)
def test_what_fails_tells_no_secret(
    canaries: Receiver,
    pipeline: Pipeline,
    server: sa.URL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    what: str,
) -> None:
    (tmp_path / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as instance:
        ticks = [tick_alerts(instance)]
        wrong(monkeypatch, what, server)
        run = Pipeline(tmp_path, instance).run("daily_pipeline", partition="2026-03-05")
        assert not run.success  # a source table that does not answer is asked again: there, a check misses its orders
        said = [CliRunner().invoke(main, [command]) for command in ("status", "recover", "vacuum", "migrate")]
        ticks.append(tick_alerts(instance))
        texts = everything_of(instance, tmp_path / "instance")
    printed = capfd.readouterr()

    told = [body["text"] for _, _, body in canaries.requests]
    assert any(text.startswith(("Run failed", "Check failed")) for text in told), told
    assert_no_canary(
        {
            **texts,
            "commands": "\n".join(f"{called.output}{called.exception!r}" for called in said),
            "ticks": "\n".join(ticks),
            "alerts": "\n".join(told),
            "log": caplog.text,
            "printed": f"{printed.out}\n{printed.err}",
        }
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ORDERS_ALERT_WEBHOOK_URL", f"ftp://{CANARY}"),
        ("ORDERS_DATABASE_URL", f"postgresql://u:p@{CANARY}@h/x"),
        ("ORDERS_DATABASE_URL", f"postgresql://u:p?@{CANARY}@h/x"),
        ("ORDERS_DATABASE_URL", f"postgresql://u:p@h:5432/{CANARY}@h/x"),
        ("ORDERS_DATABASE_URL", f"mysql://u:{CANARY}@h/x"),
    ],
)
def test_a_setting_that_is_refused_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(OrdersPipelineError, match=variable) as refused:
        postgres.engine()

    assert CANARY not in f"{refused.value}{refused.value.__cause__}"


def test_the_production_instance_tells_no_secret(
    server: sa.URL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The one of deploy/dagster.yaml, whose storage and broker have passwords."""
    caplog.set_level(logging.DEBUG)
    url = new_database(server, "ORDERS_DATABASE_URL").set(drivername="postgresql+psycopg2")
    settings = yaml.safe_load((ROOT / "deploy/dagster.yaml").read_text())
    settings["local_artifact_storage"]["config"]["base_dir"] = str(tmp_path)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("BROKER_URL", f"redis://:{CANARY}-broker@127.0.0.1:1/0")
    monkeypatch.setenv("DAGSTER_DATABASE_URL", url.render_as_string(hide_password=False))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        definitions = asked(instance, DEFINITIONS)
        shown = [instance.info_str(), repr(instance.run_launcher), repr(instance.event_log_storage)]
    monkeypatch.setenv("DAGSTER_DATABASE_URL", url.set(password=f"{CANARY}-w").render_as_string(hide_password=False))
    with pytest.raises(Exception, match="too many retries for DB connection") as refused:
        dg.DagsterInstance.from_config(str(tmp_path))

    assert "password authentication failed" in caplog.text
    assert "env: BROKER_URL" in shown[0]  # its name, and no more
    assert_no_canary(
        {
            "definitions": definitions,
            "shown": "\n".join(shown),
            "refused": f"{refused.value!r} {refused.value.__cause__!r}",
            "log": caplog.text,
        }
    )
