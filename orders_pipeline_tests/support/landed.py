"""What the ledger records of the files that landed."""

from orders_pipeline_tests.support.driver import Pipeline


def statuses(pipeline: Pipeline) -> dict[str, tuple[str, str | None]]:
    rows = pipeline.query("SELECT key, status, reason FROM ledger.landed_files ORDER BY id")
    return {key: (status, reason) for key, status, reason in rows}
