"""Which declaration holds for a version: the ledger decides as the sources do."""

import pytest
import sqlalchemy as sa

from orders_pipeline.definitions import postgres
from orders_pipeline.ledger import declarations
from orders_pipeline.ledger.models import landed_files
from orders_pipeline.sources.declaration import parse
from orders_pipeline_tests.support.driver import Pipeline

DECLARATION = """
[defaults]
currency = "EUR"
[[source]]
name = "all"
keys = "landing/*"
currency = "USD"
[[source]]
name = "acme"
keys = "landing/acme_*"
columns = { amount = "Total" }
[[source]]
name = "percent"
keys = "landing/100%/*.csv"
drop = { S = ["x"] }
[[source]]
name = "shop"
table = "orders"
keep = { S = ["x"] }
"""
VERSIONS = [
    ("b", "landing/acme_1.csv"),
    ("b", "landing/acmex1.csv"),  # an underscore is an underscore
    ("b", "landing/100%/a/b.csv"),
    ("b", "landing/100x/a.csv"),
    ("b", "other/a.csv"),
    ("", "table:orders/2026-03-04"),
]


@pytest.mark.parametrize("toml", ["", DECLARATION])
def test_the_ledger_finds_the_source_of_a_version_as_the_declaration_does(pipeline: Pipeline, toml: str) -> None:
    sources = parse(toml)
    for bucket, key in VERSIONS:
        source = sources.of(bucket, key)
        pipeline.execute(
            "INSERT INTO ledger.landed_files (bucket, key, etag, size, last_modified, status, bytes_hash, rows_hash)"
            " VALUES (:bucket, :key, '', 0, now(), 'quarantined', :bytes_hash, :rows_hash)",
            bucket=bucket,
            key=key,
            bytes_hash=source.bytes_hash,
            rows_hash=source.rows_hash,
        )
    pipeline.execute(  # as an earlier release leaves it, which knows no declarations
        "INSERT INTO ledger.landed_files (bucket, key, etag, size, last_modified, status)"
        " VALUES ('b', 'landing/old.csv', '', 0, now(), 'quarantined')"
    )
    is_redeclared = declarations.is_redeclared(landed_files.c, sources)
    with postgres.ledger().connect() as connection:
        redeclared = connection.execute(sa.select(landed_files.c.key).where(is_redeclared)).scalars().all()

    assert redeclared == (["landing/old.csv"] if toml else [])
