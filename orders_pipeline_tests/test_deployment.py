"""The files of the deployment say the same. That they work is the business of `deploy/test_stack`."""

import re
from pathlib import Path
from typing import Any

import yaml

from orders_pipeline.ledger.roles import PIPELINE
from orders_pipeline.pools import PARTITIONED_POOL, UNPARTITIONED_POOL
from orders_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
EXAMPLE = (ROOT / ".env.example").read_text()
INSTANCE = yaml.safe_load((ROOT / "deploy/dagster.yaml").read_text())
SECRETS = {"POSTGRES_PASSWORD", "PIPELINE_PASSWORD", "DAGSTER_PASSWORD", "REDIS_PASSWORD"}


def test_every_variable_of_the_compose_file_is_explained_and_no_other() -> None:
    code = "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))
    passed_on = {name for service in SERVICES.values() for name, value in environment(service).items() if value is None}
    used = set(re.findall(r"\$\{(\w+)", code)) | passed_on
    explained = re.findall(r"^#?([A-Z_0-9]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(explained) == sorted(used | SECRETS)
    for paragraph in re.split(r"\n(?=# )", EXAMPLE)[1:]:
        assert paragraph.startswith("# ")


def test_every_setting_reaches_the_code_and_the_workers() -> None:
    settings = {f"ORDERS_{name.upper()}" for name in Settings.model_fields if name != "home"}
    for name in ("migrate", "code", "daemon", "worker"):
        assert settings <= set(environment(SERVICES[name])), name


def test_webservers_know_neither_orders_nor_credentials_of_s3() -> None:
    for name in ("webserver", "viewer"):
        assert set(environment(SERVICES[name])) == {"DAGSTER_DATABASE_URL", "BROKER_URL"}


def test_the_owner_is_known_to_the_migration_alone() -> None:
    urls = {name: environment(service).get("ORDERS_DATABASE_URL") for name, service in SERVICES.items()}
    assert urls["migrate"] == "${ORDERS_OWNER_URL:?see .env.example}"
    assert {urls[name] for name in ("code", "daemon", "worker")} == {"${ORDERS_DATABASE_URL:?see .env.example}"}
    assert [name for name in SERVICES if "POSTGRES_PASSWORD" in environment(SERVICES[name])] == ["postgres"]
    users = dict(re.findall(r"^(\w+_URL)=\S+?://(\w*):", EXAMPLE, re.MULTILINE))
    assert users["ORDERS_DATABASE_URL"] == PIPELINE
    assert users["DAGSTER_DATABASE_URL"] == "dagster"


def test_no_secret_is_written_in_a_file() -> None:
    for name in SECRETS | {"BROKER_URL", "ORDERS_DATABASE_URL", "ORDERS_OWNER_URL", "DAGSTER_DATABASE_URL"}:
        assert set(re.findall(rf"\$\{{{name}(.*?)\}}", TEXT)) <= {":?see .env.example"}
    for name in SECRETS:
        assert f"\n{name}=\n" in EXAMPLE
    assert not re.search(r"://[^@$\s]*:[^@$\s]+@", TEXT + EXAMPLE + (ROOT / "deploy/dagster.yaml").read_text())


def test_only_the_proxy_is_published_and_only_on_this_machine_until_told_otherwise() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert all(port.startswith("${PROXY_ADDRESS:-127.0.0.1}:") for port in SERVICES["proxy"]["ports"])
    networks = yaml.safe_load(TEXT)["networks"]
    assert [name for name, network in networks.items() if network.get("internal")] == ["state", "web"]
    for name, reached in {"postgres": ["state"], "redis": ["state"], "s3": ["state"], "proxy": ["web", "edge"]}.items():
        assert SERVICES[name]["networks"] == reached


def test_every_service_is_confined() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == {"migrate": "no", "bucket": "on-failure"}.get(name, "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in ("migrate", "bucket", "s3")), name


def test_nothing_of_the_pipeline_starts_before_the_migration_has_ended() -> None:
    for name in ("code", "webserver", "viewer", "daemon", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name
    assert set(SERVICES["migrate"]["depends_on"]) == {"postgres", "redis"}


def test_the_times_fit_together() -> None:
    celery, monitoring = INSTANCE["run_launcher"]["config"]["config_source"], INSTANCE["run_monitoring"]
    longest = monitoring["max_runtime_seconds"] + monitoring["cancel_timeout_seconds"]
    assert longest < celery["task_time_limit"] < celery["broker_transport_options"]["visibility_timeout"]
    assert celery["task_time_limit"] < celery["result_expires"]
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("m")) * 60 > celery["task_time_limit"]


def test_pools_are_named_as_the_assets_name_them() -> None:
    command = SERVICES["migrate"]["command"][-1]
    assert re.findall(r"concurrency set (\w+)", command) == [UNPARTITIONED_POOL, PARTITIONED_POOL]
    assert INSTANCE["concurrency"]["pools"]["granularity"] == "run"


def test_kubernetes_is_told_the_same() -> None:
    text = (ROOT / "deploy/kubernetes/values.yaml").read_text()
    values, monitoring = yaml.safe_load(text), INSTANCE["run_monitoring"]
    (version,) = re.findall(r"^dagster==([\d.]+)", (ROOT / "requirements-deploy.lock").read_text(), re.MULTILINE)
    assert f"--version {version}" in text

    def snake(name: str) -> str:
        return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)

    daemon, more = values["dagsterDaemon"], values["additionalInstanceConfig"]
    assert {snake(name): value for name, value in daemon["runMonitoring"].items()} == monitoring
    assert {snake(name): value for name, value in daemon["runRetries"].items()} == INSTANCE["run_retries"]
    assert more == {name: INSTANCE[name] for name in ("nux", "freshness", "concurrency")}
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert set(deployment["env"]) | {"ORDERS_DATABASE_URL"} >= {
        name for name, value in environment(SERVICES["code"]).items() if name.startswith("ORDERS_") and value
    }
    retention = {
        kind: {snake(name): days for name, days in values["retention"][kind].items()} for kind in ("sensor", "schedule")
    }
    assert retention == INSTANCE["retention"]


def environment(service: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = service.get("environment", {})
    return found
