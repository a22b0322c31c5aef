"""A Docker engine, and the images that docker-compose.yml names. Images that are not there are not pulled, but made
from Debian's packages, as far as the stack needs them. To use the official ones, pull them before."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
STANDINS = Path(__file__).parent / "standins"
DEBIAN = "debian:bookworm-slim"
PYTHON = "python:3.11-slim-bookworm"
# What stands in for what; the versions are Debian's.
IMAGES = {
    "PYTHON_IMAGE": PYTHON,
    "POSTGRES_IMAGE": "postgres:15-bookworm",
    "REDIS_IMAGE": "redis:7-bookworm",
    "PROXY_IMAGE": "nginx:1.22",
    "S3_IMAGE": "motoserver/moto:5.2.5",
}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_SETTINGS = ("index-url", "trusted-host", "timeout")
_PATIENCE = 60.0  # seconds for an engine to start


class NoEngineError(Exception):
    """This machine has no Docker engine, or lacks what makes the images; the message says what to install."""


@dataclass(frozen=True)
class Engine:
    """The commands to call: a `docker` that can build with BuildKit, and Compose."""

    docker: str
    compose: list[str]

    def has(self, image: str) -> bool:
        """Whether the engine holds this image."""
        return _succeeds([self.docker, "image", "inspect", image])

    def build(self, folder: Path, *options: str) -> None:
        """Build an image, with pip set up as it is on this machine."""
        secrets = [f"--secret=id=ca.crt,src={_certificates()}", f"--secret=id=pip.conf,src={folder / 'pip.conf'}"]
        (folder / "pip.conf").write_text(_pip_configuration())
        # The host's network: its name server and routes reach the registries, where a bridge may not.
        command = [self.docker, "build", "--network=host", "--progress=plain", *secrets, *options]
        done = subprocess.run(
            command, env={**os.environ, "DOCKER_BUILDKIT": "1"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(options)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """An engine that runs; if this has to start one, it ends it too. Raises `NoEngineError` where there is none."""
    if shutil.which("docker") is None:
        raise NoEngineError("no Docker here: install docker.io, docker-compose and debootstrap")
    server = None if _succeeds(["docker", "info"]) else _start(folder)
    try:
        yield Engine(_builder(), _compose())
    finally:
        if server is not None:
            server.terminate()
            server.wait(60)


def make_images(docker: Engine, folder: Path) -> None:
    """Make the images that are missing."""
    missing = {name: image for name, image in IMAGES.items() if not docker.has(image)}
    if missing and not docker.has(DEBIAN):
        if shutil.which("debootstrap") is None or os.geteuid() != 0:
            raise NoEngineError(f"{', '.join(missing.values())} are not here, nor is debootstrap, to make them as root")
        root = folder / "debian"
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
            subprocess.run([docker.docker, "import", "-", DEBIAN], stdin=packed.stdout, check=True, capture_output=True)
        shutil.rmtree(root)
    for name, image in missing.items():  # Python's comes first: others are made from it
        file = STANDINS / f"{name.removesuffix('_IMAGE').lower()}.Dockerfile"
        version = image.partition(":")[2]
        docker.build(folder, f"--build-arg=VERSION={version}", f"--tag={image}", f"--file={file}", str(STANDINS))


def _start(folder: Path) -> subprocess.Popen[bytes]:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        raise NoEngineError("no Docker engine answers, and none can be started here")
    log = folder / "dockerd.log"
    with log.open("wb") as output:
        server = subprocess.Popen(["dockerd"], stdout=output, stderr=output)
    deadline = time.monotonic() + _PATIENCE
    while not _succeeds(["docker", "info"]):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise NoEngineError(f"dockerd does not start here:\n{log.read_text()[-2000:]}")
        time.sleep(0.5)
    return server


def _builder() -> str:
    """A client that builds with BuildKit: newer ones need a plugin for it, which Debian's older one does not."""
    for client in ("docker", "/usr/bin/docker"):
        done = subprocess.run(
            [client, "build", "--quiet", "-"],
            input=b"FROM scratch\nLABEL of=a-trial\n",
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            return client
    raise NoEngineError("no client here builds images with BuildKit")


def _compose() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and _succeeds([*command, "version"]):
            return command
    raise NoEngineError("no Docker Compose here: install docker-compose")


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _certificates() -> Path:
    return Path(os.environ.get("PIP_CERT") or _CERTIFICATES)


def _pip_configuration() -> str:
    """What pip has been told on this machine of where packages are, for the pip in a build."""
    lines = ["[global]", f"cert = {_CERTIFICATES}"]
    for name in _PIP_SETTINGS:
        told = os.environ.get(f"PIP_{name.upper().replace('-', '_')}") or _from_pip(name)
        lines += [f"{name} = {told}"] if told else []
    return "\n".join(lines) + "\n"


def _from_pip(name: str) -> str:
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
