"""What the health checks of docker-compose.yml ask: `python -m orders_pipeline.runs.health code`.

It does not import Dagster, which would take longer than the answer."""

import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final

ALIVE: Final = (
    Path(tempfile.gettempdir()) / "worker-alive"
)  # touched at each heartbeat that the worker sends to the broker

_TIMEOUT: Final = 5.0  # seconds
_OLDEST_WORD: Final = 60.0  # seconds


def code(port: int = 4000) -> bool:
    """Whether the code server on this machine serves."""
    import grpc  # type: ignore[import-untyped]  # its types are a package of their own
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = health_pb2.HealthCheckRequest(service="DagsterApi")
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_TIMEOUT)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def webserver(port: int = 3000) -> bool:
    """Whether the webserver on this machine answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=_TIMEOUT) as answer:
        return bool(answer.status == 200)


def worker() -> bool:
    """Whether the worker on this machine sent a heartbeat to the broker within the last minute."""
    return ALIVE.exists() and time.time() - ALIVE.stat().st_mtime < _OLDEST_WORD


if __name__ == "__main__":
    sys.exit(not {"code": code, "webserver": webserver, "worker": worker}[sys.argv[1]]())
