"""Which landed objects could go: those that are old, loaded, and intact in the lake."""

import json
from datetime import UTC, datetime, timedelta

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.landing import retention
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline


def find(before: datetime) -> tuple[list[str], dict[str, int]]:
    found = retention.find(postgres.ledger(), s3.lake(), s3.list_pages(), before)
    return [version.key.removeprefix(s3.prefix) for version in found.expendable], dict(found.kept)


def test_only_what_is_old_and_loaded_and_intact_could_go(pipeline: Pipeline) -> None:
    for name in ("a", "b", "c"):
        pipeline.land_rows(f"{name}.csv", f"{name},ann,1.00,2026-03-04")
    pipeline.land("broken.csv", "nonsense\n")
    pipeline.land("empty.csv", "")
    pipeline.sync()
    pipeline.land_rows("pending.csv", "4,ann,1.00,2026-03-04")
    pipeline.land_rows("b.csv", "b,ann,2.00,2026-03-04")  # its old version counts, and is no longer there
    (path,) = pipeline.query("SELECT path FROM ledger.landed_files WHERE key LIKE '%/c.csv' AND active")[0]
    s3.lake().delete(path)

    later = datetime.now(UTC) + timedelta(minutes=1)
    assert find(later) == (["a.csv"], {"not loaded": 4, "damaged in the lake": 1})
    assert find(later - timedelta(days=1)) == ([], {"younger": 6})

    told = call("status", "--retention", "1").output
    assert "0 of 6 landed objects (0 bytes) could go: they are older than 1 day and loaded" in " ".join(told.split())
    assert json.loads(call("status", "--retention", "1", "--json").output) == {
        "expendable": [], "bytes": 0, "kept": {"younger": 6},
    }  # fmt: skip
