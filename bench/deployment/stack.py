"""The stack of docker-compose.yml, as it stands: started, asked, broken and stopped by Compose and the engine."""

import http.client
import json
import os
import shlex
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
import pandas as pd
import psycopg2
import sqlalchemy as sa

from bench.deployment.engine import IMAGES, ROOT, Engine
from bench.variables import OF_THE_PIPELINE

PROJECT = "orders-deploy-test"
BUCKET = "shop"
PASSWORDS = {"operators": "correct-horse", "viewers": "battery-staple"}
PORTS = {"operators": 18443, "viewers": 18444}
SECRET = "abcdef0123456789"  # noqa: S105
LAUNCH = """
mutation launch($selector: JobOrPipelineSelector!, $tags: [ExecutionTag!]) {
  launchRun(executionParams: {selector: $selector, executionMetadata: {tags: $tags}}) { __typename }
}
"""
SERVICES = ("postgres", "redis", "migrate", "code", "webserver", "viewer", "daemon", "worker", "proxy")


class Stack:
    """Docker Compose on the production file; its variables are all that is the test's own."""

    def __init__(self, docker: Engine, folder: Path, image: str, **variables: str) -> None:
        self.docker = docker
        self.landed = 0
        self._counting = Lock()
        self.private = folder / "private"
        self._environment_file = folder / "environment"
        self.files = [ROOT / "docker-compose.yml"]
        self._environment_file.write_text((ROOT / ".env.example").read_text())
        here = {
            "POSTGRES_PASSWORD": SECRET,
            "PIPELINE_PASSWORD": SECRET,
            "DAGSTER_PASSWORD": SECRET,
            "REDIS_PASSWORD": SECRET,
            "ORDERS_IMAGE": image,
            "ORDERS_S3_BUCKET": BUCKET,
            "ORDERS_S3_ENDPOINT_URL": "http://s3:5000",
            "ORDERS_START_DATE": "2010-12-01",
            "AWS_ACCESS_KEY_ID": "shop",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "PROXY_FILES": str(self.private),
            "PROXY_PORT": str(PORTS["operators"]),
            "PROXY_VIEWER_PORT": str(PORTS["viewers"]),
            **IMAGES,
            **variables,
        }
        self.set(**here)
        self._write_users()

    def set(self, **variables: str) -> None:
        """Give Compose's variables other values, from now on."""
        lines = self._environment_file.read_text().splitlines()
        kept = [line for line in lines if line.lstrip("#").partition("=")[0] not in variables]
        self._environment_file.write_text("\n".join([*(f"{k}={v}" for k, v in variables.items()), *kept]) + "\n")

    def compose(self, *arguments: str, seconds: float = 300) -> str:
        """Call Compose; what it printed."""
        return self._run([*self._compose(), *arguments], ROOT, seconds)

    def shell(self, line: str, folder: Path, seconds: float = 600) -> str:
        """Run a line of the documents in a folder: its `docker compose` is that of this stack."""
        return self._run(["bash", "-c", line.replace("docker compose", shlex.join(self._compose()))], folder, seconds)

    def _compose(self) -> list[str]:
        files = [f"--file={file}" for file in self.files]
        place = ["--project-directory", str(ROOT), "--project-name", PROJECT, "--env-file", str(self._environment_file)]
        return [*self.docker.compose, *place, *files, "--profile", "try"]

    def _run(self, command: list[str], folder: Path, seconds: float) -> str:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(OF_THE_PIPELINE)}
        done = subprocess.run(
            command, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=seconds
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}\n{self.complaints()}"
        return done.stdout

    def complaints(self) -> str:
        """The last that each container said."""
        said = []
        for name in self.containers(everything=True):
            done = self.call("logs", "--tail=25", name, check=False)
            said.append(f"--- {name}\n{done}")
        return "\n".join(said)

    def call(self, *arguments: str, check: bool = True) -> str:
        """Call the engine."""
        done = subprocess.run(
            [self.docker.docker, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}"
        return done.stdout

    def containers(self, service: str | None = None, *, everything: bool = False) -> list[str]:
        """Names of the containers (of a service) that run, or of all that are there."""
        labels = [f"--filter=label=com.docker.compose.project={PROJECT}"]
        labels += [f"--filter=label=com.docker.compose.service={service}"] if service else []
        found = self.call("ps", "--format={{.Names}}", *labels, *(["--all"] if everything else []))
        return sorted(found.split())

    def inspect(self, container: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.call("inspect", container))
        return found[0]

    def address(self, service: str) -> str:
        """Where this machine, and nobody beyond it, reaches a service's container."""
        networks = self.inspect(self.containers(service)[0])["NetworkSettings"]["Networks"]
        return str(networks[f"{PROJECT}_state"]["IPAddress"])

    def up(self) -> None:
        """Start everything, and wait until all are well."""
        self.compose("up", "--detach", "--no-build", seconds=420)
        self.wait_until_well()

    def wait_until_well(self, seconds: float = 180) -> None:
        """Wait until every container that has a health check says that it is healthy."""

        def is_well() -> bool:
            states = [self.inspect(name)["State"] for name in self.containers()]
            return all(state.get("Health", {"Status": "healthy"})["Status"] == "healthy" for state in states)

        self.wait_for("every container is healthy", is_well, seconds, pause=2)

    def wait_for(self, what: str, attempt: Callable[[], Any], seconds: float = 240, pause: float = 1.0) -> Any:
        """Try until it is so. That a server is away at the time is not yet a failure."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                found, error = attempt(), None
            except (psycopg2.Error, sa.exc.DBAPIError, OSError, IndexError, KeyError) as away:
                found, error = None, away
            if found:
                return found
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s ({error})\n{self.complaints()}"
            time.sleep(pause)

    def query(self, query: str, database: str = "orders") -> pd.DataFrame:
        """Ask one of the two databases."""
        url = f"postgresql+psycopg2://orders:{SECRET}@{self.address('postgres')}:5432/{database}"
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": 5})
        with engine.connect() as connection:
            return pd.read_sql_query(sa.text(query), connection, coerce_float=False)

    def runs(self, where: str = "true") -> list[dict[str, Any]]:
        """Dagster's runs, first to last."""
        query = f"SELECT run_id, pipeline_name AS job, status, start_time FROM runs WHERE {where} ORDER BY id"
        rows: list[dict[str, Any]] = self.query(query, "dagster").to_dict("records")
        return rows

    def tags_of(self, run_id: str) -> dict[str, str]:
        rows = self.query(f"SELECT key, value FROM run_tags WHERE run_id = '{run_id}'", "dagster")
        return dict(zip(rows["key"], rows["value"], strict=True))

    def messages_of(self, run_id: str) -> str:
        """Everything that Dagster's log has of a run."""
        return "\n".join(self.query(f"SELECT event FROM event_logs WHERE run_id = '{run_id}'", "dagster")["event"])

    def worker_of(self, run_id: str) -> str | None:
        """The container that has this run in hand, as Celery's own record has it."""
        task = self.tags_of(run_id).get("dagster-celery/task_id")
        said = self.call("exec", self.containers("redis")[0], "redis-cli", "--raw", "get", f"celery-task-meta-{task}")
        record = json.loads(said) if said.startswith("{") else {}
        host = str((record.get("result") or {}).get("hostname", "")).removeprefix("celery@")
        return next((n for n in self.containers("worker") if host and self.inspect(n)["Id"].startswith(host)), None)

    def is_settled(self) -> bool:
        """Whether all files that were landed here are loaded, nothing is stale and no run is under way."""
        loaded = self.query("SELECT count(*) FILTER (WHERE status = 'loaded') AS loaded FROM ledger.landed_files")
        if loaded["loaded"][0] != self.landed:
            return False
        if self.runs("status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"):
            return False
        status = json.loads(self.exec("code", "orders-pipeline", "status", "--json"))
        return not any(status["stale_days"].values()) and status["files"]["pending"] == 0

    def exec(self, service: str, *command: str) -> str:
        """Run a command in a service's container; its standard output."""
        container = self.containers(service)[0]
        done = subprocess.run(
            [self.docker.docker, "exec", container, *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def land(self, files: Sequence[Path], prefix: str = "") -> None:
        """Upload files as a partner would, to S3."""
        client = self._s3()
        for file in files:
            client.upload_file(str(file), BUCKET, f"landing/{prefix}{file.name}")
            with self._counting:  # others land at the same time
                self.landed += 1

    def remove_from_s3(self, key: str) -> None:
        """As a partner who tidies up."""
        self._s3().delete_object(Bucket=BUCKET, Key=key)

    def visit(
        self,
        door: str,
        user: str | None = None,
        path: str = "/server_info",
        body: bytes | None = None,
        site: str = "same-origin",
    ) -> tuple[int, str]:
        """Knock at the proxy, with a user's password or without: the answer's status and text."""
        request = urllib.request.Request(f"https://localhost:{PORTS[door]}{path}", data=body)
        request.add_header("Content-Type", "application/json")
        request.add_header("Sec-Fetch-Site", site)
        if user is not None:
            request.add_header("Authorization", _password_of(user))
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._trust()) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def launch(self, job: str, tags: dict[str, str]) -> None:
        """Ask for a run, as the UI does."""
        place = {"repositoryLocationName": "orders_pipeline", "repositoryName": "__repository__", "jobName": job}
        given = {"selector": place, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
        question = json.dumps({"query": LAUNCH, "variables": given}).encode()
        status, said = self.visit("operators", "operators", "/graphql", question)
        assert (status, "LaunchRunSuccess" in said) == (200, True), said

    def visit_often(self, user: str, times: int) -> list[int]:
        """Knock again and again on one connection, until told to slow down: the answers' statuses."""
        connection = http.client.HTTPSConnection("localhost", PORTS[user], timeout=20, context=self._trust())
        found: list[int] = []
        while len(found) < times and 429 not in found:
            connection.request("GET", "/server_info", headers={"Authorization": _password_of(user)})
            answer = connection.getresponse()
            answer.read()
            found.append(answer.status)
        connection.close()
        return found

    def open_websocket(self, user: str) -> int:
        """Ask for what brings the event log to the browser: the answer's status, 101 if it is open."""
        connection = http.client.HTTPSConnection("localhost", PORTS[user], timeout=20, context=self._trust())
        headers = {
            "Authorization": _password_of(user), "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": b64encode(b"sixteen bytes ok").decode(),
            "Sec-WebSocket-Protocol": "graphql-ws",
        }  # fmt: skip
        connection.request("GET", "/graphql", headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def _s3(self) -> Any:
        return boto3.client(
            "s3", endpoint_url=f"http://{self.address('s3')}:5000", region_name="us-east-1",
            aws_access_key_id="shop", aws_secret_access_key=SECRET,
        )  # fmt: skip

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.private / "certificate.pem"))

    def _write_users(self) -> None:
        self.private.mkdir()
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORDS["operators"]], capture_output=True, text=True, check=True
        )
        (self.private / "operators").write_text(f"operators:{hashed.stdout}")
        # No hash, which would take longer than the rate limit allows between two requests.
        (self.private / "viewers").write_text(f"viewers:{{PLAIN}}{PASSWORDS['viewers']}\n")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost",
             "-keyout", str(self.private / "key.pem"), "-out", str(self.private / "certificate.pem")],
            check=True, capture_output=True,
        )  # fmt: skip
        for file in self.private.iterdir():
            file.chmod(0o644)  # the proxy is another user


def _password_of(user: str) -> str:
    return f"Basic {b64encode(f'{user}:{PASSWORDS[user]}'.encode()).decode()}"
