"""What a sensor's tick takes to list so many settled keys: a stub of S3 answers, its answers are really parsed."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import process_time
from typing import Any

import sqlalchemy as sa

from bench.contenders.pipeline import prepare
from bench.huge_bucket import HugeBucket
from bench.measure import peak_mb
from bench.places import Place
from orders_pipeline.definitions import s3
from orders_pipeline.landing.ingest import due
from orders_pipeline.sensors import read_listing
from orders_pipeline.storage.postgres import engine_for

# The ledger's word that the stub's files were read and held nothing.
SETTLED = """
INSERT INTO ledger.landed_files (bucket, key, etag, size, last_modified, status)
SELECT :bucket, 'landing/' || lpad(n::text, 6, '0') || '.csv', lpad(to_hex(n), 32, '0'), 40,
    '2026-03-04T05:06:07Z', 'ignored' FROM generate_series(0, :last) AS n
"""


def run(place: Place, keys: int) -> dict[str, Any]:
    prepare(place)
    engine = engine_for(place.database_url)
    with engine.begin() as connection:
        connection.execute(sa.text(SETTLED), {"bucket": place.bucket, "last": keys - 1})
    with _stub(keys), engine.connect() as connection:
        list(zip(range(2), s3.list_pages(), strict=False))  # imports, connections
        started = process_time()
        listing = read_listing(s3.list_pages(), lambda page: due(connection, page), float("inf"))
        seconds = process_time() - started
    assert listing.cursor is None
    assert not listing.versions
    return {"cpu_seconds": seconds, "peak_mb": peak_mb()}


@contextmanager
def _stub(keys: int) -> Iterator[None]:
    """The stub, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ports = spawn.Queue()
    server = spawn.Process(target=_serve, args=(keys, ports), daemon=True)
    server.start()
    os.environ["ORDERS_S3_ENDPOINT_URL"] = f"http://127.0.0.1:{ports.get(timeout=60)}"
    try:
        yield
    finally:
        server.terminate()
        server.join()


def _serve(keys: int, ports: Any) -> None:
    server = HugeBucket(keys)
    ports.put(server.server_port)
    server.serve_forever()
